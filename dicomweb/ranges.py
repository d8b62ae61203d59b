"""Byte ranges (RFC 9110 14): of a resource whose size is known and whose bytes can be skipped to."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomweb.problems import RangeNotSatisfiable

_MAX_RANGES = 64
_FORM = re.compile(r"bytes\s*=\s*(.+)", re.IGNORECASE)
_ONE = re.compile(r"(\d{0,19})\s*-\s*(\d{0,19})")

Opener = Callable[[int, int], Iterator[bytes]]  # (offset, length) -> bytes


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse(text: str, size: int) -> tuple[Span, ...]:
    """The satisfiable spans of a Range header; empty when there is none or it has no meaning, which
    is answered with the whole (RFC 9110 14.2). Raises RangeNotSatisfiable when none lies inside."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        return ()
    pieces = [_ONE.fullmatch(piece.strip()) for piece in form[1].split(",")]
    bounds = [(piece[1], piece[2]) for piece in pieces if piece and (piece[1] or piece[2])]
    if len(bounds) != len(pieces) or len(bounds) > _MAX_RANGES:
        return ()
    if any(first and last and int(first) > int(last) for first, last in bounds):
        return ()
    spans = [_span(first, last, size) for first, last in bounds]
    inside = tuple(span for span in spans if span.length > 0)
    if not inside:
        raise RangeNotSatisfiable(size)
    # Overlapping ranges ask for more than there is (RFC 9110 14.2): answered with the whole.
    return inside if sum(span.length for span in inside) <= size else ()


def cut(pieces: Iterator[bytes], span: Span) -> Iterator[bytes]:
    """The bytes of a span of an iterator that can only be read forward."""
    position = 0
    for piece in pieces:
        start, stop = max(span.start - position, 0), min(span.stop - position, len(piece))
        if start < stop:
            yield piece if stop - start == len(piece) else piece[start:stop]
        position += len(piece)
        if position >= span.stop:
            return


def _span(first: str, last: str, size: int) -> Span:
    if not first:
        return Span(max(0, size - int(last)), size)
    stop = int(last) + 1 if last else size
    return Span(min(int(first), size), min(stop, size))

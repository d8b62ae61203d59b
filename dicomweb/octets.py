"""Bytes whose number is known and that can be skipped to, with byte ranges (RFC 9110 14)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Protocol

from starlette.responses import Response

from dicomweb import answers, problems, ranges
from dicomweb.calls import Call
from dicomweb.ranges import Span
from dicomweb.streams import Source, Streamed


class Octets(Protocol):
    @property
    def length(self) -> int: ...

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]: ...


def spans(call: Call, found: Octets, tag: str) -> tuple[Span, ...]:
    """Those that are asked for and lie inside. Raises RangeNotSatisfiable."""
    return ranges.parse(answers.range_asked(call, tag), found.length)


def answer(
    call: Call, found: Octets, media_type: str, headers: Mapping[str, str], span: Span | None, held: ExitStack
) -> Response:
    """All of it, or one range; `held` is closed behind it."""
    more = {"Accept-Ranges": "bytes", **headers}
    if span is not None:
        more["Content-Range"] = span.content_range(found.length)
    asked = span or Span(0, found.length)
    return Streamed(
        Source(found.chunks(asked.start, asked.length), held),
        media_type=media_type,
        length=asked.length,
        status=problems.PARTIAL if span else problems.OK,
        headers=more,
        only_head=call.only_head,
    )

"""Retrieve frames: byte ranges of the stored pixel data, or what is made of them (PS3.18 10.4.1.1.6)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from dicomweb import answers, framing, media, multipart, problems, ranges
from dicomweb.calls import Call
from dicomweb.cors import EXPOSED
from dicomweb.framing import Frames
from dicomweb.media import Offer
from dicomweb.multipart import Part
from dicomweb.ranges import Span
from dicomweb.streams import Source, Streamed
from pacs.errors import Invalid
from pacs.retrieve import made
from pacs.retrieve.frameset import FrameSet
from pacs.retrieve.made import Look

_MOST: Final = 10_000
_AT_ONCE: Final = 1 << 20  # bytes that are read while other callers wait: microseconds


@dataclass(frozen=True, slots=True)
class _Body:
    """The parts between boundaries, or without a boundary the one part by itself."""

    parts: tuple[Part, ...]
    boundary: str
    media_type: str

    @property
    def length(self) -> int | None:
        return multipart.length_of(self.parts, self.boundary) if self.boundary else self.parts[0].length

    def pieces(self, span: Span | None) -> Iterator[bytes]:
        if self.boundary:
            if span is None:
                return multipart.write(self.parts, self.boundary)
            return multipart.write_span(self.parts, self.boundary, span.start, span.stop)
        (part,) = self.parts
        return part.open() if span is None or part.cut is None else part.cut(span.start, span.length)


def retrieve(call: Call) -> Response:
    numbers = call.frames(_MOST)
    resolution = call.request.query_params.get("resolution", "")
    factor = made.factor_of(resolution) if resolution else 0
    with ExitStack() as stack:
        found = stack.enter_context(call.archive.retrieve.frames(call.actor, call.key, numbers))
        offer = _chosen(call, found, factor)
        tag = _tag(call, found, offer, resolution)
        unchanged = answers.not_modified(call, tag)
        if unchanged is not None:
            return unchanged
        given, look = framing.given(found, offer, factor)
        headers = {"ETag": tag} | _headers(look, resolution)
        return _answer(call, _body(given, offer, tag), headers, stack.pop_all())


def at_once(call: Call) -> Response | None:
    """The same of one frame without waiting for anything; None when that cannot be."""
    numbers = call.frames(_MOST)
    if len(numbers) != 1 or "resolution" in call.request.query_params:
        return None
    found = call.archive.retrieve.frame_at_hand(call.actor, call.key, numbers[0])
    if found is None:
        return None
    with found:
        offer = _chosen(call, found, 0)
        if offer.transfer_syntaxes[0] != found.transfer_syntax:
            return None
        tag = _tag(call, found, offer, "")
        unchanged = answers.not_modified(call, tag)
        if unchanged is not None:
            return unchanged
        read = found.at_hand(_AT_ONCE)
    return None if read is None else _answer(call, _body(read, offer, tag), {"ETag": tag}, ExitStack())


def _chosen(call: Call, found: FrameSet, factor: int) -> Offer:
    able = call.archive.retrieve.abilities
    return media.choose(call.accepted, framing.small_offers(found) if factor else framing.offers(found, able))


def _tag(call: Call, found: FrameSet, offer: Offer, resolution: str) -> str:
    return answers.etag(found.stored.digest, call.path, resolution, *framing.identity(found, offer))


def _headers(look: Look | None, resolution: str) -> dict[str, str]:
    """Of frames that are not what the metadata describes: what they are."""
    if look is None:
        return {}
    return {
        "Hilum-Rows": str(look.rows),
        "Hilum-Columns": str(look.columns),
        "Hilum-Photometric-Interpretation": look.photometric,
    } | ({"Hilum-Resolution": resolution} if resolution else {})


def _body(given: Frames, offer: Offer, tag: str) -> _Body:
    part_type = f"{offer.type}; transfer-syntax={given.transfer_syntax}"
    lengths = given.lengths() or (None,) * len(given.numbers)
    parts = tuple(
        _part(given, number, part_type, length) for number, length in zip(given.numbers, lengths, strict=True)
    )
    if not offer.multipart:
        return _Body(parts, "", part_type)
    boundary = tag.strip('"')
    return _Body(parts, boundary, answers.multipart_type(offer.type, boundary))


def _part(given: Frames, number: int, part_type: str, length: int | None) -> Part:
    return Part(
        part_type,
        length,
        lambda: given.chunks(number),
        cut=lambda offset, count: given.chunks(number, offset, count),
    )


def _answer(call: Call, body: _Body, headers: Mapping[str, str], held: ExitStack) -> Response:
    """One range of the body may be asked for; its offsets count the multipart envelope, which is why
    that is the same at every request. What is made while it is sent has no ranges."""
    length, status, span = body.length, problems.OK, None
    more = {"Access-Control-Expose-Headers": ", ".join(EXPOSED)}
    if length is not None:
        more["Accept-Ranges"] = "bytes"
        span = _span(call, headers["ETag"], length, held)
    if length is not None and span is not None:
        more["Content-Range"] = span.content_range(length)
        length, status = span.length, problems.PARTIAL
    return Streamed(
        Source(body.pieces(span), held),
        media_type=body.media_type,
        length=length,
        status=status,
        headers={**headers, **more},
        only_head=call.only_head,
    )


def _span(call: Call, tag: str, length: int, held: ExitStack) -> Span | None:
    try:
        spans = ranges.parse(answers.range_asked(call, tag), length)
    except Invalid:
        held.close()
        raise
    return spans[0] if len(spans) == 1 else None

"""Retrieve frames: byte ranges of the stored pixel data (PS3.18 10.4.1.1.6 and 8.7.3.3)."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media, multipart, problems, ranges
from dicomweb.calls import Call
from dicomweb.media import OCTET_STREAM, Offer
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from pacs.dicom import uids
from pacs.errors import Invalid
from pacs.retrieve.frameset import Frame, FrameSet

_LIST: Final = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*", re.ASCII)
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Body:
    pieces: Iterator[bytes]
    length: int
    media_type: str


def retrieve(call: Call) -> Response:
    numbers = _numbers(call.part("frames"))
    with ExitStack() as stack:
        found = stack.enter_context(call.archive.retrieve.frames(call.actor, call.key, numbers))
        offer = media.choose(call.accepted, _offers(found))
        identity = (found.stored.digest, call.request.url.path, offer.describe())
        tag = answers.etag(*identity)
        unchanged = answers.not_modified(call, tag)
        if unchanged is not None:
            return unchanged
        body = _body(found, offer, multipart.boundary_of(*identity))
        return _answer(call, body, tag, stack.pop_all())


def _numbers(text: str) -> tuple[int, ...]:
    if not _LIST.fullmatch(text):
        raise Invalid("frames are numbers from 1, joined by commas", hint="ask for .../frames/1,2")
    numbers = tuple(map(int, text.split(",")))
    if len(numbers) > _MOST:
        raise Invalid(f"more than {_MOST} frames are asked for at once")
    return numbers


def _offers(found: FrameSet) -> list[Offer]:
    """The default of octet-stream is Explicit VR Little Endian (PS3.18 8.7.3.5), so what is stored
    compressed is given as octets only to those who ask for its transfer syntax or for any; the media
    type of the compression itself needs no such word."""
    if found.native:
        kinds = [(OCTET_STREAM, _native_names(found), True)]
    else:
        stored = (found.transfer_syntax,)
        own = [(found.media_type, stored, True)] if found.media_type != OCTET_STREAM else []
        kinds = [*own, (OCTET_STREAM, stored, False)]
    forms = (True, False) if len(found.numbers) == 1 else (True,)
    return [Offer(kind, multi, syntaxes, default) for multi in forms for kind, syntaxes, default in kinds]


def _native_names(found: FrameSet) -> tuple[str, ...]:
    """Native frames are the same bytes in every little endian syntax."""
    stored = found.stored.transfer_syntax
    return (uids.EXPLICIT_LE, stored) if stored != uids.EXPLICIT_BE else (uids.EXPLICIT_LE,)


def _body(found: FrameSet, offer: Offer, boundary: str) -> _Body:
    part_type = f"{offer.type}; transfer-syntax={found.transfer_syntax}"
    if not offer.multipart:
        (frame,) = found
        return _Body(frame.chunks, frame.length, part_type)
    parts = [_part(frame, part_type) for frame in found]
    media_type = answers.multipart_type(offer.type, boundary)
    return _Body(multipart.write(parts, boundary), multipart.length_of(parts, boundary), media_type)


def _part(frame: Frame, part_type: str) -> Part:
    return Part(part_type, frame.length, lambda: frame.chunks)


def _answer(call: Call, body: _Body, tag: str, held: ExitStack) -> Response:
    """One range of the body may be asked for; its offsets count the multipart envelope, which is why
    that is the same at every request."""
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    pieces, length, status = body.pieces, body.length, problems.OK
    try:
        spans = ranges.parse(answers.range_asked(call, tag), body.length)
    except Invalid:
        held.close()
        raise
    if len(spans) == 1:
        pieces, length, status = ranges.cut(pieces, spans[0]), spans[0].length, problems.PARTIAL
        headers["Content-Range"] = spans[0].content_range(body.length)
    return Streamed(
        Source(pieces, held),
        media_type=body.media_type,
        length=length,
        status=status,
        headers=headers,
        only_head=call.only_head,
    )

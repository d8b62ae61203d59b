"""Retrieve bulk data: the bytes behind a BulkDataURI, with byte ranges (PS3.18 10.4.1.1.5)."""

from contextlib import ExitStack
from typing import Final

from starlette.responses import Response

from dicomweb import answers, bulkpixels, media, multipart, octets, problems, ranges
from dicomweb.calls import Call
from dicomweb.media import OCTET_STREAM, Offer
from dicomweb.multipart import Part
from dicomweb.octets import Octets
from dicomweb.ranges import Span
from dicomweb.streams import Source, Streamed
from pacs.dicom import uids

_SINGLE: Final = Offer(OCTET_STREAM, transfer_syntaxes=(uids.EXPLICIT_LE,))
_MULTIPART: Final = Offer(OCTET_STREAM, multipart=True, transfer_syntaxes=(uids.EXPLICIT_LE,))


def retrieve(call: Call) -> Response:
    with ExitStack() as stack:
        retrieving = call.archive.retrieve
        value = stack.enter_context(retrieving.bulkdata(call.actor, call.key, call.part("path")))
        pixels = retrieving.all_frames(call.actor, call.key) if value.encapsulated else None
        if pixels is None:
            offer = media.choose(call.accepted, (_SINGLE, _MULTIPART))
            return _answer(call, value, value.digest, OCTET_STREAM, offer, stack)
        stack.enter_context(pixels)
        offer = media.choose(call.accepted, bulkpixels.offers(pixels, retrieving.abilities))
        kind = f"{offer.type}; transfer-syntax={offer.transfer_syntaxes[0]}"
        return _answer(call, bulkpixels.given(pixels, offer, value), value.digest, kind, offer, stack)


def _answer(call: Call, found: Octets, digest: str, kind: str, offer: Offer, stack: ExitStack) -> Response:
    """`kind` is the media type of the value itself, inside an envelope or without one."""
    tag = answers.etag(digest, call.request.url.path, offer.describe())
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return unchanged
    if offer.multipart:
        return _as_parts(call, found, kind, tag, stack)
    spans = octets.spans(call, found, tag)
    if len(spans) > 1:
        return _as_ranges(call, found, kind, spans, tag, stack)
    return octets.answer(call, found, kind, {"ETag": tag}, next(iter(spans), None), stack.pop_all())


def _as_parts(call: Call, found: Octets, kind: str, tag: str, stack: ExitStack) -> Response:
    """One range of it may be asked for; as with frames its offsets count the envelope."""
    boundary = tag.strip('"')
    parts = [Part(kind, found.length, found.chunks, cut=found.chunks)]
    length = multipart.length_of(parts, boundary) or 0
    spans = ranges.parse(answers.range_asked(call, tag), length)
    headers, asked = {"Accept-Ranges": "bytes", "ETag": tag}, Span(0, length)
    if len(spans) == 1:
        (asked,) = spans
        headers["Content-Range"] = asked.content_range(length)
    return Streamed(
        Source(multipart.write_span(parts, boundary, asked.start, asked.stop), stack.pop_all()),
        media_type=answers.multipart_type(kind.partition(";")[0], boundary),
        length=asked.length,
        status=problems.PARTIAL if len(spans) == 1 else problems.OK,
        headers=headers,
        only_head=call.only_head,
    )


def _as_ranges(
    call: Call, found: Octets, kind: str, spans: tuple[Span, ...], tag: str, stack: ExitStack
) -> Response:
    """multipart/byteranges (RFC 9110 14.6)."""
    boundary = tag.strip('"')
    parts = [_range_part(found, kind, span) for span in spans]
    return Streamed(
        Source(multipart.write(parts, boundary), stack.pop_all()),
        media_type=f"multipart/byteranges; boundary={boundary}",
        length=multipart.length_of(parts, boundary),
        status=problems.PARTIAL,
        headers={"Accept-Ranges": "bytes", "ETag": tag},
        only_head=call.only_head,
    )


def _range_part(found: Octets, kind: str, span: Span) -> Part:
    content_range = ("Content-Range", span.content_range(found.length))
    return Part(kind, span.length, lambda: found.chunks(span.start, span.length), (content_range,))

"""Retrieve bulk data: the bytes behind a BulkDataURI, with byte ranges (PS3.18 10.4.1.1.5)."""

from contextlib import ExitStack
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media, multipart, problems, ranges
from dicomweb.calls import Call
from dicomweb.media import OCTET_STREAM, Offer
from dicomweb.multipart import Part
from dicomweb.ranges import Span
from dicomweb.streams import Source, Streamed
from pacs.dicom import uids
from pacs.retrieve.bulk import BulkData

_SINGLE: Final = Offer(OCTET_STREAM, transfer_syntaxes=(uids.EXPLICIT_LE,))
_MULTIPART: Final = Offer(OCTET_STREAM, multipart=True, transfer_syntaxes=(uids.EXPLICIT_LE,))


def retrieve(call: Call) -> Response:
    offer = media.choose(call.accepted, (_SINGLE, _MULTIPART))
    with ExitStack() as stack:
        found = stack.enter_context(call.archive.retrieve.bulkdata(call.actor, call.key, call.part("path")))
        tag = answers.etag(found.digest, call.request.url.path, offer.describe())
        unchanged = answers.not_modified(call, tag)
        if unchanged is not None:
            return unchanged
        if offer.multipart:
            return _as_parts(call, found, tag, stack)
        spans = ranges.parse(answers.range_asked(call, tag), found.length)
        if len(spans) > 1:
            return _as_ranges(call, found, spans, tag, stack)
        return _as_octets(call, found, spans[0] if spans else None, tag, stack)


def _as_octets(call: Call, found: BulkData, span: Span | None, tag: str, stack: ExitStack) -> Response:
    headers = {"Accept-Ranges": "bytes", "ETag": tag}
    if span is not None:
        headers["Content-Range"] = span.content_range(found.length)
    asked = span or Span(0, found.length)
    return Streamed(
        Source(found.chunks(asked.start, asked.length), stack.pop_all()),
        media_type=OCTET_STREAM,
        length=asked.length,
        status=problems.PARTIAL if span else problems.OK,
        headers=headers,
        only_head=call.only_head,
    )


def _as_parts(call: Call, found: BulkData, tag: str, stack: ExitStack) -> Response:
    """One range of it may be asked for; as with frames its offsets count the envelope."""
    boundary = tag.strip('"')
    parts = [Part(OCTET_STREAM, found.length, found.chunks, cut=found.chunks)]
    length = multipart.length_of(parts, boundary) or 0
    spans = ranges.parse(answers.range_asked(call, tag), length)
    headers, asked = {"Accept-Ranges": "bytes", "ETag": tag}, Span(0, length)
    if len(spans) == 1:
        (asked,) = spans
        headers["Content-Range"] = asked.content_range(length)
    return Streamed(
        Source(multipart.write_span(parts, boundary, asked.start, asked.stop), stack.pop_all()),
        media_type=answers.multipart_type(OCTET_STREAM, boundary),
        length=asked.length,
        status=problems.PARTIAL if len(spans) == 1 else problems.OK,
        headers=headers,
        only_head=call.only_head,
    )


def _as_ranges(call: Call, found: BulkData, spans: tuple[Span, ...], tag: str, stack: ExitStack) -> Response:
    """multipart/byteranges (RFC 9110 14.6)."""
    boundary = tag.strip('"')
    parts = [_range_part(found, span) for span in spans]
    return Streamed(
        Source(multipart.write(parts, boundary), stack.pop_all()),
        media_type=f"multipart/byteranges; boundary={boundary}",
        length=multipart.length_of(parts, boundary),
        status=problems.PARTIAL,
        headers={"Accept-Ranges": "bytes", "ETag": tag},
        only_head=call.only_head,
    )


def _range_part(found: BulkData, span: Span) -> Part:
    content_range = ("Content-Range", span.content_range(found.length))
    return Part(OCTET_STREAM, span.length, lambda: found.chunks(span.start, span.length), (content_range,))

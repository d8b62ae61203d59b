"""A video as it was made: nothing here draws its frames, and every browser plays it (PS3.18 8.7.4)."""

from contextlib import ExitStack
from typing import Final

from starlette.responses import Response

from dicomweb import answers, bulkpixels, media, octets
from dicomweb.calls import Call
from dicomweb.media import Offer
from pacs.retrieve.frameset import FrameSet

_HEADERS: Final = {"Cache-Control": "private, no-cache"}


def answer(call: Call, found: FrameSet) -> Response:
    """With byte ranges, which players ask for. Raises NotAcceptable for who wants something else."""
    with ExitStack() as stack:
        stack.enter_context(found)
        offer = media.choose(call.accepted, (Offer(found.media_type),))
        tag = answers.etag(found.stored.digest, offer.type)
        unchanged = answers.not_modified(call, tag)
        if unchanged is not None:
            unchanged.headers.update(_HEADERS)
            return unchanged
        stream = bulkpixels.Joined(found, found.lengths())
        spans = octets.spans(call, stream, tag)
        span = spans[0] if len(spans) == 1 else None
        headers = {"ETag": tag, **_HEADERS}
        return octets.answer(call, stream, offer.type, headers, span, stack.pop_all())

"""Rendered instances and frames, and the thumbnails of all levels (PS3.18 10.4.1.1.3 and 10.4.1.1.4)."""

from collections.abc import Iterator
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media, multipart, rendered_text, rendered_video, viewing
from dicomweb.calls import Call
from dicomweb.media import Offer
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from pacs.errors import NotAcceptable
from pacs.retrieve.found import Found
from pacs.retrieve.view import Form, View

SINGLE: Final = tuple(Offer(form) for form in Form)
SEVERAL: Final = tuple(Offer(form, multipart=True) for form in Form)
_MOVING: Final = Offer(Form.GIF)
_EDITION: Final = "2"  # counted up when pictures come out differently
# Whoever keeps one asks each time whether it is still the one: a thumbnail changes with its series.
HEADERS: Final = {"Cache-Control": "private, no-cache"}


def retrieve(call: Call) -> Response:
    """One picture; several frames are several parts, or one GIF. Of what is read instead: its text."""
    numbers = call.frames(viewing.MOST_FRAMES)
    found = call.archive.pictures.look(call.actor, call.key, numbers)
    written = None if numbers else found.written()
    if written is not None:
        return rendered_text.answer(call, found, written)
    video = call.archive.retrieve.all_frames(call.actor, call.key) if found.is_video and not numbers else None
    if video is not None:
        return rendered_video.answer(call, video)
    found.check(*numbers)
    offer = media.choose(call.accepted, (*SEVERAL, _MOVING) if len(numbers) > 1 else (*SINGLE, *SEVERAL))
    view = viewing.view(call.request.query_params, Form(offer.type))
    identity = (found.digest, _EDITION, repr(view), call.request.url.path, offer.describe())
    tag = answers.etag(*identity)
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return _headed(unchanged, tag)
    if offer.multipart:
        return _parts(call, found, numbers or (found.number,), view, tag)
    picture = found.move(view, numbers) if view.form is Form.GIF else found.draw(view)
    return _headed(Response(picture, media_type=offer.type), tag)


def thumbnail(call: Call) -> Response:
    """One picture, whatever it is asked of (PS3.18 10.4.1.1.4): of an instance or frame, or of what
    stands for a study, a series or several frames."""
    numbers = call.frames(viewing.MOST_FRAMES)
    offer = media.choose(call.accepted, SINGLE)
    viewport = viewing.viewport(call.request.query_params.get("viewport"), enlarge=False)
    view = View(Form(offer.type), viewport=viewport)
    found = call.archive.pictures.representative(call.actor, call.wanted, numbers)
    tag = answers.etag(found.digest, str(found.number), _EDITION, repr(view), "thumbnail")
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return _headed(unchanged, tag)
    try:
        return _headed(Response(call.archive.pictures.thumbnail(found, view), media_type=offer.type), tag)
    except NotAcceptable as error:
        response = Response(call.archive.pictures.icon(found, view), media_type=offer.type)
        answers.warn(response, f"{error}; an icon stands for it")
        return _headed(response, tag)


def _parts(call: Call, found: Found, numbers: tuple[int, ...], view: View, tag: str) -> Response:
    """Each is drawn when its turn comes; nothing tells their length before."""
    boundary = tag.strip('"')

    def parts() -> Iterator[Part]:
        for number in numbers:
            picture = found.draw(view, number)
            yield Part(view.form, len(picture), (picture,).__iter__)

    return Streamed(
        Source(multipart.write(parts(), boundary)),
        media_type=answers.multipart_type(view.form, boundary),
        headers={"ETag": tag, **HEADERS},
        only_head=call.only_head,
    )


def _headed(response: Response, tag: str) -> Response:
    response.headers.update({"ETag": tag, **HEADERS})
    return response

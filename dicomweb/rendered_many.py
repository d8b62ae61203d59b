"""Rendered studies and series: a picture of each instance that has any (PS3.18 10.4.1.1.3)."""

import secrets
from collections.abc import Iterator

from starlette.responses import Response

from dicomweb import answers, media, multipart, viewing
from dicomweb.calls import Call
from dicomweb.multipart import Part
from dicomweb.rendered import HEADERS, SEVERAL, SINGLE
from dicomweb.streams import Source, Streamed
from pacs import log
from pacs.errors import NotAcceptable
from pacs.retrieve.found import Found
from pacs.retrieve.view import Form, View

_log = log.get(__name__)


def retrieve(call: Call) -> Response:
    """Each part says where it is from; each is drawn when its turn comes. Where there is one picture only,
    it is given by itself to those who would have that."""
    found, shown, others = call.archive.pictures.several(call.actor, call.wanted)
    offer = media.choose(call.accepted, (*SEVERAL, *SINGLE) if shown == 1 else SEVERAL)
    view = viewing.view(call.request.query_params, Form(offer.type))
    answer = _together(call, found, view) if offer.multipart else _alone(found, view)
    if others:
        answers.warn(answer, f"{others} instances have no pixels and are left out")
    return answer


def _alone(found: Iterator[Found], view: View) -> Response:
    return Response(next(found).draw(view), media_type=view.form, headers=HEADERS)


def _together(call: Call, found: Iterator[Found], view: View) -> Response:
    boundary = secrets.token_hex(24)
    return Streamed(
        Source(multipart.write(_parts(call, found, view), boundary)),
        media_type=answers.multipart_type(view.form, boundary),
        headers=HEADERS,
        only_head=call.only_head,
    )


def _parts(call: Call, several: Iterator[Found], view: View) -> Iterator[Part]:
    for found in several:
        picture = _drawn(call, found, view)
        place = (("Content-Location", f"{call.outside.instance(found.stored.key)}/rendered"),)
        yield Part(view.form, len(picture), (picture,).__iter__, place)


def _drawn(call: Call, found: Found, view: View) -> bytes:
    """What cannot be drawn is stood for by an icon: its status has long been sent, and nobody shall count
    one picture less."""
    try:
        return found.draw(view)
    except NotAcceptable as error:
        _log.warning("an icon stands for a picture reason=%s", error)
        return call.archive.pictures.icon(found, view)

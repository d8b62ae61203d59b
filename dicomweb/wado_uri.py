"""WADO-URI: one object, as it is or as a picture, named by a query string (PS3.18 9)."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from dicomweb import answers, forms, media, viewing, wado
from dicomweb.calls import Call, frame_numbers
from dicomweb.media import DICOM, Offer, Range
from dicomweb.viewing import LARGEST_SIDE
from pacs.dicom import uids
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid, NotAcceptable, NotFound
from pacs.retrieve.found import Found
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.retrieve.view import Form

_PICTURES: Final = tuple(Offer(form) for form in Form)
_FILE: Final = Offer(DICOM)
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_PLUS: Final = re.compile(r"(?<=[a-z]) (?=[a-z])")  # what a query string makes of one
_FRACTION: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{0,9})?|\.[0-9]{1,9}", re.ASCII)
_LARGEST_AREA: Final = 1 << 25
_HEADERS: Final = {"Cache-Control": "private, no-cache"}
_OF_PICTURES: Final = frozenset(
    {"frameNumber", "rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality"}
)


def retrieve(call: Call) -> Response:
    """Without a content type a single frame is a picture, everything else a file (PS3.18 9.1.2)."""
    asked = call.request.query_params
    if asked.get("requestType") != "WADO":
        raise Invalid("requestType must be WADO (PS3.18 9.1.1)", hint="ask for /wado?requestType=WADO&...")
    if asked.get("anonymize"):
        raise NotAcceptable("objects are not given de-identified", hint="leave out anonymize")
    if asked.get("presentationUID"):
        raise NotAcceptable("presentation states are not applied", hint="leave out presentationUID")
    key = InstanceKey(*(_uid(asked, name) for name in ("studyUID", "seriesUID", "objectUID")))
    stored = _stored(call, key)
    offer = _offer(asked, stored)
    return _file(call, stored) if offer is _FILE else _picture(call, key, Form(offer.type))


def _uid(asked: Mapping[str, str], name: str) -> str:
    uid = asked.get(name, "")
    if not uids.is_valid(uid):
        raise Invalid(f"{name} is missing or not a UID (PS3.18 9.1.2)")
    return uid


def _stored(call: Call, key: InstanceKey) -> StoredObject:
    wanted = Wanted(studies=(key.study,), series=(key.series,), instances=(key.instance,))
    for stored in call.archive.retrieve.choose(call.actor, wanted):
        return stored
    raise NotFound("nothing is stored under these UIDs")


def _offer(asked: Mapping[str, str], stored: StoredObject) -> Offer:
    kind = asked.get("contentType", "")
    if kind:
        accepted: tuple[Range, ...] = media.parse_accept(_PLUS.sub("+", kind))
        return media.choose(accepted, (*_PICTURES, _FILE))
    if stored.frames == 1 or not _OF_PICTURES.isdisjoint(asked):
        return _PICTURES[0]
    return _FILE


def _file(call: Call, stored: StoredObject) -> Response:
    """Explicit VR Little Endian when no transfer syntax is named (PS3.18 9.1.2.2.1)."""
    wanted = call.request.query_params.get("transferSyntax", "")
    if wanted not in ("", media.ANY) and not uids.is_valid(wanted):
        raise Invalid("transferSyntax is not a UID")
    accepted = (Range(DICOM, multipart=False, transfer_syntax=wanted, quality=1.0),)
    able = call.archive.retrieve.abilities
    return wado.single(call, stored, forms.negotiate(accepted, {stored.transfer_syntax}, able, single=True))


def _picture(call: Call, key: InstanceKey, form: Form) -> Response:
    asked = call.request.query_params
    numbers = frame_numbers(asked.get("frameNumber", ""), viewing.MOST_FRAMES)
    if len(numbers) > 1:
        raise Invalid("frameNumber is one number (PS3.18 9.1.2)")
    found = call.archive.pictures.find(call.actor, key, numbers)
    view = viewing.view(_as_rendered(asked, found), form)
    tag = answers.etag(found.digest, str(found.number), repr(view), "wado")
    response = answers.not_modified(call, tag) or Response(found.draw(view), media_type=form)
    response.headers.update({"ETag": tag, **_HEADERS})
    return response


def _as_rendered(asked: Mapping[str, str], found: Found) -> dict[str, str]:
    """The same in the words of the rendered resources (8.3.5)."""
    said = {"quality": asked.get("imageQuality"), "annotation": asked.get("annotation")}
    center, width = asked.get("windowCenter"), asked.get("windowWidth")
    if (center is None) != (width is None):
        raise Invalid("windowCenter and windowWidth belong together (PS3.18 9.1.2)")
    if center is not None and width is not None:
        said["window"] = f"{center},{width}"
    said["viewport"] = _viewport(asked, found)
    return {name: value for name, value in said.items() if value is not None}


def _viewport(asked: Mapping[str, str], found: Found) -> str | None:
    """The largest picture with the right aspect that has no more rows and columns than were asked for."""
    rows, columns = (_side(asked, name) for name in ("rows", "columns"))
    region = asked.get("region")
    shape = found.look.shape
    if region is None:
        if rows is None and columns is None:
            return None
        return _size(columns, rows)
    left, top, right, bottom = _corners(region)
    wide, high = (right - left) * shape.columns, (bottom - top) * shape.rows
    size = _size(columns, rows) if rows or columns else _size(round(wide), round(high))
    return f"{size},{left * shape.columns:f},{top * shape.rows:f},{wide:f},{high:f}"


def _size(columns: int | None, rows: int | None) -> str:
    known = columns or rows or 1
    other = min(LARGEST_SIDE, _LARGEST_AREA // max(known, 1))
    return f"{max(columns or other, 1)},{max(rows or other, 1)}"


def _side(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text) or not int(text):
        raise Invalid(f"{name} is a whole number from 1")
    return int(text)


def _corners(text: str) -> tuple[float, float, float, float]:
    """`xmin,ymin,xmax,ymax`, each a share of the whole picture (PS3.18 9.1.2)."""
    parts = text.split(",")
    if len(parts) == 4 and all(_FRACTION.fullmatch(part) for part in parts):
        left, top, right, bottom = map(float, parts)
        if left < right <= 1 and top < bottom <= 1:
            return left, top, right, bottom
    raise Invalid("region is xmin,ymin,xmax,ymax, each from 0 to 1")

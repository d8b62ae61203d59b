"""Retrieve instances, one or all of a series or study, as they were received (PS3.18 10.4.1.1)."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media, multipart
from dicomweb.calls import Call
from dicomweb.media import DICOM, Offer
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from pacs.errors import NotAcceptable, NotFound
from pacs.retrieve.deliver import Chosen
from pacs.retrieve.selection import StoredObject

MEASURED: Final = 2000
"""Up to so many instances are listed before the first is sent, for a Content-Length."""


def retrieve(call: Call) -> Response:
    chosen = call.archive.retrieve.choose(call.actor, call.wanted)
    if not chosen.count:
        raise NotFound("nothing is stored under this address")
    offer = _negotiate(call, chosen)
    if not offer.multipart:
        return _single(call, next(iter(chosen)))
    return _multiple(call, chosen)


def _negotiate(call: Call, chosen: Chosen) -> Offer:
    """An offer that holds for every transfer syntax among the instances: nothing is left out, and
    nothing is transcoded yet.

    A client that names no transfer syntax gets the stored one, although PS3.18 8.7.3.5 would have
    Explicit VR Little Endian: that is what clients that name none expect of an archive."""
    accepted = call.accepted
    single = (False,) if call.part("instance") else ()
    chosen_offers = []
    for syntax in {syntax for _, syntax in chosen.contexts}:
        offers = [Offer(DICOM, multipart=multi, transfer_syntaxes=(syntax,)) for multi in (*single, True)]
        chosen_offers.append(media.choose(accepted, offers))
    if len({offer.multipart for offer in chosen_offers}) != 1:
        raise NotAcceptable("the instances cannot all be given in one form")
    return chosen_offers[0]


def _single(call: Call, stored: StoredObject) -> Response:
    tag = answers.etag(stored.digest, call.request.url.path, "single")
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return unchanged
    return Streamed(
        Source(_chunks(call, stored)),
        media_type=_part_type(stored),
        length=stored.size,
        headers={"ETag": tag, "Content-Location": call.outside.instance(stored.key)},
        only_head=call.only_head,
    )


def _multiple(call: Call, chosen: Chosen) -> Response:
    """With a Content-Length when the instances are few enough to be listed first. The list and the
    sizes are of one moment: an instance that arrives meanwhile is not in the answer."""
    rest = iter(chosen)
    listed = list(islice(rest, MEASURED + 1))
    parts = [_part(call, stored) for stored in listed]
    boundary = multipart.boundary_of(*(stored.digest for stored in listed), call.request.url.path)
    whole = len(listed) <= MEASURED
    headers = {"Content-Location": call.outside.base + call.request.url.path}
    if whole:
        headers["ETag"] = f'"{boundary}"'
        unchanged = answers.not_modified(call, headers["ETag"])
        if unchanged is not None:
            return unchanged
    held = ExitStack()
    close = getattr(rest, "close", None)
    if close is not None:
        held.callback(close)
    return Streamed(
        Source(multipart.write(chain(parts, (_part(call, stored) for stored in rest)), boundary), held),
        media_type=answers.multipart_type(DICOM, boundary),
        length=multipart.length_of(parts, boundary) if whole else None,
        headers=headers,
        only_head=call.only_head,
    )


def _part(call: Call, stored: StoredObject) -> Part:
    return Part(_part_type(stored), stored.size, lambda: _chunks(call, stored))


def _part_type(stored: StoredObject) -> str:
    return f"{DICOM};transfer-syntax={stored.transfer_syntax}"


def _chunks(call: Call, stored: StoredObject) -> Iterator[bytes]:
    """Opened when its turn comes, closed when it is over or nobody listens any more."""
    with call.archive.retrieve.open(stored) as source:
        yield from source.chunks()

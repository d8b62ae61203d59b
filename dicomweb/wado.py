"""Retrieve instances, one or all of a series or study: as they were received, or losslessly converted to
the transfer syntax that is asked for (PS3.18 10.4.1.1)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media, multipart
from dicomweb.calls import Call
from dicomweb.media import DICOM, Offer
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from pacs.dicom import uids
from pacs.errors import NotAcceptable, NotFound
from pacs.retrieve import negotiate
from pacs.retrieve.deliver import Chosen
from pacs.retrieve.recoded import makers
from pacs.retrieve.selection import StoredObject

MEASURED: Final = 2000
"""Up to so many instances are listed before the first is sent, for a Content-Length."""


@dataclass(frozen=True, slots=True)
class _Form:
    """`given` tells the transfer syntax that goes out for one that is stored. Raises NotAcceptable."""

    multipart: bool
    given: Callable[[str], str]

    def of(self, stored: StoredObject) -> str:
        """What has no pixels is never compressed (PS3.5 A.4): a study's reports go with its images, in
        Explicit VR Little Endian."""
        wanted = self.given(stored.transfer_syntax)
        if stored.frames or wanted == stored.transfer_syntax or uids.is_native(wanted):
            return wanted
        return uids.EXPLICIT_LE


def retrieve(call: Call) -> Response:
    chosen = call.archive.retrieve.choose(call.actor, call.wanted)
    if not chosen.count:
        raise NotFound("nothing is stored under this address")
    form = _negotiate(call, chosen)
    if not form.multipart:
        return _single(call, next(iter(chosen)), form)
    return _multiple(call, chosen, form)


def _negotiate(call: Call, chosen: Chosen) -> _Form:
    """One form for all, and a transfer syntax for each one that is stored: nothing is left out.

    A client that names no transfer syntax gets the stored one, although PS3.18 8.7.3.5 would have
    Explicit VR Little Endian: that is what clients that name none expect of an archive."""
    accepted = call.accepted
    best = {
        syntax: media.choose(accepted, _offers(call, syntax))
        for syntax in {pair[1] for pair in chosen.contexts}
    }
    forms = {offer.multipart for offer in best.values()}
    if len(forms) != 1:
        raise NotAcceptable("the instances cannot all be given in one form")
    form = forms.pop()

    def given(stored: str) -> str:
        if stored not in best:  # kept in another transfer syntax since they were counted
            offers = [offer for offer in _offers(call, stored) if offer.multipart == form]
            best[stored] = media.choose(accepted, offers)
        return best[stored].transfer_syntaxes[0]

    return _Form(form, given)


def _offers(call: Call, stored: str) -> list[Offer]:
    forms = (False, True) if call.part("instance") else (True,)
    able = call.archive.retrieve.abilities
    return [
        Offer(DICOM, multipart=multi, transfer_syntaxes=(syntax,), default=default, wild=default)
        for multi in forms
        for syntax, default in (
            (stored, True),
            *((target, False) for target in negotiate.obtainable(stored, able)),
        )
    ]


def _single(call: Call, stored: StoredObject, form: _Form) -> Response:
    given = form.given(stored.transfer_syntax)
    tag = answers.etag(stored.digest, call.request.url.path, "single", *_identity(stored, given))
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return unchanged
    with ExitStack() as stack:
        opened = stack.enter_context(call.archive.retrieve.give(stored, (given,)))
        length = opened.size()
        return Streamed(
            Source(opened.part10(), stack.pop_all()),
            media_type=_part_type(opened.transfer_syntax),
            length=length,
            headers={"ETag": tag, "Content-Location": call.outside.instance(stored.key)},
            only_head=call.only_head,
        )


def _multiple(call: Call, chosen: Chosen, form: _Form) -> Response:
    """With a Content-Length when the instances are few enough to be listed first and go out as they
    are stored. The list and the sizes are of one moment: an instance that arrives meanwhile is not
    in the answer."""
    rest = iter(chosen)
    listed = list(islice(rest, MEASURED + 1))
    parts = [_part(call, stored, form) for stored in listed]
    identity = (part for stored in listed for part in (stored.digest, *_identity(stored, form.of(stored))))
    boundary = multipart.boundary_of(*identity, call.request.url.path)
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
    further = (_part(call, stored, form) for stored in rest)
    return Streamed(
        Source(multipart.write(chain(parts, further), boundary), held),
        media_type=answers.multipart_type(DICOM, boundary),
        length=multipart.length_of(parts, boundary) if whole else None,
        headers=headers,
        only_head=call.only_head,
    )


def _identity(stored: StoredObject, given: str) -> tuple[str, ...]:
    """What the bytes that go out depend on beside the stored ones."""
    return () if given == stored.transfer_syntax else (given, makers(stored.transfer_syntax, given))


def _part(call: Call, stored: StoredObject, form: _Form) -> Part:
    given = form.of(stored)
    length = stored.size if given == stored.transfer_syntax else None
    return Part(_part_type(given), length, lambda: _chunks(call, stored, given))


def _part_type(transfer_syntax: str) -> str:
    return f"{DICOM};transfer-syntax={transfer_syntax}"


def _chunks(call: Call, stored: StoredObject, given: str) -> Iterator[bytes]:
    """Opened when its turn comes, closed when it is over or nobody listens any more."""
    with call.archive.retrieve.give(stored, (given,)) as opened:
        yield from opened.part10()

"""Retrieve instances, one or all of a series or study: as a file, as parts or as a ZIP (PS3.18 10.4.1.1)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from starlette.responses import Response

from dicomweb import answers, filesets, multipart, problems, zipped
from dicomweb.calls import Call
from dicomweb.filesets import FileSet
from dicomweb.forms import Form, negotiate
from dicomweb.media import DICOM
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from dicomweb.zipped import Entry
from pacs.errors import NotAcceptable, NotFound
from pacs.retrieve.deliver import Chosen, Given, LookedUp
from pacs.retrieve.recoded import makers
from pacs.retrieve.selection import StoredObject

MEASURED: Final = 2000
"""Up to so many instances are listed before the first is sent, for a Content-Length."""
LEFT_OUT: Final = "instances that cannot be read at present were left out"


def retrieve(call: Call) -> Response:
    chosen = call.archive.retrieve.choose(call.actor, call.wanted)
    if not chosen.count:
        raise NotFound("nothing is stored under this address")
    form = negotiate(
        call.accepted,
        {pair[1] for pair in chosen.contexts},
        call.archive.retrieve.abilities,
        single=bool(call.part("instance")),
    )
    if form.type == DICOM and not form.multipart:
        return single(call, next(iter(chosen)), form)
    return _several(call, chosen, form)


def single(call: Call, stored: StoredObject, form: Form) -> Response:
    given = form.given(stored.transfer_syntax)
    tag = answers.etag(
        stored.digest, call.outside.base + call.request.url.path, "single", *_identity(stored, given)
    )
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return unchanged
    with ExitStack() as stack:
        opened = stack.enter_context(_opened(call, stored, given, form))
        return Streamed(
            Source(opened.part10(), stack.pop_all()),
            media_type=_part_type(opened.transfer_syntax),
            length=opened.size(),
            headers={"ETag": tag, "Content-Location": call.outside.instance(stored.key)},
            only_head=call.only_head,
        )


def _opened(call: Call, stored: StoredObject, given: str, form: Form) -> Given:
    """As it was negotiated; who named no transfer syntax gets what cannot be converted as it is stored."""
    try:
        return call.archive.retrieve.give(stored, (given,))
    except NotAcceptable:
        if not form.named_none:
            raise
        return call.archive.retrieve.give(stored, (stored.transfer_syntax,))


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is sent: `listed`, of one moment, and then `rest`; a stored object that is `missing` is not."""

    listed: Sequence[StoredObject]
    rest: Iterator[StoredObject]
    looked_up: LookedUp

    @property
    def missing(self) -> frozenset[str]:
        return self.looked_up.missing

    @property
    def whole(self) -> bool:
        return len(self.listed) <= MEASURED

    def __iter__(self) -> Iterator[StoredObject]:
        there = (stored for stored in self.listed if stored.key.instance not in self.missing)
        return chain(there, self.rest)


def _listed(call: Call, chosen: Chosen) -> _Listing:
    rest = iter(chosen)
    listed = tuple(islice(rest, MEASURED + 1))
    looked_up = call.archive.retrieve.look_up(listed)
    if len(looked_up.missing) == len(listed):
        raise NotFound("the stored objects cannot be read", hint="run pacs check")
    return _Listing(listed, rest, looked_up)


def _several(call: Call, chosen: Chosen, form: Form) -> Response:
    """With a Content-Length when the instances are few enough to be listed first and go out as they
    are stored. The list and the sizes are of one moment: an instance that arrives meanwhile is not
    in the answer. When some cannot be read, the others go with 206 and a word about it."""
    found = _listed(call, chosen)
    identity = [part for one in found.listed for part in (one.digest, *_identity(one, form.of(one)))]
    address = call.outside.base + call.request.url.path
    as_file_set = filesets.is_asked(call, form)
    kind = f"{form.type} {filesets.PARAMETER}" if as_file_set else form.type
    boundary = multipart.boundary_of(*identity, *sorted(found.missing), address, kind)
    headers = {"Content-Location": address}
    if found.whole and not found.missing:
        headers["ETag"] = f'"{boundary}"'
        unchanged = answers.not_modified(call, headers["ETag"])
        if unchanged is not None:
            return unchanged
    held = ExitStack()
    pieces, length, media_type = (
        _file_set(call, found, form, boundary, held) if as_file_set else _body(call, found, form, boundary)
    )
    close = getattr(found.rest, "close", None)
    if close is not None:
        held.callback(close)
    response = Streamed(
        Source(pieces, held),
        media_type=media_type,
        length=length,
        status=problems.PARTIAL if found.missing else problems.OK,
        headers=headers,
        only_head=call.only_head,
    )
    if found.missing:
        answers.warn(response, f"{len(found.missing)} {LEFT_OUT}")
    return response


def _file_set(
    call: Call, found: _Listing, form: Form, boundary: str, held: ExitStack
) -> tuple[Iterator[bytes], int | None, str]:
    directory = call.archive.retrieve.directory(f"2.25.{int(boundary[:24], 16)}")
    held.callback(directory.close)
    files = FileSet(call, lambda stored: _opened(call, stored, form.of(stored), form), directory)
    return zipped.write(files.entries(found)), None, zipped.ZIP


def _body(call: Call, found: _Listing, form: Form, boundary: str) -> tuple[Iterator[bytes], int | None, str]:
    if form.type == zipped.ZIP:
        return zipped.write(_entry(call, stored, form) for stored in found), None, zipped.ZIP
    media_type = answers.multipart_type(DICOM, boundary)
    if found.whole and all(form.of(stored) == stored.transfer_syntax for stored in found.listed):
        parts = [_stored_part(call, stored, found.looked_up) for stored in found]
        return multipart.write(parts, boundary), multipart.length_of(parts, boundary), media_type
    return multipart.write(_converted_parts(call, found, form), boundary), None, media_type


def _identity(stored: StoredObject, given: str) -> tuple[str, ...]:
    """What the bytes that go out depend on beside the stored ones."""
    return () if given == stored.transfer_syntax else (given, makers(stored.transfer_syntax, given))


def _stored_part(call: Call, stored: StoredObject, found: LookedUp) -> Part:
    """Opened when its turn comes, closed when it is over or nobody listens any more."""

    def chunks() -> Iterator[bytes]:
        with call.archive.retrieve.give(stored, (stored.transfer_syntax,), found) as opened:
            yield from opened.part10()

    return Part(_part_type(stored.transfer_syntax), stored.size, chunks)


def _converted_parts(call: Call, found: _Listing, form: Form) -> Iterator[Part]:
    """Each is opened before its header is written, which tells what has become of it."""
    for stored in found:
        with _opened(call, stored, form.of(stored), form) as opened:
            yield Part(_part_type(opened.transfer_syntax), None, opened.part10)


def _entry(call: Call, stored: StoredObject, form: Form) -> Entry:
    def chunks() -> Iterator[bytes]:
        with _opened(call, stored, form.of(stored), form) as opened:
            yield from opened.part10()

    size = stored.size if form.of(stored) == stored.transfer_syntax else None
    return Entry(f"{stored.key.series}/{stored.key.instance}.dcm", size, chunks)


def _part_type(transfer_syntax: str) -> str:
    return f"{DICOM};transfer-syntax={transfer_syntax}"

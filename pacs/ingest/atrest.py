"""Files that the archive keeps in another form than it received them in."""

import os
from dataclasses import replace

from pacs import log
from pacs.dicom.header import FileMeta
from pacs.errors import Conflict, Invalid
from pacs.index.entry import Entry, Origin
from pacs.ingest.examine import Expected, examine, file_meta
from pacs.pixels import part10
from pacs.pixels.received import Received, bring_back
from pacs.store.disk import DiskBlob, mapped
from pacs.store.spool import Spool, Spooled

_log = log.get(__name__)


def examine_at_rest(spool: Spool, stored: Spooled) -> Entry:
    """The index entry of a file of the store. Raises Broken.

    What a recompressed file says of its former form is believed once that form has come back from
    it, digest and all; the entry describes the object as that form did, when it arrived."""
    meta, _ = file_meta(stored)
    at_rest = examine(stored, meta, Expected())
    try:
        received = Received.of(_prefix(stored, meta))
        if received is None:
            return at_rest
        return _as_received(spool, stored, at_rest, received)
    except (Invalid, Conflict) as error:
        _log.error("a recompressed file is taken as it is: %s", error)
        return at_rest


def _as_received(spool: Spool, stored: Spooled, at_rest: Entry, received: Received) -> Entry:
    with spool.create() as back:
        with DiskBlob(os.dup(stored.fileno())) as blob:
            for chunk in bring_back(mapped(blob.fileno()), blob.pread, received):
                back.write(chunk)
        back.received_ns = stored.received_ns
        back.seal()
        entry = examine(back, file_meta(back)[0], Expected())
    return replace(
        entry,
        transfer_syntax=at_rest.transfer_syntax,
        size=at_rest.size,
        dataset_offset=at_rest.dataset_offset,
        digest=at_rest.digest,
        prefix_digest=at_rest.prefix_digest,
        n_frames=at_rest.n_frames,
        frames=at_rest.frames,
        origin=Origin(received.digest, received.transfer_syntax, received.size),
    )


def has_note(spooled: Spooled, meta: FileMeta) -> bool:
    """Whether an arriving file was kept in another form by the archive it comes from."""
    return part10.may_have_note(prefix := _prefix(spooled, meta)) and part10.note_of(prefix) is not None


def without_note(spool: Spool, spooled: Spooled, meta: FileMeta) -> Spooled:
    """The arriving file without the note: what another archive received is not what we receive, and
    a note in our store must be our own."""
    whole = spool.create()
    try:
        whole.begin(part10.with_syntax(_prefix(spooled, meta), meta.transfer_syntax))
        for chunk in spooled.chunks(meta.dataset_offset):
            whole.write(chunk)
    except BaseException:
        whole.discard()
        raise
    return whole


def _prefix(spooled: Spooled, meta: FileMeta) -> bytes:
    if len(spooled.prefix) == meta.dataset_offset:
        return spooled.prefix
    return os.pread(spooled.fileno(), meta.dataset_offset, 0)

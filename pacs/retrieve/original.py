"""Objects that are kept in another form than they were received in, as they were received.

Who chose an object before it was recompressed gets the very file that was chosen."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from pacs.db.connection import Database
from pacs.errors import Conflict, Invalid
from pacs.index import recompressions
from pacs.pixels import received
from pacs.pixels.frames import PIXEL_DATA
from pacs.pixels.received import Received
from pacs.retrieve.selection import StoredObject
from pacs.store.disk import DiskBlob, mapped
from pacs.store.reader import ColdBlob
from pacs.store.spool import translated


class Originals:
    """`find` opens the file of an instance whose bytes at rest have a digest; `scratch` is a folder for
    files without a name. Thread-safe."""

    def __init__(self, db: Database, find: Callable[[str, str], DiskBlob | ColdBlob], scratch: Path) -> None:
        self._db = db
        self._find = find
        self._scratch = scratch

    def chosen_before(self, stored: StoredObject) -> DiskBlob | None:
        """The file of an object that was recompressed since it was chosen; None when it was not."""
        uid = stored.key.instance
        with self._db.read() as tx:
            digest = recompressions.kept_as(tx, uid, stored.digest)
        if digest is None:
            return None
        with self._find(uid, digest) as kept:
            return self._brought_back(kept, _note(kept))

    def is_form_of(self, now: StoredObject, former: StoredObject) -> bool:
        """Whether what is stored now is the same object, recompressed."""
        with self._db.read() as tx:
            return recompressions.kept_as(tx, now.key.instance, former.digest) == now.digest

    def of(
        self, stored: StoredObject, accepted: Collection[str] | None = None
    ) -> tuple[StoredObject, DiskBlob] | None:
        """The object as it was received; None when that is what is stored, or when the transfer syntax
        of then is not accepted."""
        uid = stored.key.instance
        with self._db.read() as tx:
            syntax = recompressions.received_as(tx, uid, stored.digest)
        if not syntax or (accepted is not None and syntax not in accepted):
            return None
        with self._find(uid, stored.digest) as kept:
            note = _note(kept)
            former = replace(
                stored,
                transfer_syntax=syntax,
                size=note.size,
                dataset_offset=len(note.prefix),
                digest=note.digest,
            )
            return former, self._brought_back(kept, note)

    def _brought_back(self, kept: DiskBlob | ColdBlob, note: Received) -> DiskBlob:
        """In a file of its own, read and found right before anybody sees it. Raises Conflict,
        Unavailable."""
        with translated():
            fd = os.open(self._scratch, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as out:
                for chunk in received.bring_back(mapped(kept.fileno()), kept.pread, note):
                    out.write(chunk)
                out.flush()
                return DiskBlob(os.dup(fd))


def _note(kept: DiskBlob | ColdBlob) -> Received:
    try:
        note = received.of_file(mapped(kept.fileno()))
    except Invalid as error:
        raise Conflict("a recompressed file no longer says what it was", hint="run pacs check") from error
    if note is None:
        raise Conflict("a recompressed file no longer says what it was", hint="run pacs check")
    return note


def is_value_of_pixels(path: str) -> bool:
    """Whether a bulk data path names the pixel data itself, which recompression changes."""
    return path.upper() == f"{PIXEL_DATA:08X}"

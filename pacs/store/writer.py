"""Give a spooled object its place in the hot tier, durably. Only ingest may."""

import os
import threading
from contextlib import suppress
from pathlib import Path

from pacs.db.connection import Database
from pacs.dicom.uids import InstanceKey
from pacs.errors import Unavailable
from pacs.store import layout, locations
from pacs.store.disk import DiskStore
from pacs.store.spool import Spooled, translated

_KNOWN_FOLDERS = 4096


class Writer:
    """With `durable`, what `put` returned survives a power cut: data and folder entries are synced."""

    def __init__(self, store: DiskStore, *, durable: bool) -> None:
        self._store = store
        self._durable = durable
        self._synced: set[Path] = set()
        self._lock = threading.Lock()

    def put(self, spooled: Spooled, key: InstanceKey) -> str:
        """Link the spooled file into the tree and return its key there.

        A hard link, not a rename: the spool's own link stays until the index row is committed and
        tells a later process what was under way. Raises Unavailable when the disk is full or fails.
        """
        relative = layout.folder(key, spooled.received_ns)
        with translated():
            if self._durable:
                os.fdatasync(spooled.fileno())
            return self._link(spooled.path, relative, key)

    def _link(self, source: Path, relative: str, key: InstanceKey) -> str:
        folder = self._store.root / relative
        for name in layout.names(key):
            self._make(folder)
            try:
                os.link(source, folder / name)
            except FileExistsError:
                continue
            if self._durable:
                _sync(folder)
            return f"{relative}/{name}"
        raise AssertionError("unreachable")

    def _make(self, folder: Path) -> None:
        """Create the folder; a new entry is durable once its parent is synced."""
        with self._lock:
            if folder in self._synced:
                return
        folder.mkdir(parents=True, exist_ok=True)
        if self._durable:
            # Whoever made an entry may not have synced it yet, so each process syncs it once itself.
            for entry in (folder, *folder.parents):
                if entry == self._store.root:
                    break
                with self._lock:
                    if entry in self._synced:
                        continue
                _sync(entry.parent)
                with self._lock:
                    self._synced.add(entry)
        with self._lock:
            if len(self._synced) >= _KNOWN_FOLDERS:
                self._synced.clear()
            self._synced.add(folder)


def withdraw(db: Database, store: DiskStore, key: str, spooled: Spooled) -> None:
    """Take a file back that `put` placed, unless its commit went through after all and only the answer
    was lost.

    While the index cannot say, the spool keeps its link and the next start decides."""
    try:
        with db.read() as tx:
            recorded = locations.is_recorded(tx, layout.HOT, key)
    except Unavailable:
        spooled.retain()
        return
    if not recorded:
        store.remove(key)


def quarantine(store: DiskStore, spooled: Spooled, *, durable: bool) -> str:
    """Keep the bytes of a refused object for the administrator and return their key."""
    relative = f"{layout.day(spooled.received_ns)}/{spooled.path.name}{layout.SUFFIX}"
    target = store.root / relative
    with translated():
        target.parent.mkdir(parents=True, exist_ok=True)
        if durable:
            os.fdatasync(spooled.fileno())
        with suppress(FileExistsError):  # a dead process had come this far
            os.link(spooled.path, target)
        if durable:
            _sync(target.parent)
    return relative


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

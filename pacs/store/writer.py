"""Give a spooled object its place in the hot tier, durably. Only ingest may.

A place costs the disk's answer to three questions: are the bytes there, is their name in the folder,
is the row in the index. `put` waits for the first two. `place` waits for the first alone, of the spooled
file: that stays until the rest is durable, too (`ingest.pending`), and a start after a power cut finds it.
"""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pacs.db.connection import Database
from pacs.dicom.uids import InstanceKey
from pacs.errors import Unavailable
from pacs.store import filesystem, layout, locations
from pacs.store.disk import DiskStore
from pacs.store.folder import sync_folder
from pacs.store.spool import Spooled, translated

_KNOWN_FOLDERS = 4096
_FEW = 8  # folders to sync one by one, where each new one has new ones above it


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
            placed = self._link(spooled.place, relative, key)
        if self._durable:
            self.sync([placed])
        return placed

    def place(
        self,
        spooled: Spooled,
        key: InstanceKey,
        *,
        only_new: bool = False,
        taken: Callable[[str], bool] = lambda _: False,
    ) -> str:
        """As `put`, but what a power cut leaves for certain is the spooled file, marked with what its
        bytes must be, and with `only_new`, if it may take nothing's place. Keep that until `sync` has
        been called for the key. A key that is `taken` is not given.

        Raises Unavailable when the disk is full or fails."""
        spooled.mark(only_new=only_new)
        with translated():
            # Not fdatasync: the new name belongs to what must be there.
            os.fsync(spooled.fileno())
            folder = os.path.dirname(spooled.place)
            if not filesystem.syncs_names(folder):
                sync_folder(folder)
            return self._link(spooled.place, layout.folder(key, spooled.received_ns), key, taken)

    def link(self, spooled: Spooled, key: str) -> None:
        """Give a file the place that the index says it has. Raises Unavailable."""
        target = self._store.path(key)
        with translated(), suppress(FileExistsError):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(spooled.place, target)

    def sync(self, keys: Iterable[str]) -> None:
        """Make the names of these places durable. Raises Unavailable."""
        wanted = {key.rpartition("/")[0] for key in keys}
        with translated():
            root = self._store.root
            if (wanted and filesystem.keeps_order(root)) or (len(wanted) > _FEW and filesystem.sync(root)):
                os.utime(root)  # the newest change: what came before it is as durable as it is
                sync_folder(root)
                return
            for relative in wanted:
                folder = self._store.path(relative)
                with suppress(FileNotFoundError):  # gone with all that was in it
                    self._sync_parents(folder)
                    sync_folder(folder)

    def release(self, links: Iterable[str]) -> None:
        """Remove links of the spool that are not needed any more. One that came back after its object
        was purged would bring that back, too. Raises Unavailable."""
        folders = set()
        for path in links:
            with suppress(OSError):  # a start comes upon it again
                os.unlink(path)
                folders.add(os.path.dirname(path))
        for folder in folders:
            if self._durable and not filesystem.keeps_order(folder):
                with translated(), suppress(FileNotFoundError):
                    sync_folder(folder)

    def _link(
        self, source: str, relative: str, key: InstanceKey, taken: Callable[[str], bool] = lambda _: False
    ) -> str:
        folder = f"{self._store.root}/{relative}"
        for name in layout.names(key):
            if taken(f"{relative}/{name}"):
                continue
            try:
                _link_into(folder, source, name)
            except FileExistsError:
                continue
            return f"{relative}/{name}"
        raise AssertionError("unreachable")

    def _sync_parents(self, folder: Path) -> None:
        """A new folder is durable once its parent is synced. Whoever made it may not have done that yet,
        so each process does it once itself."""
        for entry in (folder, *folder.parents):
            if entry == self._store.root:
                break
            with self._lock:
                if entry in self._synced:
                    continue
            sync_folder(entry.parent)
            with self._lock:
                if len(self._synced) >= _KNOWN_FOLDERS:
                    self._synced.clear()
                self._synced.add(entry)


def _link_into(folder: str, source: str, name: str) -> None:
    """Mostly the folder is there."""
    try:
        os.link(source, f"{folder}/{name}")
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        os.link(source, f"{folder}/{name}")


def withdraw(db: Database, store: DiskStore, key: str, spooled: Spooled) -> bool | None:
    """Take a file back that `put` placed, unless its commit went through after all and only the answer
    was lost: then this is True.

    While the index cannot say, which is None, the spool keeps its link and the next start decides."""
    try:
        with db.read() as tx:
            recorded = locations.is_recorded(tx, layout.HOT, key)
    except Unavailable:
        spooled.retain()
        return None
    if not recorded:
        store.remove(key)
    return recorded


def quarantine(store: DiskStore, spooled: Spooled, *, durable: bool) -> str:
    """Keep the bytes of a refused object for the administrator and return their key."""
    relative = quarantine_key(spooled)
    target = store.root / relative
    with translated():
        target.parent.mkdir(parents=True, exist_ok=True)
        if durable:
            os.fdatasync(spooled.fileno())
        with suppress(FileExistsError):  # a dead process had come this far
            os.link(spooled.place, target)
        if durable:
            sync_folder(target.parent)
    return relative


def quarantine_key(spooled: Spooled) -> str:
    return f"{layout.day(spooled.received_ns)}/{spooled.name}{layout.SUFFIX}"

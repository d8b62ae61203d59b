"""Remove hot files whose rows are gone. The note that asked for it outlives a crash; whoever comes
next goes on."""

from pacs import clock
from pacs.db.connection import Database, Transaction
from pacs.store import layout, locations, packs
from pacs.store.disk import DiskStore
from pacs.store.folder import sync_folder


class Evictor:
    """Any number of them may be at work."""

    def __init__(self, db: Database, hot: DiskStore, *, durable: bool = True) -> None:
        self._db = db
        self._hot = hot
        self._durable = durable

    def finish(self) -> int:
        """Remove those that are due; returns how many were. Raises Unavailable."""
        return sum(self._finish(key) for key in packs.evicting(self._db, clock.now_ns()))

    def _finish(self, key: str) -> bool:
        return self._db.transact(
            lambda tx: packs.finish_eviction(tx, key, lambda: self._remove_unless_recorded(tx, key))
        )

    def _remove_unless_recorded(self, tx: Transaction, key: str) -> bool:
        """Whether the note has done its work. The order matters: a file that ingest has just put
        under this name has a second link until it is recorded, so one with a single link that is
        then not recorded is the one that was evicted."""
        path = self._hot.path(key)
        try:
            links = path.stat().st_nlink
        except FileNotFoundError:
            return True
        if links > 1:
            return False
        if locations.is_recorded(tx, layout.HOT, key):
            return True
        path.unlink()
        if self._durable:
            sync_folder(path.parent)
        return True

"""Packs in which nothing is wanted any more go from the cold tier."""

import secrets
from collections.abc import Iterable
from typing import Final

from pacs import clock, log
from pacs.db.connection import Database, Transaction
from pacs.store import packs, trashed
from pacs.store.blobs import BlobStore

_CLAIM: Final = 120 * 10**9  # ns a claim holds: so long a killed process keeps others waiting
_log = log.get(__name__)


class Collector:
    """Any number of them may be at work."""

    def __init__(self, db: Database, cold: BlobStore) -> None:
        self._db = db
        self._cold = cold
        self._me = secrets.token_hex(8)

    def collect(self, keys: Iterable[str]) -> int:
        """Remove those of the packs that nobody wants; returns how many. Raises Unavailable.

        The pack goes first and its row after it: a crash in between leaves a row to begin with again."""
        return sum(self._collect(key) for key in keys)

    def _collect(self, key: str) -> bool:
        now = clock.now_ns()
        if not self._db.transact(lambda tx: packs.claim_unwanted(tx, key, self._me, now, now + _CLAIM)):
            return False
        self._cold.delete(key)

        def forget(tx: Transaction) -> None:
            trashed.forget_pack(tx, key)
            packs.forget(tx, key)

        self._db.transact(forget)
        _log.info("a pack in which nothing is wanted any more was removed")
        return True

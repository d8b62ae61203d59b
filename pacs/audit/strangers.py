"""Callers who were turned away, written down without letting them fill the disk."""

import threading
from collections import OrderedDict
from typing import Final

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.db.connection import Database

_WINDOW: Final = 60.0  # seconds in which the same caller is written down once
_REMEMBERED: Final = 1_000  # callers; a flood of invented ones beyond it is written down once a window
_MANY: Final = ("", "")


class Strangers:
    """Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, channel: str, name: str, origin: str, reason: str) -> None:
        """`name` is what the caller gave for one, e.g. an AE title; empty when there was none."""
        if not self._is_due((name, origin)):
            return
        who = Actor(name[:64], frozenset(), origin, channel)
        with self._db.write() as tx:
            record(tx, who, "enter", outcome="refused", detail=reason)

    def _is_due(self, caller: tuple[str, str]) -> bool:
        now = clock.monotonic()
        with self._lock:
            while self._until and next(iter(self._until.values())) <= now:
                self._until.popitem(last=False)
            if caller not in self._until and len(self._until) >= _REMEMBERED:
                caller = _MANY
            if caller in self._until:
                return False
            self._until[caller] = now + _WINDOW
            return True

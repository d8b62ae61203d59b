"""What the index said a moment ago, for as long as nothing has been committed to it since."""

from collections import OrderedDict
from threading import Lock
from typing import Final, Generic, TypeVar

from pacs.db.changes import Version

K = TypeVar("K")
V = TypeVar("V")
_KEPT: Final = 4096


class Lately(Generic[K, V]):
    """Thread-safe and bounded: the answers asked for last."""

    def __init__(self) -> None:
        self._known: OrderedDict[K, tuple[Version, V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K, version: Version | None) -> V | None:
        """The answer, if it still stands at this version of the index."""
        with self._lock:
            known = self._known.get(key)
            if known is None or known[0] != version:
                return None
            self._known.move_to_end(key)
            return known[1]

    def keep(self, key: K, version: Version | None, answer: V) -> None:
        """`version` is that of before the question was asked."""
        if version is None:
            return
        with self._lock:
            self._known[key] = version, answer
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

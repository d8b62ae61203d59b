"""Whose turn it is to write to SQLite.

SQLite has one writer at a time, and those who wait poll with growing pauses (up to 100 ms). A lock
that the kernel keeps wakes the next one at once, between threads and between processes, and is let
go when a process dies.
"""

import fcntl
import os
import threading
from pathlib import Path
from time import monotonic, sleep
from typing import Final

_LONG_S: Final = 0.002
_COURTESY_S: Final = 0.001


class Turn:
    """`with turn: ...`; the lock file stands beside the database."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._threads = threading.Lock()
        self._since = 0.0

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._since = monotonic()
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            if monotonic() - self._since > _LONG_S:
                # The kernel wakes who waits and gives the lock to whoever is first: that would be the next
                # thread of this process, again and again.
                sleep(_COURTESY_S)
        finally:
            self._threads.release()

    def close(self) -> None:
        os.close(self._fd)

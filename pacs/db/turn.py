"""Whose turn it is to write to SQLite.

SQLite has one writer at a time, and those who wait poll with growing pauses (up to 100 ms). A lock
that the kernel keeps wakes the next one at once, between threads and between processes, and is let
go when a process dies.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turn:
    """`with turn.taken(): ...`; the lock file stands beside the database."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._threads = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)

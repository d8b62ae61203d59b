"""SQLite's journal (WAL), synced apart from the commits that do not wait for it.

The kernel tells of bytes that it could not write once to each open descriptor, and takes them for written
from then on: asking again would be told that all is well. So the descriptor is opened before the first of
these commits and kept, and a journal that could not be synced once is not believed again, whoever asks,
until all of it has been written elsewhere.
"""

import os
import threading
from pathlib import Path

from pacs.errors import Unavailable


class Journal:
    """Thread-safe; one per process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._changing = threading.Lock()
        self.is_damaged = False

    def watch(self) -> None:
        """To be called before anything is committed that `sync` is to make durable."""
        if self._fd < 0:
            with self._changing:
                self._open()

    def sync(self) -> None:
        """Raises Unavailable."""
        with self._changing:
            if self._fd >= 0 and not self._is_current():
                self._close()  # it was written back to the database, and that was synced
            self._open()
            if self._fd < 0:
                return
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                self.is_damaged = True
                raise Unavailable(
                    f"the index's journal cannot be synced: {error.strerror}", hint="look at its disk"
                ) from error

    def trust(self) -> None:
        """Nothing that is needed is in it any more."""
        with self._changing:
            self._close()
            self.is_damaged = False

    def close(self) -> None:
        with self._changing:
            self._close()

    def _open(self) -> None:
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), self._path.stat())
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

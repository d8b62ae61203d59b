"""Whether anything has been committed to a SQLite database: what was read before is true until then."""

import sqlite3
import threading
from contextlib import suppress

Version = tuple[int, int]
_ASK = "PRAGMA data_version"


class Changes:
    """A connection that only listens: SQLite tells it of the commits of all others, in any process, from
    the memory that they share. Thread-safe."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened_times = 0  # another connection counts anew
        self._closed = False

    def version(self) -> Version | None:
        """None while it cannot be told."""
        with self._lock:
            try:
                (version,) = self._opened().execute(_ASK).fetchone()
            except sqlite3.Error:
                self._forget()
                return None
            return self._opened_times, version

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._forget()

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("closed")
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._database, timeout=0, isolation_level=None, check_same_thread=False
            )
            self._opened_times += 1
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

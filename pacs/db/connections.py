"""Connections for one transaction after the other."""

import threading
from contextlib import suppress
from typing import Any, Final, Protocol

import sqlalchemy as sa

from pacs.errors import Unavailable

_MOST: Final = 20  # in use at a time; a PostgreSQL admits about a hundred to all processes together
_KEPT: Final = 8  # of those that nobody uses
_PATIENCE_S: Final = 30


class Connections(Protocol):
    """What is taken must be given back, its transaction over. Thread-safe."""

    def take(self) -> sa.Connection:
        """Raises Unavailable when all are in use for long."""

    def give(self, connection: sa.Connection) -> None: ...

    def close(self) -> None:
        """Those that nobody uses at once, the others when they are given back."""


class Pooled:
    """SQLAlchemy's own pool, which looks whether the server is still there."""

    OPTIONS: Final[dict[str, Any]] = {
        "pool_size": _KEPT,
        "max_overflow": _MOST - _KEPT,
        "pool_timeout": _PATIENCE_S,
        "pool_pre_ping": True,
    }

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._closed = False

    def take(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa.exc.TimeoutError as error:
            raise _none_left() from error

    def give(self, connection: sa.Connection) -> None:
        if self._closed:  # the pool that it would go back to is no more
            connection.invalidate()
        connection.close()

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()


class Kept:
    """For a database that is a file: SQLAlchemy's connections themselves are kept. To make one anew and to
    get it from a pool takes longer than a small transaction does."""

    OPTIONS: Final[dict[str, Any]] = {"poolclass": sa.NullPool}

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(_MOST)
        self._idle: list[sa.Connection] = []
        self._closed = False

    def take(self) -> sa.Connection:
        if not self._places.acquire(timeout=_PATIENCE_S):
            raise _none_left()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._engine.connect()
        except BaseException:
            self._places.release()
            raise

    def give(self, connection: sa.Connection) -> None:
        try:
            if len(self._idle) < _KEPT and not self._closed and _is_as_new(connection):
                self._idle.append(connection)
                if self._closed:  # by another thread, a moment ago
                    self._close_idle()
            else:
                connection.close()
        finally:
            self._places.release()

    def close(self) -> None:
        self._closed = True
        self._close_idle()
        self._engine.dispose()

    def _close_idle(self) -> None:
        with suppress(IndexError):  # somebody may still take one
            while True:
                self._idle.pop().close()


def _is_as_new(connection: sa.Connection) -> bool:
    if connection.closed or connection.invalidated or connection.in_transaction():
        return False
    raw: Any = connection.connection.dbapi_connection
    return not raw.in_transaction  # one whose end the disk refused


def _none_left() -> Unavailable:
    return Unavailable("the index is busy", hint="try again; every connection of this process is in use")

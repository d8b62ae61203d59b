"""The database connection: SQLite (WAL) embedded, PostgreSQL by URL; the same calls for both."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from pacs import log
from pacs.db import sqlite
from pacs.db.changes import Changes, Version
from pacs.db.connections import Connections, Kept, Pooled
from pacs.db.interrupt import watched
from pacs.db.journal import Journal
from pacs.db.prepared import translated
from pacs.db.turn import Turn
from pacs.errors import Invalid, Unavailable

_log = log.get(__name__)
T = TypeVar("T")
Transaction = sa.Connection  # what rooms without SQL of their own hand around

_RETRIES = 8
_PAGE = 500
# deadlock, serialization failure, lock not available; and a row that was about to be referred to, or
# to go, when another transaction did the opposite (the last study of a patient goes, another comes)
_PG_RETRYABLE = {"40P01", "40001", "55P03", "23503"}


class Database:
    """`read()` gives a snapshot, `write()` a transaction that commits when the block ends well."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self._url = _parse(url)
        self.dialect = self._url.get_backend_name()
        # Taken before a connection: who waits for it must not hold one that others could read with.
        self._turn: Turn | nullcontext[None] = nullcontext()
        self._journal: Journal | None = None
        self._connections: Connections
        if self.dialect == "sqlite":
            self._turn = Turn(Path(f"{self._url.database}-turn"))
            self._journal = Journal(Path(f"{self._url.database}-wal")) if durable else None
            self._engine = sa.create_engine(self._url, **Kept.OPTIONS)
            self._connections = Kept(self._engine)
            self._begin: Callable[[sa.Connection, bool], None] = sqlite.beginner(durable=durable)
            sqlite.tune(self._engine)
        else:
            self._engine = sa.create_engine(self._url, **Pooled.OPTIONS)
            self._connections = Pooled(self._engine)
            self._begin = _begin
            listener = _pg_synchronous_commit if durable else _pg_asynchronous_commit
            event.listen(self._engine, "connect", listener)
        self._changes = (
            Changes(self._url.database) if self.dialect == "sqlite" and self._url.database else None
        )

    @property
    def engine(self) -> sa.Engine:
        return self._engine

    @contextmanager
    def read(self, stop: Callable[[], bool] | None = None) -> Iterator[sa.Connection]:
        """A read-only snapshot. `stop` is asked by another thread, now and then, whether to give up a
        statement that takes long. Raises Unavailable when the database is away, and Interrupted."""
        with self._translated(), self._taken() as connection:
            try:
                with watched(connection.connection.dbapi_connection, stop) if stop else nullcontext():
                    yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction. Raises Unavailable when the database is away, full or locked."""
        with self._translated(), self._transaction() as connection:
            yield connection

    def transact(self, work: Callable[[sa.Connection], T], *, later: bool = False) -> T:
        """Run `work` in one transaction, again when the database chose it as a deadlock's victim.

        `work` must be safe to repeat: what it did was rolled back. With `later` the rows may be durable
        only once `flush` or another transaction has returned: SQLite then does not wait for the disk.
        """
        if later and self._journal is not None:
            self._journal.watch()
        for attempt in range(_RETRIES):
            try:
                with self._transaction(later=later) as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _retryable(error) or attempt == _RETRIES - 1:
                    raise _translate(error) from error
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def flush(self) -> None:
        """Make every committed row durable. Raises Unavailable."""
        if self._journal is None:
            return
        if self._journal.is_damaged:
            self._write_back()
            self._journal.trust()
        else:
            self._journal.sync()

    def _write_back(self) -> None:
        """All that is in the journal to the database file, and that to the disk. Raises Unavailable."""
        with self._translated(), self._turn:
            connection = self._engine.connect()
            try:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA busy_timeout = 1000")
                raw.execute("PRAGMA synchronous = FULL")
                _, pages, written = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise translated(connection, "PRAGMA wal_checkpoint", error) from error
            finally:
                connection.close()  # for good: it is set up otherwise than the others now
        if pages != written:
            raise Unavailable("the index's journal is being read", hint="it is tried again")

    def version(self) -> Version | None:
        """Another one after every commit by whomever, and the same as long as there is none; None where
        only a query could tell. Takes microseconds and waits for nobody."""
        return self._changes.version() if self._changes else None

    def close(self) -> None:
        if self._changes:
            self._changes.close()
        if self._journal is not None:
            self._journal.close()
        self._connections.close()
        if isinstance(self._turn, Turn):
            self._turn.close()

    @contextmanager
    def _transaction(self, *, later: bool = False) -> Iterator[sa.Connection]:
        with self._turn, self._taken() as connection:
            self._begin(connection, later)
            try:
                yield connection
                check(connection)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def _taken(self) -> Iterator[sa.Connection]:
        connection = self._connections.take()
        try:
            yield connection
        finally:
            self._connections.give(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _translate(error) from error


def check(tx: Transaction) -> None:
    """Raises Unavailable when the database has given up the transaction by itself, as SQLite does when its
    disk is full or fails, whatever savepoints there are: what was written is gone, and what would still be
    written would stay alone. For who catches the error of a statement and goes on."""
    if tx.dialect.name == "sqlite" and tx.in_transaction():
        raw: Any = tx.connection.dbapi_connection
        if not raw.in_transaction:
            raise Unavailable(
                "the index could not be written", hint="look at the disk of the data folder, then try again"
            )


def paged(db: Database, query: "sa.Select[Any]", identity: "sa.Column[Any]") -> Iterator[Any]:
    """Rows by ascending `identity` (selected as `id`), a bounded number at a time, each piece in a
    transaction of its own."""
    last = 0
    while True:
        with db.read() as tx:
            rows = tx.execute(query.where(identity > last).order_by(identity).limit(_PAGE)).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def sqlite_url(path: Path) -> str:
    return f"{sqlite.DRIVER}:///{path}"


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise Invalid(
            "the index URL cannot be read",
            hint="write it as postgresql://user:password@host:5432/database or leave it empty for SQLite",
        ) from error
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise Invalid("an index in memory would be lost", hint="leave [index] url empty, or name a file")
        if str(parsed.database).startswith("file:") or "uri" in parsed.query:
            raise Invalid(
                "the index of SQLite is named by its path alone",
                hint="write it as sqlite:////srv/index.db, without file: and uri=",
            )
        return parsed.set(drivername=sqlite.DRIVER)
    raise Invalid(f"no index on {backend}", hint="use postgresql://... or leave [index] url empty for SQLite")


def _begin(connection: sa.Connection, _later: bool) -> None:  # noqa: FBT001 - as for SQLite
    connection.begin()


def _pg_synchronous_commit(raw: Any, _record: Any) -> None:
    """Whatever the server's own setting: a commit that returned is durable. Stricter ones are left."""
    with raw.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    raw.commit()


def _pg_asynchronous_commit(raw: Any, _record: Any) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    raw.commit()


def _retryable(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state in _PG_RETRYABLE or "database is locked" in str(error.orig)


def _translate(error: DBAPIError) -> Exception:
    """Away, full and locked are Unavailable; anything else is our own mistake and stays itself."""
    if isinstance(error, OperationalError) or error.connection_invalidated or _retryable(error):
        _log.error("index: %s", type(error.orig).__name__)
        return Unavailable(
            "the index cannot be reached", hint="try again; an administrator should look at the database"
        )
    return error

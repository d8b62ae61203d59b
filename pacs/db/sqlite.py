"""How SQLite is spoken to: what a connection is set to, and how its transactions begin."""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from pacs.db.prepared import translated

DRIVER: Final = "sqlite+hilum"
_SYNCHRONOUS: Final = "synchronous"  # what a connection is set to
_CHECKPOINT_PAGES: Final = 4000  # 16 MB of journal: writing it back costs whoever's commit it falls upon


class Dialect(SQLiteDialect_pysqlite):
    """The driver begins no transaction by itself; SQLAlchemy's event for it costs more than BEGIN does."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        raw = dbapi_connection.dbapi_connection
        if not raw.in_transaction:
            raw.execute("BEGIN")


registry.register("sqlite.hilum", __name__, Dialect.__name__)


def tune(engine: sa.Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the dialect says BEGIN, not the driver
        cursor = raw.cursor()
        cursor.execute("PRAGMA busy_timeout = 60000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA case_sensitive_like = ON")
        cursor.execute("PRAGMA cache_size = -16384")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()


def beginner(*, durable: bool) -> Callable[[sa.Connection, bool], None]:
    """What begins a transaction that writes. A deferred one that reads first and writes later fails at once
    when another wrote in between, however long the busy time-out is."""

    def begin(connection: sa.Connection, later: bool) -> None:  # noqa: FBT001 - as `transact` has it
        raw: Any = connection.connection.dbapi_connection
        # In WAL mode NORMAL may lose the last commits at a power cut; FULL never does.
        wanted = "FULL" if durable and not later else "NORMAL"
        try:
            if connection.info.get(_SYNCHRONOUS) != wanted:
                raw.execute(f"PRAGMA synchronous = {wanted}")
                connection.info[_SYNCHRONOUS] = wanted
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translated(connection, "BEGIN IMMEDIATE", error) from error
        connection.begin()

    return begin

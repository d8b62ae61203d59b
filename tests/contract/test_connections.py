"""Connections go from one transaction to the next, bounded and clean."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs.db import connections
from pacs.db.connection import Database, sqlite_url
from pacs.errors import Unavailable

TABLE = sa.table("things", sa.column("a", sa.Integer))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(sqlite_url(tmp_path / "index.db"))
    with database.write() as tx:
        tx.execute(sa.text("CREATE TABLE things (a INTEGER)"))
    yield database
    database.close()


def count(db: Database) -> int:
    with db.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(TABLE)).scalar_one()


def open_files() -> set[Path]:
    return {link.readlink() for link in Path("/proc/self/fd").iterdir() if os.path.lexists(link)}


def test_who_comes_when_all_are_in_use_waits_for_one(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [db._connections.take() for _ in range(20)]
    monkeypatch.setattr(connections, "_PATIENCE_S", 0.05)
    with pytest.raises(Unavailable, match="busy"):
        count(db)
    monkeypatch.setattr(connections, "_PATIENCE_S", 30)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(count(db)))
    waiting.start()
    db._connections.give(taken.pop())
    waiting.join(10)
    assert found == [0]
    for one in taken:
        db._connections.give(one)


def test_few_are_kept_when_nobody_uses_them(db: Database, tmp_path: Path) -> None:
    taken = [db._connections.take() for _ in range(20)]
    for one in taken:
        db._connections.give(one)
    again = [db._connections.take() for _ in range(20)]
    assert sum(one in taken for one in again) == 8
    for one in again:
        db._connections.give(one)
    db._connections.close()
    assert tmp_path / "index.db" not in open_files()


def test_a_transaction_that_has_not_ended_ends_with_its_connection(db: Database) -> None:
    connection = db._connections.take()
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO things VALUES (1)")
    db._connections.give(connection)
    assert count(db) == 0
    with db.write() as tx:
        tx.execute(sa.insert(TABLE).values(a=2))
    assert count(db) == 1


def test_a_failure_leaves_nothing_for_the_next(db: Database) -> None:
    def fail(tx: sa.Connection) -> None:
        tx.execute(sa.insert(TABLE).values(a=1))
        raise ValueError("no")

    for _ in range(25):
        with pytest.raises(ValueError, match="no"):
            db.transact(fail)
    db.transact(lambda tx: tx.execute(sa.insert(TABLE).values(a=1)))
    assert count(db) == 1


def test_what_is_read_is_one_state(db: Database) -> None:
    with db.read() as tx:
        first = tx.execute(sa.select(TABLE)).all()
        db.transact(lambda other: other.execute(sa.insert(TABLE).values(a=1)))
        assert tx.execute(sa.select(TABLE)).all() == first
    assert count(db) == 1

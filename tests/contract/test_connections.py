"""Connections go from one transaction to the next, bounded and clean."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs.db import connections
from pacs.db.connection import Database, sqlite_url
from pacs.errors import Invalid, Unavailable

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


def test_who_writes_has_the_turn_to_write_from_the_beginning(db: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "index.db", timeout=0, isolation_level=None)
    try:
        with db.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        with db.read() as tx:
            tx.execute(sa.select(TABLE)).all()
            other.execute("BEGIN IMMEDIATE")
    finally:
        other.close()


def test_each_transaction_waits_for_the_disk_as_it_was_asked_to(db: Database) -> None:
    def synchronous(tx: sa.Connection) -> int:
        return int(tx.exec_driver_sql("PRAGMA synchronous").scalar_one())

    normal, full = 1, 2
    for _ in range(3):
        assert db.transact(synchronous, later=True) == normal
        assert db.transact(synchronous) == full
        with db.write() as tx:
            assert synchronous(tx) == full


def test_a_commit_that_is_refused_leaves_nothing(db: Database) -> None:
    with db.write() as tx:
        tx.exec_driver_sql("CREATE TABLE owners (a INTEGER PRIMARY KEY)")
        tx.exec_driver_sql(
            "CREATE TABLE owned (a INTEGER REFERENCES owners (a) DEFERRABLE INITIALLY DEFERRED)"
        )
    with pytest.raises(sa.exc.IntegrityError), db.write() as tx:
        tx.exec_driver_sql("INSERT INTO owned VALUES (7)")
    with db.write() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM owned").scalar_one() == 0
        tx.execute(sa.insert(TABLE).values(a=1))
    assert count(db) == 1


def test_a_transaction_that_the_database_gave_up_did_not_end_well(db: Database) -> None:
    def work(tx: sa.Connection) -> None:
        tx.execute(sa.insert(TABLE).values(a=1))
        tx.exec_driver_sql("PRAGMA max_page_count = 1")
        with suppress(sa.exc.OperationalError):
            tx.exec_driver_sql("INSERT INTO things VALUES (zeroblob(1000000))")
        tx.exec_driver_sql("PRAGMA max_page_count = 1000000")

    with pytest.raises(Unavailable, match="could not be written"):
        db.transact(work)
    assert count(db) == 0


def test_what_is_given_back_after_the_end_is_closed(db: Database, tmp_path: Path) -> None:
    with db.read() as tx:
        tx.execute(sa.select(TABLE)).all()
        db._connections.close()
    assert tmp_path / "index.db" not in open_files()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "would be lost"),
        ("sqlite:///:memory:", "would be lost"),
        ("sqlite:///file::memory:?uri=true", "by its path"),
        ("sqlite:///file:x?mode=memory&uri=true", "by its path"),
        ("sqlite:////srv/index.db?mode=rw&uri=true", "by its path"),
    ],
)
def test_an_index_of_sqlite_is_a_file(url: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        Database(url)

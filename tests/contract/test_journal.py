"""A journal that the disk did not take: it is not believed the second time it is asked."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs.db.connection import Database, sqlite_url
from pacs.db.connections import Kept
from pacs.errors import Unavailable
from tests.support.postgres import PostgresServer


class Disk:
    """Takes bytes, or tells of some it could not take: once to whoever had the file open by then, as the
    kernel does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._told: set[int] = set()
        self._fdatasync, self._open = os.fdatasync, os.open
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def loses(self) -> None:
        """Something that was written to a file."""
        self._told = {int(path.name) for path in Path("/proc/self/fd").iterdir()}

    def _sync(self, fd: int) -> None:
        if fd in self._told:
            self._told.remove(fd)
            raise OSError(5, "Input/output error")
        self._fdatasync(fd)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    found = Database(sqlite_url(tmp_path / "index.db"))
    with found.write() as tx:
        tx.execute(sa.text("CREATE TABLE t (n INTEGER)"))
    yield found
    found.close()


def add(db: Database, number: int) -> None:
    db.transact(lambda tx: tx.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": number}), later=True)


def without_journal(path: Path, folder: Path) -> list[int]:
    """What is in the database file alone."""
    copy = folder / "copy.db"
    copy.write_bytes(path.read_bytes())
    with sqlite3.connect(copy) as read:
        return [row[0] for row in read.execute("SELECT n FROM t ORDER BY n")]


def test_what_was_lost_before_anybody_asked_is_told_and_written_anew(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    add(db, 1)
    disk.loses()
    with pytest.raises(Unavailable):
        db.flush()
    add(db, 2)
    db.flush()
    assert without_journal(tmp_path / "index.db", tmp_path) == [1, 2]
    add(db, 3)
    db.flush()
    assert without_journal(tmp_path / "index.db", tmp_path) == [1, 2]  # the new journal is believed


def test_while_somebody_reads_it_the_journal_is_not_let_go(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with db.read() as tx:
        tx.execute(sa.text("SELECT * FROM t")).all()
        add(db, 1)
        disk.loses()
        for _ in range(2):
            with pytest.raises(Unavailable):
                db.flush()
    db.flush()
    assert without_journal(tmp_path / "index.db", tmp_path) == [1]


def test_a_journal_that_went_and_came_again_is_synced(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = os.fdatasync
    path = tmp_path / "index.db-wal"

    def noted(fd: int) -> None:
        synced.append(os.path.samestat(os.fstat(fd), path.stat()))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", noted)
    add(db, 1)
    db.flush()
    assert isinstance(db._connections, Kept)
    db._connections._close_idle()  # the last to go takes it away
    assert not path.exists()
    db.flush()
    add(db, 2)
    db.flush()
    assert synced == [True, True]


def test_a_server_that_does_not_wait_is_told_to(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    set_on_server(url, "off")
    assert in_force(url, durable=True) == "on"
    assert in_force(url, durable=False) == "off"
    set_on_server(url, "remote_write")
    assert in_force(url, durable=True) == "remote_write"


def set_on_server(url: str, value: str) -> None:
    db = Database(url)
    with db.write() as tx:
        name = tx.execute(sa.text("SELECT current_database()")).scalar_one()
        tx.execute(sa.text(f'ALTER DATABASE "{name}" SET synchronous_commit = {value}'))
    db.close()


def in_force(url: str, *, durable: bool) -> str:
    db = Database(url, durable=durable)
    with db.read() as tx:
        found = str(tx.execute(sa.text("SHOW synchronous_commit")).scalar_one())
    db.close()
    return found

"""What is remembered of the index, and for how long: until the next commit of anybody."""

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs.auth.actor import Actor, Role, system
from pacs.db import schema
from pacs.db.connection import Database, sqlite_url
from pacs.errors import NotFound
from pacs.runtime import Archive
from tests.contract.conftest import put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series
from tests.support.recompressing import key_of

READER = Actor("reader", frozenset({Role.VIEWER}), "127.0.0.1", "dicomweb")
ANOTHER = Actor("another", frozenset({Role.VIEWER}), "127.0.0.1", "dicomweb")


def _commit(path: Path) -> None:
    db = Database(sqlite_url(path))
    with db.write() as tx:
        tx.execute(sa.text("CREATE TABLE IF NOT EXISTS noted (at INTEGER)"))
        tx.execute(sa.text("INSERT INTO noted VALUES (1)"))
    db.close()


def test_the_version_tells_of_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    _commit(path)
    db = Database(sqlite_url(path))
    seen = [db.version()]
    assert db.version() == seen[-1] is not None
    with db.read() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM noted")).scalar_one() == 1
    assert db.version() == seen[-1]
    with db.write() as tx:
        tx.execute(sa.text("INSERT INTO noted VALUES (2)"))
    seen.append(db.version())
    child = multiprocessing.get_context("spawn").Process(target=_commit, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == 0
    seen.append(db.version())
    assert len(set(seen)) == 3
    db.close()
    assert db.version() is None


@pytest.fixture
def item(archive: Archive) -> DicomObject:
    (item,) = ct_series(1, rows=8, columns=8)
    put(archive, item.part10())
    return item


def at_hand(archive: Archive, item: DicomObject, actor: Actor = READER) -> bytes | None:
    found = archive.retrieve.frame_at_hand(actor, key_of(item), 1)
    if found is None:
        return None
    with found:
        read = found.at_hand(1 << 20)
        return None if read is None else b"".join(read.chunks(1))


def looked_at(archive: Archive, item: DicomObject, actor: Actor = READER) -> bytes:
    with archive.retrieve.frames(actor, key_of(item), (1,)) as found:
        return found.read(1)


def test_what_was_looked_at_is_at_hand_until_the_index_changes(archive: Archive, item: DicomObject) -> None:
    assert at_hand(archive, item) is None  # nobody has written down yet that it is seen
    frame = looked_at(archive, item)
    remembers = archive.db.dialect == "sqlite"
    if remembers:
        # The look itself was written down before; nothing has been since.
        assert looked_at(archive, item) == at_hand(archive, item) == frame
        assert at_hand(archive, item, ANOTHER) is None
    else:
        assert at_hand(archive, item) is None
    put(archive, ct_series(1, rows=8, columns=8)[0].part10())
    assert at_hand(archive, item) is None
    looked_at(archive, item)
    assert (at_hand(archive, item) == frame) is remembers


def test_a_lost_file_is_looked_for_the_long_way(archive: Archive, item: DicomObject) -> None:
    looked_at(archive, item)
    looked_at(archive, item)
    for path in archive.config.data.rglob("*.dcm"):
        path.unlink()
    assert at_hand(archive, item) is None
    with pytest.raises(NotFound):
        looked_at(archive, item)


def test_a_look_in_vain_is_no_look_at_what_comes_later(archive: Archive) -> None:
    (item,) = ct_series(1, rows=8, columns=8)
    with pytest.raises(NotFound):
        looked_at(archive, item)
    put(archive, item.part10())
    looked_at(archive, item)
    rows = [row for row in archive.audit_trail(system("auditor")) if row.actor == READER.name]
    assert [row.outcome for row in rows] == ["ok", "nothing found"]
    assert rows[0].patient_id == Patient().id


def test_what_was_superseded_or_lost_is_not(archive: Archive, item: DicomObject) -> None:
    looked_at(archive, item)
    looked_at(archive, item)
    with archive.db.write() as tx:
        tx.execute(sa.delete(schema.locations))
    assert at_hand(archive, item) is None

"""What a machine that loses its power may leave: bytes and spooled names for certain, names in the hot tier
and the last rows of the index perhaps."""

import ctypes
import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pacs.db import schema
from pacs.db.connection import Database
from pacs.errors import Unavailable
from pacs.ingest import pending as pending_module
from pacs.ingest.pending import Pending
from pacs.ingest.receipt import Duplicate, Receipt, Stored
from pacs.runtime import Archive
from pacs.store import filesystem
from pacs.store.spool import is_marked
from tests.contract.conftest import ME, NOTHING_SAID, Opener
from tests.contract.test_ingest import abandon, rows, stored_bytes
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series
from tests.support.wastebasket import of


@pytest.fixture
def hesitant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is flushed by itself."""
    monkeypatch.setattr(Pending, "_run", lambda _: None)


def accept(archive: Archive, item: DicomObject) -> Receipt:
    with archive.ingest.spool(ME) as spooled:
        spooled.write(item.part10())
        return archive.ingest.accept(ME, spooled, NOTHING_SAID)


def waiting(archive: Archive) -> list[Path]:
    return [path for path in archive.stores.spool.folder.iterdir() if is_marked(path)]


def key_of(archive: Archive, item: DicomObject) -> str:
    (key,) = [key for key in archive.stores.hot.walk() if item.instance in key]
    return key


def remember(archive: Archive, where: Path) -> None:
    """The index as it is now."""
    with sqlite3.connect(archive.config.data / "index.db") as now, sqlite3.connect(where) as then:
        now.backup(then)


def lose_power(archive: Archive, index: Path | None = None) -> None:
    """Of the index, everything after what was remembered."""
    abandon(archive)
    archive.ingest._pending._waiting.clear()
    archive.stores.db._connections.close()
    if index is not None:
        for name in ("index.db-wal", "index.db-shm"):
            (archive.config.data / name).unlink(missing_ok=True)
        index.replace(archive.config.data / "index.db")


@pytest.mark.usefixtures("hesitant")
@pytest.mark.parametrize("opened", ["sqlite"], indirect=True)
def test_rows_and_names_that_the_disk_has_lost_are_made_again(opened: Opener, tmp_path: Path) -> None:
    archive = opened()
    items = ct_series(4)
    first, *others = items
    assert isinstance(accept(archive, first), Stored)
    archive.ingest.flush()
    remember(archive, tmp_path / "then.db")
    for item in others:
        assert isinstance(accept(archive, item), Stored)
    numbers = [row["seq"] for row in rows(archive, schema.outbox)]
    archive.stores.hot.remove(key_of(archive, others[0]))  # this name is lost as well
    spool = archive.stores.spool.folder
    lose_power(archive, tmp_path / "then.db")

    again = opened()
    assert {row["sop_instance_uid"] for row in rows(again, schema.instances)} == {i.instance for i in items}
    assert all(stored_bytes(again, item) == item.dataset for item in items)
    told = {row["sop_instance_uid"]: row["seq"] for row in rows(again, schema.outbox)}
    assert set(told) == {item.instance for item in items}
    # Who has read up to the last number before the cut is told of each of them.
    assert min(told[item.instance] for item in others) > max(numbers)
    assert not list(again.checker.check(deep=True))
    assert not spool.exists()
    assert isinstance(accept(again, others[0]), Duplicate)


@pytest.mark.usefixtures("hesitant")
def test_a_name_that_the_disk_has_lost_is_given_again(opened: Opener) -> None:
    archive = opened()
    item, other = ct_series(2)
    for one in (item, other):
        assert isinstance(accept(archive, one), Stored)
    key = key_of(archive, item)
    archive.stores.hot.remove(key)
    lose_power(archive)
    again = opened()
    assert key_of(again, item) == key
    assert stored_bytes(again, item) == item.dataset
    assert len(rows(again, schema.outbox)) == 2
    assert not list(again.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
def test_bytes_that_the_disk_has_lost_were_never_acknowledged(opened: Opener) -> None:
    archive = opened()
    (item,) = ct_series(1)
    with archive.ingest.spool(ME) as spooled:
        spooled.write(item.part10())
        spooled.seal()
        spooled.mark()
        spooled.retain()
    os.truncate(spooled.path, spooled.size - 2)
    lose_power(archive)
    again = opened()
    assert not rows(again, schema.instances)
    assert not rows(again, schema.quarantine)
    assert not list(again.checker.check(deep=True))
    assert not list(again.stores.hot.walk())
    assert isinstance(accept(again, item), Stored)


@pytest.mark.usefixtures("hesitant")
def test_what_was_deleted_a_moment_later_stays_deleted(opened: Opener) -> None:
    archive = opened()
    (item,) = ct_series(1)
    accept(archive, item)
    archive.trash.delete(ME, of(item, "STUDY"))
    lose_power(archive)
    again = opened()
    assert not rows(again, schema.instances)
    assert not list(again.checker.check(deep=True))


@pytest.mark.parametrize("orders", [True, False])
def test_an_object_costs_its_sender_one_wait_for_the_disk(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, *, orders: bool
) -> None:
    done: list[str] = []
    fsync, transact = os.fsync, Database.transact

    def noted_fsync(fd: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{fd}").is_dir() else "file")
        fsync(fd)

    def noted_transact(self: Database, work: Any, *, later: bool = False) -> Any:
        done.append("rows")
        return transact(self, work, later=later)

    monkeypatch.setattr(Pending, "_run", lambda _: None)
    monkeypatch.setattr(filesystem, "keeps_order", lambda _: orders)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "fdatasync", noted_fsync)
    monkeypatch.setattr(Database, "transact", noted_transact)
    items = ct_series(3)
    assert isinstance(accept(archive, items[0]), Stored)
    kind = filesystem.syncs_names(archive.stores.spool.folder)
    assert done == (["file", "rows"] if kind else ["file", "folder", "rows"])
    for item in items[1:]:
        accept(archive, item)
    assert len(waiting(archive)) == 3
    done.clear()
    archive.ingest.flush()
    assert not waiting(archive)
    # Names before the rows that name them, and what is in the spool goes last.
    names = ["folder"] * (1 if orders else len(("2026", "11", "21", "study", "series", "object")))
    rows = ["file"] if archive.stores.db.dialect == "sqlite" else []
    assert done == names + rows + ([] if orders else ["folder"])


def test_what_cannot_be_made_durable_is_kept_and_tried_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_module, "_RETRY_S", 0.05)
    fails = True

    def unwilling() -> None:
        if fails:
            raise Unavailable("the disk does not answer")

    monkeypatch.setattr(archive.ingest._pending, "_flush_index", unwilling)
    (item,) = ct_series(1)
    accept(archive, item)
    with pytest.raises(Unavailable):
        archive.ingest.flush()
    assert len(waiting(archive)) == 1
    fails = False
    wait_for(lambda: not waiting(archive))


def test_many_folders_are_synced_at_once_where_no_order_is_kept(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(Pending, "_run", lambda _: None)
    monkeypatch.setattr(filesystem, "keeps_order", lambda _: False)

    def everything(root: Path) -> bool:
        synced.append(str(root))
        return True

    monkeypatch.setattr(filesystem, "sync", everything)
    monkeypatch.setattr("pacs.store.writer.sync_folder", lambda folder: synced.append(str(folder)))
    for _ in range(20):
        accept(archive, ct_series(1)[0])
    synced.clear()
    archive.ingest.flush()
    root = str(archive.stores.hot.root)
    assert synced == [root, root, str(archive.stores.spool.folder)]


def test_all_of_a_file_system_is_synced_and_trouble_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "kind", lambda _: "ext4")
    assert filesystem.sync(tmp_path)
    said = errno.EIO

    def unwilling(_fd: int) -> int:
        ctypes.set_errno(said)
        return -1

    monkeypatch.setattr(filesystem, "_syncfs", lambda: unwilling)
    with pytest.raises(OSError, match="Input/output error"):
        filesystem.sync(tmp_path)
    said = errno.ENOSYS
    assert not filesystem.sync(tmp_path)
    monkeypatch.setattr(filesystem, "_syncfs", lambda: None)
    assert not filesystem.sync(tmp_path)


def test_who_says_yes_and_does_nothing_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FUSE answers a sync of everything without telling the one behind it."""
    for kind in ("fuse.s3fs", "9p", "nfs4", ""):
        monkeypatch.setattr(filesystem, "kind", lambda _, kind=kind: kind)
        assert not filesystem.sync(tmp_path)


@pytest.mark.parametrize(("task", "keeps"), [("178\n", True), ("<none>\n", False), (None, False)])
def test_an_ext4_keeps_order_if_it_has_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str | None, *, keeps: bool
) -> None:
    """It can be made without, and the kernel tells."""
    devices, systems = tmp_path / "devices", tmp_path / "systems"
    (systems / "vdz").mkdir(parents=True)
    devices.mkdir()
    (devices / "7:7").symlink_to("../../devices/virtual/block/vdz")
    if task is not None:
        (systems / "vdz" / "journal_task").write_text(task)
    monkeypatch.setattr(filesystem, "_DEVICES", devices)
    monkeypatch.setattr(filesystem, "_EXT4", systems)
    monkeypatch.setattr(filesystem, "_device", lambda _: "7:7")
    for kind, expected in (("ext4", keeps), ("xfs", True), ("btrfs", False), ("", False)):
        monkeypatch.setattr(filesystem, "kind", lambda _, kind=kind: kind)
        assert filesystem.keeps_order.__wrapped__(tmp_path) is expected


def test_the_kind_of_file_system_is_the_kernel_s(tmp_path: Path) -> None:
    assert filesystem.kind(Path("/proc")) == "proc"
    assert filesystem.kind(tmp_path) not in {"", "proc"}
    assert not filesystem.syncs_names(Path("/proc"))

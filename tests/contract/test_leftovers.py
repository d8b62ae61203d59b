"""What dead processes leave in the spool: who takes it up, in which order, and what must never come of it."""

import errno
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from pacs.config import load
from pacs.db import schema
from pacs.dicom.uids import InstanceKey
from pacs.errors import Unavailable
from pacs.ingest import accept as accept_module
from pacs.ingest import recover as recover_module
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Duplicate, Refused, Stored, Superseded
from pacs.runtime import Archive, open_archive
from pacs.store import filesystem
from pacs.store import folder as folder_module
from pacs.store import spool as spool_module
from pacs.store import writer as writer_module
from pacs.store.spool import Spool, is_marked
from tests.contract.conftest import ME, Opener, put
from tests.contract.test_ingest import abandon, rows, stored_bytes
from tests.contract.test_power_cut import accept, hesitant, key_of, lose_power, remember, waiting
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series, with_changes
from tests.support.wastebasket import of

__all__ = ["hesitant"]

KEEP_FIRST = '[store]\nconflict = "keep-first"\n'


def unwilling(*_: object, **__: object) -> None:
    raise Unavailable("the disk does not answer")


def name_of(archive: Archive, item: DicomObject) -> Path:
    """The spooled file of an object that waits."""
    inode = archive.stores.hot.path(key_of(archive, item)).stat().st_ino
    (path,) = [path for path in waiting(archive) if path.stat().st_ino == inode]
    return path


@pytest.mark.usefixtures("hesitant")
@pytest.mark.parametrize("opened", ["sqlite"], indirect=True)
def test_what_could_not_be_flushed_at_the_end_is_found_by_the_next_start(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(load("", {}, {"data": str(tmp_path / "a")}))
    item, other = ct_series(2)
    put(archive, other.part10())
    remember(archive, tmp_path / "then.db")
    assert isinstance(accept(archive, item), Stored)
    folder = archive.stores.spool.folder
    with monkeypatch.context() as patched:
        patched.setattr(archive.ingest._pending, "_flush_index", unwilling)
        archive.close()
    assert [path for path in folder.iterdir() if is_marked(path)]
    archive.stores.hot.remove(key_of(archive, item))
    for name in ("index.db-wal", "index.db-shm"):
        (archive.config.data / name).unlink(missing_ok=True)
    (tmp_path / "then.db").replace(archive.config.data / "index.db")

    again = opened()
    assert stored_bytes(again, item) == item.dataset
    assert not folder.exists()


@pytest.mark.usefixtures("hesitant")
@pytest.mark.parametrize("opened", ["sqlite"], indirect=True)
@pytest.mark.parametrize("first_by_name", [True, False])
def test_who_was_first_is_first_again(opened: Opener, tmp_path: Path, *, first_by_name: bool) -> None:
    """Under keep-first the one that was acknowledged stays, whatever the names of the spooled files."""
    archive = opened(toml=KEEP_FIRST)
    (item,) = ct_series(1)
    later = with_changes(item, StudyDescription="corrected")
    remember(archive, tmp_path / "then.db")
    assert isinstance(accept(archive, item), Stored)
    mine = name_of(archive, item)
    mine.rename(mine.with_name(("0" if first_by_name else "f") * 24 + mine.name[24:]))
    with archive.ingest.spool(ME) as spooled:  # its sender has heard nothing yet
        spooled.write(later.part10())
        spooled.seal()
        archive.ingest._writer.place(spooled, InstanceKey(item.study, item.series, item.instance))
        spooled.retain()
    spooled.path.rename(spooled.path.with_name("8" * 24 + spooled.path.name[24:]))
    lose_power(archive, tmp_path / "then.db")

    again = opened(toml=KEEP_FIRST)
    assert stored_bytes(again, item) == item.dataset
    assert [row["rule"] for row in rows(again, schema.quarantine)] == ["keep-first"]
    assert not list(again.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
def test_a_place_that_the_index_knows_is_not_given_to_another(opened: Opener) -> None:
    archive = opened()
    (item,) = ct_series(1)
    other = with_changes(item, StudyDescription="corrected")
    assert isinstance(accept(archive, item), Stored)
    key = key_of(archive, item)
    with archive.ingest.spool(ME) as spooled:
        spooled.write(other.part10())
        spooled.received_ns = 1 + rows(archive, schema.instances)[0]["received_ns"] - 1_000_000
        spooled.seal()
        spooled.mark()  # on its way, and received a moment before the other was
        spooled.retain()
    archive.stores.hot.remove(key)  # the disk has lost the name, and the index has the row
    lose_power(archive)

    again = opened()
    assert stored_bytes(again, item) == item.dataset
    assert again.stores.hot.path(key).read_bytes() == item.part10()
    assert not list(again.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
def test_a_result_takes_nothing_s_place_after_a_crash_either(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an actor that is limited to a study, and who may replace nothing."""
    archive = opened()
    (item,) = ct_series(1)
    put(archive, item.part10())
    other = with_changes(item, StudyDescription="forged")
    with archive.ingest.spool(ME) as spooled:
        spooled.write(other.part10())
        spooled.seal()
        key = InstanceKey(item.study, item.series, item.instance)
        archive.ingest._writer.place(spooled, key, only_new=True)
        spooled.retain()
    lose_power(archive)
    again = opened()
    assert stored_bytes(again, item) == item.dataset
    assert not rows(again, schema.versions)
    assert [row["rule"] for row in rows(again, schema.quarantine)] == ["keep-first"]
    assert not list(again.checker.check(deep=True))


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not noted"])
def test_what_was_refused_stays_refused_after_a_crash(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, *, noted: bool
) -> None:
    """It is in order by itself, and was refused for what its sender had announced."""
    archive = opened()
    (item,) = ct_series(1)
    with archive.ingest.spool(ME) as spooled, monkeypatch.context() as patched:
        spooled.write(item.part10())
        spooled.retain()
        if not noted:
            patched.setattr(archive.ingest, "_note_refusal", lambda *_: None)
        assert isinstance(archive.ingest.accept(ME, spooled, Expected(study="1.2.3")), Refused)
    told = len(rows(archive, schema.outbox))
    abandon(archive)
    again = opened()
    assert not rows(again, schema.instances)
    assert len(rows(again, schema.quarantine)) == 1
    assert len(rows(again, schema.outbox)) == (told if noted else 1)
    assert not list(again.checker.check(deep=True))


def test_a_copy_that_nobody_recorded_brings_nothing_purged_back(opened: Opener) -> None:
    """Another form of the object, or one that was being recalled; who made it died, others live on."""
    dying, living = opened(), opened()
    (item,) = ct_series(1)
    put(living, item.part10())
    received_ns = rows(living, schema.instances)[0]["received_ns"]
    spooled = dying.ingest.spool(ME)
    spooled.write(item.part10())
    spooled.received_ns = received_ns
    spooled.seal()
    dying.ingest._writer.put(spooled, InstanceKey(item.study, item.series, item.instance))
    abandon(dying)
    one = living.trash.delete(ME, of(item, "STUDY"))
    living.trash.purge(ME, one.name)
    assert living.recover() == 0
    assert not rows(living, schema.instances)
    assert not list(living.stores.hot.walk())
    assert not list(living.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
def test_purged_while_it_waits_stays_purged(opened: Opener) -> None:
    dying, living = opened(), opened()
    (item,) = ct_series(1)
    assert isinstance(accept(dying, item), Stored)
    one = living.trash.delete(ME, of(item, "STUDY"))
    living.trash.purge(ME, one.name)
    lose_power(dying)
    living.recover()
    living.evictor.finish()
    assert not rows(living, schema.instances)
    assert not list(living.stores.hot.walk())
    assert not list(living.checker.check(deep=True))


def test_nobody_looks_at_the_folder_of_the_living(opened: Opener, tmp_path: Path) -> None:
    archive, other = opened(), opened()
    with archive.ingest.spool(ME) as spooled:
        spooled.write(b"half")
        assert other.recover() == 0
        assert spooled.path.exists()


def test_starting_at_once_over_many_leftovers(tmp_path: Path) -> None:
    """Each start comes back when all is done, whoever did it, and none trips over another."""
    root = tmp_path / "spool"
    left = 40
    for _ in range(left):
        dead = Spool(root)
        with dead.create() as spooled:
            spooled.retain()
        os.close(dead._lock)
    seen: list[Path] = []
    wrong: list[BaseException] = []
    starts = [Spool(root) for _ in range(4)]
    gate = threading.Barrier(len(starts))

    def start(mine: Spool) -> None:
        try:
            gate.wait()
            for paths in mine.abandoned():
                for path in paths:
                    path.unlink()
                    seen.append(path)
            assert {path.name for path in root.iterdir() if path.is_dir()} == names
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    names = {one.folder.name for one in starts}
    threads = [threading.Thread(target=start, args=(one,)) for one in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) == left
    for one in starts:
        one.close()


@pytest.mark.usefixtures("hesitant")
def test_a_start_that_is_cut_off_has_got_further(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_AT_ONCE", 2)
    archive = opened()
    items = ct_series(5)
    for item in items:
        accept(archive, item)
    folder = archive.stores.spool.folder
    lose_power(archive)
    real, calls = recover_module._finish, []

    def cut_off(*args: Any) -> str | None:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(recover_module, "_finish", cut_off)
        with pytest.raises(KeyboardInterrupt):
            opened()
    assert len([path for path in folder.iterdir() if is_marked(path)]) == 3
    again = opened()
    assert not folder.exists()
    assert all(stored_bytes(again, item) == item.dataset for item in items)


@pytest.mark.usefixtures("hesitant")
def test_one_that_cannot_be_finished_keeps_nobody_from_starting(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = opened()
    good, bad = ct_series(2)
    for item in (good, bad):
        with archive.ingest.spool(ME) as spooled:
            spooled.write(item.part10())
            spooled.seal()
            spooled.mark()
            spooled.retain()
            path = spooled.path
    lose_power(archive)
    real = spool_module.Spooled.reopen

    def reopen(which: Path) -> Any:
        if which == path:
            raise OSError(errno.EIO, "Input/output error")
        return real(which)

    monkeypatch.setattr(spool_module.Spooled, "reopen", reopen)
    again = opened()
    assert stored_bytes(again, good) == good.dataset
    assert path.exists()
    monkeypatch.undo()
    assert again.recover() == 1
    assert stored_bytes(again, bad) == bad.dataset
    assert not path.exists()


def test_a_folder_that_is_gone_holds_nobody_up(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive.ingest._pending, "_run", lambda: None)
    gone, other = ct_series(1)[0], ct_series(1)[0]
    accept(archive, gone)
    accept(archive, other)
    archive.trash.delete(ME, of(gone, "STUDY"))
    shutil.rmtree(archive.stores.hot.path(key_of(archive, gone)).parents[1])
    archive.ingest.flush()
    assert not waiting(archive)


@pytest.mark.usefixtures("hesitant")
def test_a_commit_whose_answer_was_lost_still_waits_for_the_disk(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = ct_series(1)
    real = archive.stores.db.transact

    def silent(*args: Any, **how: Any) -> None:
        real(*args, **how)
        raise Unavailable("the index cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(archive.stores.db, "transact", silent)
        with pytest.raises(Unavailable):
            accept(archive, item)
    assert len(waiting(archive)) == 1
    archive.ingest.flush()
    assert not waiting(archive)
    assert isinstance(accept(archive, item), Duplicate)
    assert not list(archive.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
@pytest.mark.parametrize("committed", [True, False])
def test_what_the_index_could_not_say_is_asked_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    (item,) = ct_series(1)
    real = archive.stores.db.transact

    def away(*args: Any, **how: Any) -> None:
        if committed:
            real(*args, **how)
        monkeypatch.setattr(archive.stores.db, "read", unwilling)
        raise Unavailable("the index cannot be reached")

    monkeypatch.setattr(archive.stores.db, "transact", away)
    with pytest.raises(Unavailable):
        accept(archive, item)
    with pytest.raises(Unavailable):
        archive.ingest.flush()
    assert len(waiting(archive)) == 1
    monkeypatch.undo()
    archive.ingest.flush()
    assert not waiting(archive)
    assert len(list(archive.stores.hot.walk())) == committed
    assert isinstance(accept(archive, item), Duplicate if committed else Stored)
    assert not list(archive.checker.check(deep=True))


@pytest.mark.usefixtures("hesitant")
@pytest.mark.parametrize("orders", [True, False])
def test_links_that_went_do_not_come_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, *, orders: bool
) -> None:
    """Where a file system may forget this after it has kept what came later, it is made durable."""
    done: list[tuple[str, bool]] = []
    (item,) = ct_series(1)
    accept(archive, item)
    spool = str(archive.stores.spool.folder)
    sync = folder_module.sync_folder

    def noted(folder: str) -> None:
        done.append((str(folder), bool(waiting(archive))))
        sync(folder)

    monkeypatch.setattr(writer_module, "sync_folder", noted)
    monkeypatch.setattr(filesystem, "keeps_order", lambda _: orders)
    archive.ingest.flush()
    assert ((spool, False) in done) is not orders
    assert (spool, True) not in done


def test_what_another_process_brought_in_between_leaves_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that came upon its spooled file would store it, should the first be deleted by then."""
    synced: list[tuple[str, bool]] = []
    spool = str(archive.stores.spool.folder)
    (item,) = ct_series(1)
    accept(archive, item)
    archive.ingest.flush()
    monkeypatch.setattr(accept_module.Ingest, "_known", lambda *_: accept_module._Seen.NEVER)
    monkeypatch.setattr(filesystem, "keeps_order", lambda _: False)
    monkeypatch.setattr(
        writer_module, "sync_folder", lambda folder: synced.append((str(folder), bool(waiting(archive))))
    )
    assert isinstance(accept(archive, item), Duplicate)
    assert synced[-1] == (spool, False)
    assert len(list(archive.stores.hot.walk())) == 1


def test_superseded_a_moment_later_and_cut_off(opened: Opener, tmp_path: Path, request: Any) -> None:
    request.getfixturevalue("hesitant")
    archive = opened()
    (item,) = ct_series(1)
    newer = with_changes(item, StudyDescription="corrected")
    assert isinstance(accept(archive, item), Stored)
    assert isinstance(accept(archive, newer), Superseded)
    assert isinstance(accept(archive, item), Duplicate)
    for key in list(archive.stores.hot.walk()):
        archive.stores.hot.remove(key)
    lose_power(archive)
    again = opened()
    assert stored_bytes(again, newer) == newer.dataset
    (version,) = rows(again, schema.versions)
    assert again.stores.hot.path(version["key"]).read_bytes() == item.part10()
    assert not list(again.checker.check(deep=True))
    wait_for(lambda: not waiting(again))


def test_the_limited_say_so_in_the_name_of_the_spooled_file(archive: Archive) -> None:
    (item,) = ct_series(1)
    with archive.ingest.spool(ME) as spooled:
        spooled.write(item.part10())
        spooled.seal()
        spooled.mark(only_new=True)
        assert spooled.fits
        assert spooled.only_new
        spooled.mark()
        assert spooled.fits
        assert not spooled.only_new

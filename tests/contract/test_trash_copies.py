"""What was deleted is known from the cold tier alone, when the data folder with its markers is lost."""

from pathlib import Path

import pytest

from pacs.errors import Unavailable
from pacs.index.deletions import Deletion, State
from pacs.outbox.subscriber import enrol, serve
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, with_changes
from tests.support.wastebasket import agrees, cold_config, copies_in, is_there, of, packs_in, to_cold


def stored_cold(archive: Archive, count: int) -> tuple[DicomObject, ...]:
    items = ct_series(count, rows=8, columns=8)
    for item in items:
        put(archive, item.part10())
    to_cold(archive, items[0].study)
    return items


def work(archive: Archive) -> None:
    """What a worker does about it."""
    errand = archive.crew().errands["trash-copies"]
    enrol(archive.db, [errand])
    while serve(archive.db, errand):
        pass


def test_a_lost_data_folder_brings_nothing_back(opened: Opener, tmp_path: Path) -> None:
    cold = cold_config(tmp_path / "cold")
    archive = opened("a", cold)
    stays, thrown, gone, back = stored_cold(archive, 4)
    one = archive.trash.delete(ME, of(thrown, reason="a reason"))
    archive.trash.purge(ME, archive.trash.delete(ME, of(gone)).name)
    archive.trash.restore(ME, archive.trash.delete(ME, of(back)).name)
    work(archive)
    assert len(packs_in(archive)) == 1
    assert agrees(archive)

    anew = opened("b", cold)
    anew.rebuild(lambda _: None)
    assert [is_there(anew, item) for item in (stays, thrown, gone, back)] == [True, False, False, True]
    states = {shown.deletion.sop_instance_uid: shown.deletion.state for shown in anew.trash.page(ME)}
    assert states == {thrown.instance: State.TRASHED, gone.instance: State.PURGED}
    assert agrees(anew)
    restored = anew.trash.restore(ME, one.name)
    assert (restored.reason, restored.n_instances) == ("a reason", 1)
    assert [is_there(anew, item) for item in (stays, thrown, gone, back)] == [True, True, False, True]
    anew.trash.purge(ME, anew.trash.delete(ME, of(stays, "STUDY")).name)
    anew.retention.purge_due()
    work(anew)
    assert packs_in(anew) == []
    assert copies_in(anew) == [], "nothing is told of what cannot come back"


def test_what_is_purged_is_so_in_the_bucket_before_its_bytes_go(opened: Opener, tmp_path: Path) -> None:
    cold = cold_config(tmp_path / "cold")
    archive = opened("a", cold)
    stays, gone = stored_cold(archive, 2)
    one = archive.trash.delete(ME, of(gone))
    (tmp_path / "cold").rename(tmp_path / "away")
    with pytest.raises(Unavailable):
        archive.trash.purge(ME, one.name)
    (still,) = archive.trash.page(ME)
    assert still.deletion.state is State.PURGING
    (tmp_path / "away").rename(tmp_path / "cold")
    archive.retention.go_on()
    anew = opened("b", cold)  # no worker had the time to copy anything
    anew.rebuild(lambda _: None)
    assert [shown.deletion.state for shown in anew.trash.page(ME)] == [State.PURGED]
    assert is_there(anew, stays)
    assert not is_there(anew, gone)


def test_a_bucket_that_is_away_hinders_nobody_to_delete_and_restore(opened: Opener, tmp_path: Path) -> None:
    archive = opened("a", cold_config(tmp_path / "cold"))
    first, second = stored_cold(archive, 2)
    work(archive)
    (tmp_path / "cold").rename(tmp_path / "away")
    one, other = (archive.trash.delete(ME, of(item)) for item in (first, second))
    archive.trash.restore(ME, other.name)
    work(archive)
    with archive.db.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM deletions").scalar_one() == 2
    (tmp_path / "away").rename(tmp_path / "cold")
    archive.retention.go_on()
    archive.retention.copy_all()
    assert copies_in(archive) == [one.name]
    assert [is_there(archive, item) for item in (first, second)] == [False, True]
    with archive.db.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM deletions").scalar_one() == 1


def test_a_copy_that_is_overtaken_is_made_good(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restored at the very moment when the bucket is told that it is deleted."""
    archive = opened("a", cold_config(tmp_path / "cold"))
    (item,) = stored_cold(archive, 1)
    one = archive.trash.delete(ME, of(item))
    cold = archive.stores.cold
    assert cold is not None
    real = cold.put
    restored: list[Deletion] = []

    def overtaken(key: str, *args: object, **named: object) -> None:
        if not restored:
            restored.append(archive.trash.restore(ME, one.name))
        real(key, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(cold, "put", overtaken)
    work(archive)
    assert restored
    assert copies_in(archive) == []


def test_what_arrived_later_is_not_what_was_deleted(opened: Opener, tmp_path: Path) -> None:
    cold = cold_config(tmp_path / "cold")
    archive = opened("a", cold)
    (item,) = stored_cold(archive, 1)
    archive.trash.delete(ME, of(item))
    changed = with_changes(item, InstanceNumber=77)
    put(archive, changed.part10())
    to_cold(archive, item.study)
    work(archive)
    anew = opened("b", cold)
    anew.rebuild(lambda _: None)
    assert is_there(anew, changed)
    assert len(anew.trash.page(ME)) == 1
    assert agrees(anew)

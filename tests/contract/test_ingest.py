"""The one way in, straight through the use case, on both databases."""

import errno
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db import schema
from pacs.dicom.uids import InstanceKey
from pacs.errors import Forbidden, Unavailable
from pacs.ingest.examine import RULES, Expected
from pacs.ingest.receipt import Duplicate, Refused, Stored, Superseded
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series, fresh_uid, with_changes

DAY = 1_700_000_000_000_000_000  # nanoseconds since the epoch


def rows(archive: Archive, table: sa.Table, *hidden: str) -> list[dict[str, Any]]:
    with archive.stores.db.read() as tx:
        found = [dict(row._mapping) for row in tx.execute(sa.select(table))]
    return [{k: v for k, v in row.items() if k not in hidden} for row in found]


def stored_bytes(archive: Archive, item: DicomObject) -> bytes:
    (stored,) = archive.retrieve.choose(ME, Wanted(instances=(item.instance,)))
    with archive.retrieve.open(stored) as source:
        return b"".join(source.chunks(stored.dataset_offset))


def test_the_header_of_a_slice_is_read_from_memory(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def mapped(_: int) -> memoryview:
        raise AssertionError("the file was read again")

    monkeypatch.setattr("pacs.ingest.examine.mapped", mapped)
    items = ct_series(2, rows=512, columns=512)
    assert isinstance(put(archive, items[0].part10()), Stored)
    with archive.ingest.spool(ME) as spooled:
        data = items[1].part10()
        begin = len(data) - len(items[1].dataset)
        spooled.begin(data[:begin])
        for at in range(begin, len(data), 16_372):
            spooled.write(data[at : at + 16_372])
        assert isinstance(archive.ingest.accept(ME, spooled), Stored)


def test_stored_is_durable_indexed_and_told(archive: Archive) -> None:
    (item,) = ct_series(1)
    receipt = put(archive, item.part10())
    assert receipt == Stored(InstanceKey(item.study, item.series, item.instance), item.sop_class, item.digest)
    assert stored_bytes(archive, item) == item.dataset
    (event,) = rows(archive, schema.outbox)
    assert (event["kind"], event["sop_instance_uid"]) == ("stored", item.instance)
    (audit,) = [row for row in rows(archive, schema.audit) if row["action"] == "store"]
    assert (audit["actor"], audit["study_uid"], audit["patient_id"]) == ("test", item.study, "SYN-1")
    assert not list(archive.checker.check(deep=True))
    assert not [p for p in archive.stores.spool.folder.iterdir() if p.name != ".lock"]


def test_the_same_data_set_again_is_a_duplicate_whatever_its_file_meta(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    other_meta = item.part10().replace(b"1.2.826.0.1.3680043.10.1337.1", b"1.2.826.0.1.3680043.10.1337.2", 1)
    assert other_meta != item.part10()
    assert isinstance(put(archive, other_meta), Duplicate)
    assert len(rows(archive, schema.outbox)) == 1
    assert len(list(archive.stores.hot.walk())) == 1


def test_other_bytes_supersede_and_the_former_are_kept(archive: Archive) -> None:
    (first,) = ct_series(1)
    second = with_changes(first, PatientName="Roe^Jane", StudyDescription="corrected")
    put(archive, first.part10())
    assert isinstance(put(archive, second.part10()), Superseded)
    assert stored_bytes(archive, second) == second.dataset
    (version,) = rows(archive, schema.versions)
    assert version["digest"] == first.digest
    assert archive.stores.hot.path(version["key"]).read_bytes().endswith(first.dataset)
    (study,) = rows(archive, schema.studies)
    assert (study["n_instances"], study["study_description"]) == (1, "corrected")
    assert isinstance(put(archive, first.part10()), Duplicate)
    assert not list(archive.checker.check(deep=True))


def test_who_chose_before_a_correction_gets_what_was_chosen(archive: Archive) -> None:
    (first,) = ct_series(1)
    put(archive, first.part10())
    (chosen,) = archive.retrieve.choose(ME, Wanted(instances=(first.instance,)))
    put(archive, with_changes(first, StudyDescription="a longer description than before").part10())
    with archive.retrieve.open(chosen) as source:
        assert b"".join(source.chunks(chosen.dataset_offset)) == first.dataset


def test_keep_first_quarantines_the_newcomer(opened: Opener) -> None:
    archive = opened(toml='[store]\nconflict = "keep-first"')
    (first,) = ct_series(1)
    second = with_changes(first, StudyDescription="other")
    put(archive, first.part10())
    receipt = put(archive, second.part10())
    assert isinstance(receipt, Refused)
    assert receipt.rule == "keep-first"
    assert stored_bytes(archive, first) == first.dataset
    (kept,) = rows(archive, schema.quarantine)
    assert archive.ingest._quarantined.path(kept["key"]).read_bytes() == second.part10()
    assert not list(archive.checker.check(deep=True))


def test_superseding_bytes_may_move_to_another_study(archive: Archive) -> None:
    moved, stays = ct_series(2)
    put(archive, moved.part10())
    put(archive, stays.part10())
    elsewhere = with_changes(moved, StudyInstanceUID=fresh_uid(), SeriesInstanceUID=fresh_uid())
    put(archive, elsewhere.part10())
    counts = {row["study_instance_uid"]: row["n_instances"] for row in rows(archive, schema.studies)}
    assert counts == {stays.study: 1, elsewhere.study: 1}
    put(
        archive,
        with_changes(stays, StudyInstanceUID=elsewhere.study, SeriesInstanceUID=elsewhere.series).part10(),
    )
    (study,) = rows(archive, schema.studies)
    assert (study["study_instance_uid"], study["n_instances"], study["n_series"]) == (elsewhere.study, 2, 1)
    assert not list(archive.checker.check(deep=True))


def test_the_order_of_arrival_in_the_index_does_not_matter(opened: Opener) -> None:
    """Whoever wins a race, the index says the same: what stands for a study is decided by the objects."""
    study, series = fresh_uid(), fresh_uid()
    base = ct_series(3, study=study, series=series, rows=4, columns=4)
    items = [
        with_changes(base[0], PatientName="Doe^Old", PatientSex="O"),
        with_changes(base[1], StudyDescription="second", Modality="CT"),
        with_changes(base[2], SeriesDescription="third", Modality="MR"),
        with_changes(base[0], PatientName="Doe^New", StudyDescription="corrected"),
    ]
    orders = [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)]
    seen = []
    for number, order in enumerate(orders):
        archive = opened(f"order{number}")
        for i in order:
            put(archive, items[i].part10(), received_ns=DAY + i)
        hidden = (
            "id",
            "patient_id_fk",
            "study_fk",
            "series_fk",
            "definer_fk",
            "key",
            "instance_fk",
            "updated_ns",
            "revision",
        )
        tables = (schema.patients, schema.studies, schema.series, schema.instances, schema.versions)
        seen.append([sorted(map(repr, rows(archive, table, *hidden))) for table in tables])
        assert not list(archive.checker.check(deep=True))
    assert all(one == seen[0] for one in seen)


def test_two_at_once_are_one(opened: Opener) -> None:
    archive, other = opened(), opened()
    items = ct_series(10, rows=8, columns=8)
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda n: put((archive, other)[n % 2], items[n % 10].part10()), range(80)))
    assert sum(isinstance(r, Stored) for r in receipts) == 10
    assert sum(isinstance(r, Duplicate) for r in receipts) == 70
    (study,) = rows(archive, schema.studies)
    (patient,) = rows(archive, schema.patients)
    assert (study["n_series"], study["n_instances"], patient["n_instances"]) == (1, 10, 10)
    assert study["bytes"] == sum(len(item.part10()) for item in items)
    assert not list(archive.checker.check(deep=True))


def test_other_bytes_at_once_lose_none(opened: Opener) -> None:
    archive, other = opened(), opened()
    (base,) = ct_series(1, rows=8, columns=8)
    variants = [with_changes(base, StudyDescription=f"variant {n}") for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: put((archive, other)[n % 2], variants[n].part10()), range(12)))
    digests = {row["digest"] for row in rows(archive, schema.versions)}
    digests |= {row["digest"] for row in rows(archive, schema.instances)}
    assert digests == {v.digest for v in variants}
    (instance,) = rows(archive, schema.instances)
    assert instance["received_ns"] > max(row["received_ns"] for row in rows(archive, schema.versions))
    assert not list(archive.checker.check(deep=True))


def test_patients_of_one_id_but_another_name_stay_apart(archive: Archive) -> None:
    (one,) = ct_series(1, patient=Patient(name="Doe^Jane", id="77"))
    (two,) = ct_series(1, patient=Patient(name="Roe^Mary", id="77"))
    (nobody,) = ct_series(1, patient=Patient(name="Doe^Jane", id=""))
    (nobody2,) = ct_series(1, patient=Patient(name="Doe^Jane", id=""))
    for item in (one, two, nobody, nobody2):
        put(archive, item.part10())
    assert len(rows(archive, schema.patients)) == 4


BROKEN: dict[str, Any] = {
    "empty": lambda _: b"",
    "not-dicom": lambda _: b"GET / HTTP/1.1\r\n" * 40,
    "truncated": lambda item: item.part10()[:-100],
    "missing-uid": lambda item: with_changes(item, StudyInstanceUID=None).part10(),
    "invalid-uid": lambda item: item.part10().replace(item.study.encode(), b"../" + item.study.encode()[3:]),
    "unreadable": lambda item: item.part10()[:132] + b"\x02\x00\x10\x00??" + item.part10()[138:],
}


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_what_cannot_be_kept_is_refused_by_rule_and_its_bytes_are_kept(archive: Archive, rule: str) -> None:
    (item,) = ct_series(1)
    data = BROKEN[rule](item)
    receipt = put(archive, data)
    assert isinstance(receipt, Refused)
    assert receipt.rule == rule
    kept = rows(archive, schema.quarantine)
    if data:
        assert archive.ingest._quarantined.path(kept[0]["key"]).read_bytes() == data
    assert [row["kind"] for row in rows(archive, schema.outbox)] == ["refused"]
    assert not rows(archive, schema.studies)
    assert not list(archive.stores.hot.walk())
    assert not list(archive.checker.check(deep=True))


@pytest.mark.parametrize("field", ["study", "sop_class", "sop_instance"])
def test_what_was_announced_must_come(archive: Archive, field: str) -> None:
    (item,) = ct_series(1)
    receipt = put(archive, item.part10(), Expected(**{field: "1.2.3"}))
    assert isinstance(receipt, Refused)
    assert receipt.rule == f"expected-{field.replace('_', '-')}"
    assert receipt.rule in RULES


def test_a_data_set_without_file_meta_is_completed(archive: Archive) -> None:
    (item,) = ct_series(1)
    assert isinstance(put(archive, item.dataset), Stored)
    assert stored_bytes(archive, item) == item.dataset


def test_nobody_without_the_right_sends_and_the_attempt_is_written_down(archive: Archive) -> None:
    with pytest.raises(Forbidden):
        archive.ingest.spool(Actor("reader", frozenset(), "127.0.0.1", "dimse"))
    (row,) = rows(archive, schema.audit)
    assert (row["actor"], row["action"], row["outcome"]) == ("reader", Action.STORE, "forbidden")


def abandon(archive: Archive) -> None:
    """What `kill -9` leaves: the lock is let go, everything else stays as it is."""
    os.close(archive.stores.spool._lock)
    object.__setattr__(archive.stores, "spool", _Gone())


class _Gone:
    def close(self) -> None:
        pass


def test_after_a_crash_what_was_durable_is_finished_and_the_rest_forgotten(opened: Opener) -> None:
    archive = opened()
    durable, half, recorded = ct_series(3)
    put(archive, recorded.part10())
    spooled = archive.ingest.spool(ME)
    spooled.write(durable.part10())
    spooled.seal()
    archive.ingest._writer.place(spooled, InstanceKey(durable.study, durable.series, durable.instance))
    partial = archive.ingest.spool(ME)
    partial.write(half.part10()[:1000])
    left = archive.stores.spool.folder
    # the third died after its commit, before it could drop the spool's link
    (key,) = [k for k in archive.stores.hot.walk() if recorded.instance in k]
    os.link(archive.stores.hot.path(key), left / "committed")
    abandon(archive)
    again = opened()
    found = {row["sop_instance_uid"] for row in rows(again, schema.instances)}
    assert found == {durable.instance, recorded.instance}
    assert not left.exists()
    assert not list(again.checker.check(deep=True))
    assert stored_bytes(again, durable) == durable.dataset


def test_a_crash_on_the_way_to_quarantine_leaves_no_stray_file(opened: Opener) -> None:
    archive = opened()
    from pacs.store.writer import quarantine

    spooled = archive.ingest.spool(ME)
    spooled.write(b"no object at all, but kept")
    spooled.seal()
    quarantine(archive.ingest._quarantined, spooled, durable=True)
    abandon(archive)
    again = opened()
    (kept,) = rows(again, schema.quarantine)
    assert kept["rule"] == "not-dicom"
    assert not list(again.checker.check(deep=True))


def test_check_sees_every_kind_of_difference(archive: Archive, tmp_path: Path) -> None:
    items = ct_series(4)
    for item in items:
        put(archive, item.part10())
    keys = {item.instance: key for item in items for key in archive.stores.hot.walk() if item.instance in key}
    paths = [archive.stores.hot.path(keys[item.instance]) for item in items]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-2])
    data = bytearray(paths[2].read_bytes())
    data[-1] ^= 1
    paths[2].write_bytes(data)
    (paths[3].parent / "1.2.3.dcm").write_bytes(b"stray")
    with archive.stores.db.write() as tx:
        tx.execute(sa.update(schema.studies).values(n_instances=17))
    kinds = sorted(finding.kind for finding in archive.checker.check(deep=True))
    assert kinds == ["missing-file", "unknown-file", "wrong-bytes", "wrong-size", "wrong-statistics"]
    assert "wrong-bytes" not in {finding.kind for finding in archive.checker.check(deep=False)}


@pytest.mark.parametrize("call", ["write", "fsync", "link", "rename"])
def test_a_full_disk_is_told_and_leaves_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (item,) = ct_series(1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(Unavailable, match="full"):
        put(archive, item.part10())
    monkeypatch.undo()
    assert [path.name for path in archive.stores.spool.folder.iterdir()] == [".lock"]
    assert not list(archive.stores.hot.walk())
    assert isinstance(put(archive, item.part10()), Stored)
    assert not list(archive.checker.check(deep=True))


def test_an_index_that_is_away_refuses_and_leaves_nothing_to_lose(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = ct_series(1)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the index cannot be reached")

    monkeypatch.setattr(archive.stores.db, "transact", away)
    with pytest.raises(Unavailable):
        put(archive, item.part10())
    monkeypatch.undo()
    assert not list(archive.stores.hot.walk())
    assert isinstance(put(archive, item.part10()), Stored)


def test_a_disk_mounted_in_the_wrong_place_is_told(opened: Opener, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108 - only another file system is wanted
    if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one file system here")
    (tmp_path / "a").mkdir()
    with tempfile.TemporaryDirectory(dir=elsewhere) as other:
        (tmp_path / "a" / "hot").symlink_to(other)
        with pytest.raises(Unavailable, match="different file systems"):
            opened()

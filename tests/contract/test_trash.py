"""Delete, restore and purge: nothing is shown that was deleted, nothing is lost that can be restored,
nothing comes back that was purged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pacs.auth.actor import Actor, Role
from pacs.db import schema
from pacs.errors import Conflict, Forbidden, NotFound
from pacs.index.deletions import State
from pacs.index.trash import Asked
from pacs.ingest.receipt import Stored
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series, fresh_uid, with_changes
from tests.support.wastebasket import (
    agrees,
    cold_config,
    is_there,
    of,
    packs_in,
    shown,
    thrown,
    to_cold,
)
from tiering.service import hold, open_tiering


def stored(archive: Archive, *sizes: int, patient: str = "SYN-1") -> tuple[DicomObject, ...]:
    """A study of one series of each size."""
    study = fresh_uid()
    items = tuple(
        item
        for size in sizes
        for item in ct_series(size, study=study, rows=8, columns=8, patient=Patient(id=patient))
    )
    for item in items:
        put(archive, item.part10())
    return items


def events(archive: Archive, *kinds: str) -> list[tuple[str, str, str, str]]:
    o = schema.outbox.c
    query = sa.select(o.kind, o.study_uid, o.series_uid, o.sop_instance_uid).order_by(o.seq)
    with archive.stores.db.read() as tx:
        return [(row[0], row[1], row[2], row[3]) for row in tx.execute(query.where(o.kind.in_(kinds)))]


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_deleted_and_restored(archive: Archive, level: str) -> None:
    items = stored(archive, 3, 2)
    stored(archive, 1)  # another study of the same patient
    put(archive, with_changes(items[0], InstanceNumber=99).part10())  # and a former version
    before = shown(archive)
    one = archive.trash.delete(ME, of(items[4], level, "sent by mistake"))
    gone = {"STUDY": set(items), "SERIES": set(items[3:]), "IMAGE": {items[4]}}[level]
    assert one.n_instances == len(gone)
    assert (one.level, one.reason, one.actor) == (level, "sent by mistake", ME.name)
    for item in items[1:]:
        assert is_there(archive, item) is (item not in gone)
    assert agrees(archive)
    assert [one.deletion for one in archive.trash.page(ME)] == [one]

    assert archive.trash.restore(ME, one.name) == one
    assert shown(archive) == before
    assert agrees(archive)
    assert archive.trash.page(ME) == ()
    named = (items[4].study, one.series_uid, one.sop_instance_uid)
    assert events(archive, "deleted", "restored") == [("deleted", *named), ("restored", *named)]
    with pytest.raises(NotFound):
        archive.trash.restore(ME, one.name)


def test_what_is_not_there_cannot_be_deleted(archive: Archive) -> None:
    items = stored(archive, 1)
    for asked in (Asked("1.2.3"), Asked(items[0].study, "1.2.3"), of(replace(items[0], instance="1.2.3"))):
        with pytest.raises(NotFound):
            archive.trash.delete(ME, asked)
    archive.trash.delete(ME, of(items[0], "STUDY"))
    with pytest.raises(NotFound):
        archive.trash.delete(ME, of(items[0], "STUDY"))
    assert archive.trash.was_there(items[0].study)
    assert archive.trash.was_there(items[0].study, items[0].series, items[0].instance)
    assert not archive.trash.was_there("1.2.3")


@pytest.mark.parametrize("roles", [{Role.VIEWER, Role.SENDER}, set()])
def test_only_administrators_may(archive: Archive, roles: set[Role]) -> None:
    items = stored(archive, 1)
    stranger = Actor("somebody", frozenset(roles), "192.0.2.1", "dicomweb")
    one = archive.trash.delete(ME, of(stored(archive, 1)[0], "STUDY"))
    for attempt in (
        lambda: archive.trash.delete(stranger, of(items[0])),
        lambda: archive.trash.restore(stranger, one.name),
        lambda: archive.trash.purge(stranger, one.name),
        lambda: archive.trash.page(stranger),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert is_there(archive, items[0])
    refused = [row for row in archive.audit_trail(ME, actor="somebody") if row.outcome == "forbidden"]
    assert len(refused) == 4


def test_every_deed_is_in_the_audit_trail(archive: Archive) -> None:
    items = stored(archive, 2)
    archive.trash.restore(ME, archive.trash.delete(ME, of(items[0])).name)
    archive.trash.purge(ME, archive.trash.delete(ME, of(items[0])).name)
    told = [
        (row.action, row.detail.split()[0], row.patient_id)
        for row in archive.audit_trail(ME, study_uid=items[0].study)
        if row.action in {"delete", "purge"}
    ]
    assert told[::-1] == [
        ("delete", "IMAGE", "SYN-1"),
        ("delete", "restore", "SYN-1"),
        ("delete", "IMAGE", "SYN-1"),
        ("purge", "purge", "SYN-1"),
    ]


def test_what_arrives_after_a_deletion_is_new(archive: Archive) -> None:
    items = stored(archive, 2)
    one = archive.trash.delete(ME, of(items[0], "STUDY"))
    assert isinstance(put(archive, items[0].part10()), Stored)
    changed = with_changes(items[1], InstanceNumber=7)
    assert isinstance(put(archive, changed.part10()), Stored)
    assert agrees(archive)
    archive.trash.restore(ME, one.name)
    assert is_there(archive, items[0])
    assert is_there(archive, changed), "what came later is current"
    assert agrees(archive)
    rows = shown(archive)
    assert len(rows["instances"]) == 2
    assert len(rows["versions"]) == 1, "what was restored is a former version of it"
    assert items[1].digest in rows["versions"][0]
    archive.evictor.finish()
    assert len(list(archive.stores.hot.walk())) == 3, "what was here twice is here once"


def test_the_same_may_be_deleted_again_and_again(archive: Archive) -> None:
    item = stored(archive, 1)[0]
    names = []
    for _ in range(3):
        names.append(archive.trash.delete(ME, of(item, "STUDY")).name)
        assert not is_there(archive, item)
        put(archive, item.part10())
    archive.trash.purge(ME, names[0])
    for name in names[1:]:
        archive.trash.restore(ME, name)
        assert is_there(archive, item)
    assert agrees(archive)
    assert len(list(archive.stores.hot.walk())) == 1


def test_purged(archive: Archive) -> None:
    items = stored(archive, 2, 1)
    one = archive.trash.delete(ME, of(items[0], "SERIES"))
    assert len(list(archive.stores.hot.walk())) == 3
    archive.trash.purge(ME, one.name)
    assert len(list(archive.stores.hot.walk())) == 1
    assert agrees(archive)
    assert not any(thrown(archive).values())
    assert not list((archive.config.data / "trash").rglob("*.jsonl"))
    assert events(archive, "purged") == [("purged", items[0].study, items[0].series, "")]
    with pytest.raises(NotFound):
        archive.trash.restore(ME, one.name)
    with pytest.raises(NotFound):
        archive.trash.purge(ME, one.name)


def test_a_hold_forbids_to_purge(archive: Archive) -> None:
    items = stored(archive, 1)
    one = archive.trash.delete(ME, of(items[0], "STUDY"))
    hold(archive.stores.db, items[0].study, "case 1")
    with pytest.raises(Conflict, match="case 1"):
        archive.trash.purge(ME, one.name)
    assert archive.trash.page(ME)[0].hold == "case 1"
    hold(archive.stores.db, items[0].study, "")
    archive.trash.purge(ME, one.name)
    with pytest.raises(NotFound):
        hold(archive.stores.db, items[0].study, "too late")


def test_retention(opened: Opener) -> None:
    archive = opened("a", "[trash]\nkeep_days = 0.00000001\n")
    held, item = stored(archive, 1)[0], stored(archive, 1)[0]
    hold(archive.stores.db, held.study, "case 1")
    for one in (held, item):
        archive.trash.delete(ME, of(one, "STUDY"))
    assert archive.retention.purge_due() == 1
    assert [one.deletion.study_uid for one in archive.trash.page(ME)] == [held.study]
    assert agrees(archive)


def test_what_is_young_stays(archive: Archive) -> None:
    archive.trash.delete(ME, of(stored(archive, 1)[0], "STUDY"))
    assert archive.retention.purge_due() == 0
    assert len(archive.trash.page(ME)) == 1


def test_deleted_on_the_cold_tier_and_restored(opened: Opener, tmp_path: Path) -> None:
    archive = opened("a", cold_config(tmp_path / "cold"))
    items = stored(archive, 3)
    to_cold(archive, items[0].study)
    before = shown(archive)
    one = archive.trash.delete(ME, of(items[0], "STUDY"))
    assert agrees(archive)
    assert not is_there(archive, items[0])
    archive.trash.restore(ME, one.name)
    assert shown(archive) == before
    assert all(is_there(archive, item) for item in items)


def test_a_pack_goes_with_its_last_member(opened: Opener, tmp_path: Path) -> None:
    archive = opened("a", cold_config(tmp_path / "cold"))
    items = stored(archive, 3)
    to_cold(archive, items[0].study)
    first = archive.trash.delete(ME, of(items[0]))
    archive.trash.purge(ME, first.name)
    assert len(packs_in(archive)) == 1
    (shown_one,) = archive.trash.page(ME)
    assert (shown_one.deletion.state, shown_one.dead_bytes) == (State.PURGED, len(items[0].part10()))
    assert archive.trash.was_there(items[0].study, items[0].series, items[0].instance)
    assert agrees(archive)
    assert is_there(archive, items[1])
    archive.rebuild(lambda _: None)
    assert not is_there(archive, items[0]), "what was purged does not come back"
    assert is_there(archive, items[1])
    assert agrees(archive)
    rest = archive.trash.delete(ME, of(items[0], "STUDY"))
    archive.trash.purge(ME, rest.name)
    assert packs_in(archive) == []
    archive.retention.purge_due()
    assert not any(thrown(archive).values())
    assert not list((archive.config.data / "trash").rglob("*.jsonl"))
    assert agrees(archive)


def test_packs_that_were_overtaken_do_not_bring_it_back(opened: Opener, tmp_path: Path) -> None:
    """Deleted and purged while the series was being packed."""
    archive = opened("a", cold_config(tmp_path / "cold"))
    items = stored(archive, 2)
    mover = _mover(archive)
    real = mover._verify

    def deleted_meanwhile(wanted: object) -> None:
        real(wanted)
        archive.trash.purge(ME, archive.trash.delete(ME, of(items[0], "STUDY")).name)

    mover._verify = deleted_meanwhile
    assert mover.pack_study(items[0].study) == 0
    assert packs_in(archive) == []
    archive.rebuild(lambda _: None)
    assert shown(archive)["instances"] == []
    archive.retention.purge_due()
    assert agrees(archive)


def _mover(archive: Archive) -> Any:
    tiering = open_tiering(archive)
    assert tiering is not None
    return tiering._mover


@pytest.mark.parametrize("cold", [False, True])
def test_an_index_made_anew_knows_what_was_deleted(opened: Opener, tmp_path: Path, *, cold: bool) -> None:
    archive = opened("a", cold_config(tmp_path / "cold"))
    items = stored(archive, 3, 2)
    kept = stored(archive, 2)
    versions = with_changes(items[0], InstanceNumber=99)
    put(archive, versions.part10())
    if cold:
        for study in (items[0].study, kept[0].study):
            to_cold(archive, study)
    purged = archive.trash.delete(ME, of(items[4]))
    archive.trash.purge(ME, purged.name)
    whole = shown(archive)
    one = archive.trash.delete(ME, of(items[0], "STUDY", "a reason"))
    other = archive.trash.delete(ME, of(kept[0]))
    put(archive, kept[0].part10())
    before, basket = shown(archive), thrown(archive)
    archive.rebuild(lambda _: None)
    assert shown(archive) == before
    again = thrown(archive)
    for table, rows in basket.items():
        different = sorted(set(rows) ^ set(again[table]))
        assert not different, different
    assert agrees(archive)
    archive.trash.restore(ME, one.name)
    archive.trash.restore(ME, other.name)
    after = shown(archive)
    for table in ("patients", "studies", "series"):
        assert len(after[table]) == len(whole[table])
    assert is_there(archive, versions)
    assert all(is_there(archive, item) for item in (*items[1:4], *kept))
    assert not is_there(archive, items[4])
    assert agrees(archive)


def at_once(*works: Callable[[], None]) -> list[BaseException]:
    """What went wrong."""
    with ThreadPoolExecutor(len(works)) as pool:
        ends = [pool.submit(work) for work in works]
    return [error for end in ends if (error := end.exception()) is not None]


def test_a_study_comes_back_while_others_are_deleted(archive: Archive) -> None:
    """Senders and administrators at once: the statistics are exact, nothing is half there."""
    study, patient = fresh_uid(), Patient(id="P-1")
    items = ct_series(24, study=study, rows=4, columns=4, patient=patient)

    def send() -> None:
        for item in items:
            put(archive, item.part10())

    def delete() -> None:
        for _ in range(12):
            with suppress(NotFound):
                archive.trash.delete(ME, Asked(study))

    assert at_once(send, delete, send, delete) == []
    assert agrees(archive)
    for one in archive.trash.page(ME, limit=100):
        archive.trash.restore(ME, one.deletion.name)
    assert all(is_there(archive, item) for item in items)
    archive.evictor.finish()
    assert agrees(archive)
    assert len(list(archive.stores.hot.walk())) == len(items)


def test_a_series_of_two_studies_stays_with_the_other(archive: Archive) -> None:
    """A Series Instance UID that stands in two studies is a mistake of its maker; both are kept."""
    first = ct_series(1, rows=8, columns=8)[0]
    second = ct_series(1, rows=8, columns=8, series=first.series)[0]
    for item in (first, second):
        put(archive, item.part10())
    one = archive.trash.delete(ME, of(first, "STUDY"))
    assert is_there(archive, second)
    assert agrees(archive)
    archive.trash.restore(ME, one.name)
    assert is_there(archive, first)
    assert agrees(archive)

"""The audit trail: every look once, strangers without a flood."""

from pathlib import Path

import pytest

from pacs.audit.strangers import Strangers
from pacs.auth.actor import Actor, Role
from pacs.errors import Forbidden
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, put
from tests.support.factory import ct_series

READER = Actor("reader", frozenset({Role.VIEWER}), "10.0.0.9", "dicomweb")


def trail(archive: Archive, **which: str) -> list[tuple[str, str, str]]:
    return [(row.actor, row.action, row.outcome) for row in archive.audit_trail(ME, **which)]


def test_a_look_names_the_study_and_the_patient(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    archive.retrieve.choose(READER, Wanted(instances=(item.instance,)))
    (row, *_) = archive.audit_trail(ME, study_uid=item.study)
    assert (row.actor, row.action, row.patient_id, row.origin) == ("reader", "read", "SYN-1", "10.0.0.9")


def test_many_frames_of_one_instance_are_one_row(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    (stored,) = archive.retrieve.choose(ME, Wanted(instances=(item.instance,)))
    for _ in range(20):
        archive.retrieve.frames(READER, stored.key, (1,)).close()
    assert trail(archive, actor="reader") == [("reader", "read", "ok")]


def test_a_look_without_the_right_is_written_down(archive: Archive) -> None:
    nobody = Actor("nobody", frozenset(), "10.0.0.9", "dicomweb")
    with pytest.raises(Forbidden):
        archive.retrieve.choose(nobody, Wanted(studies=("1.2.3",)))
    assert trail(archive, actor="nobody") == [("nobody", "read", "forbidden")]


def test_strangers_are_written_down_but_cannot_flood(archive: Archive) -> None:
    strangers = Strangers(archive.stores.db)
    for _ in range(5):
        strangers.note("dimse", "INTRUDER", "10.0.0.66", "unknown station")
    for number in range(1100):
        strangers.note("dimse", f"AET{number}", "10.0.0.66", "unknown station")
    refused = [row for row in archive.audit_trail(ME) if row.action == "enter"]
    assert 1000 <= len(refused) <= 1002
    assert sum(row.actor == "INTRUDER" for row in refused) == 1


def test_the_trail_is_read_in_chunks_and_bounded(archive: Archive, tmp_path: Path) -> None:
    items = ct_series(12, rows=4, columns=4)
    for item in items:
        put(archive, item.part10())
    assert len(list(archive.audit_trail(ME, study_uid=items[0].study))) == 12
    assert len(list(archive.audit_trail(ME, study_uid=items[0].study, limit=5))) == 5

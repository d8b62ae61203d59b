"""Instance Availability (PS3.4 C.4.1.1.3.2): where the least rapidly available instance lies, at every
level and on both databases."""

import random
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pacs.db.connection import Database
from pacs.dicom.level import Level
from pacs.query.compile.away import _AWAY
from pacs.query.model import Exact, Query
from pacs.runtime import Archive
from pacs.store.folder import FolderStore
from tests.contract.conftest import ME, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series, fresh_uid
from tests.support.tiers import Tiers

AVAILABILITY = "00080056"
STUDY = 0x0020000D


@pytest.fixture
def tiers(archive: Archive, tmp_path: Path) -> Tiers:
    (tmp_path / "cold").mkdir()
    return Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)


def study(archive: Archive, patient: str, *sizes: int) -> tuple[DicomObject, ...]:
    uid = fresh_uid()
    who = Patient(id=patient)
    items = tuple(
        item for size in sizes for item in ct_series(size, study=uid, rows=8, columns=8, patient=who)
    )
    for item in items:
        put(archive, item.part10())
    return items


def told(archive: Archive, level: Level, study: str = "") -> list[str]:
    """In the order of the UIDs of this level; a patient has none."""
    conditions = (Exact((STUDY,), (study,)),) if study else ()
    page = archive.search.page(ME, Query(level, conditions, defaults=True))
    found = sorted(page.matches, key=lambda match: astuple(match.key))
    return [str(match.attributes[AVAILABILITY]["Value"][0]) for match in found]


def every_level(archive: Archive, study: str) -> list[list[str]]:
    return [told(archive, level, study) for level in Level]


def test_the_least_rapidly_available(tiers: Tiers) -> None:
    archive = tiers.archive
    items, other = study(archive, "A", 2, 1), study(archive, "B", 1)
    uid = items[0].study
    online, nearline = ["ONLINE"], ["NEARLINE"]
    mover = tiers.mover()
    assert every_level(archive, uid) == [online, online, online * 2, online * 3]
    mover.pack_study(uid)
    assert every_level(archive, uid) == [online, online, online * 2, online * 3], "it is hot as well"
    mover.evict_study(uid, 1 << 62)
    assert every_level(archive, uid) == [nearline, nearline, nearline * 2, nearline * 3]
    assert every_level(archive, other[0].study) == [online] * 4

    (late,) = ct_series(1, study=uid, rows=8, columns=8, patient=Patient(id="A"))
    put(archive, late.part10())
    by_series = dict(
        zip(sorted({one.series for one in (*items, late)}), told(archive, Level.SERIES, uid), strict=True)
    )
    assert by_series.pop(late.series) == "ONLINE"
    assert set(by_series.values()) == {"NEARLINE"}
    assert every_level(archive, uid)[:2] == [nearline, nearline]
    assert sorted(told(archive, Level.IMAGE, uid)) == [*nearline * 3, *online]

    tiers.recaller().recall_study(uid)
    assert every_level(archive, uid) == [online, online, online * 3, online * 4]


def statements(db: Database, archive: Archive, limit: int) -> int:
    """How many are sent for one page of studies."""
    said: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    page = Query(Level.STUDY, defaults=True, limit=limit)
    archive.search.page(ME, page)
    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert len(archive.search.page(ME, page).matches) == limit
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    return len([one for one in said if one.lstrip().upper().startswith("SELECT")])


def test_a_page_costs_one_statement_more_whatever_its_length(tiers: Tiers) -> None:
    archive = tiers.archive
    uids = [study(archive, f"P{number}", 1)[0].study for number in range(12)]
    hot = statements(archive.stores.db, archive, 10)
    for uid in random.sample(uids, 6):
        tiers.to_cold(uid)
    assert statements(archive.stores.db, archive, 10) == hot + 1
    assert statements(archive.stores.db, archive, 2) == hot + 1
    assert sorted(told(archive, Level.STUDY)) == ["NEARLINE"] * 6 + ["ONLINE"] * 6


@pytest.mark.parametrize("level", Level)
def test_no_table_is_read_from_end_to_end(archive: Archive, level: Level) -> None:
    with archive.stores.db.read() as tx:
        wanted = _AWAY[level].params(ids=[1, 2])
        text = wanted.compile(tx.engine, compile_kwargs={"literal_binds": True})
        if tx.dialect.name == "sqlite":
            plan = [str(row[3]) for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN")], plan
        else:  # of tables as small as these it would, if it were allowed to
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = [str(row[0]) for row in tx.exec_driver_sql(f"EXPLAIN {text}")]
            assert not [step for step in plan if "Seq Scan" in step], plan
        assert plan

"""What Search answers: attributes, order, pages, audit; on both databases."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pacs.audit.record import trail
from pacs.db.connection import Database, sqlite_url
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.errors import Forbidden, Invalid
from pacs.query import compile as sql
from pacs.query import find, parse, plan
from pacs.query.find import Search
from pacs.query.model import Element, Match, Query
from tests.contract.matching_cases import objects, uid
from tests.support.factory import Patient, ct_dataset
from tests.unit.query.filled import SENDER, VIEWER, add, create, empty


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        url = sqlite_url(Path(tmp_path_factory.mktemp("index")) / "index.sqlite")
    else:
        url = request.getfixturevalue("postgres").fresh_url()
    made = create(Database(url, durable=False))
    yield made
    made.close()


@pytest.fixture
def db(database: Database) -> Database:
    empty(database)
    return database


@pytest.fixture
def filled(db: Database) -> Search:
    add(db, *objects())
    return Search(db)


def ask(level: Level, *returned: str, keys: dict[str, str] | None = None, **options: Any) -> Query:
    given = [(parse.path(k), tuple(v.split("\\"))) for k, v in (keys or {}).items()]
    return parse.from_keys(level, given, returned=[parse.path(r) for r in returned], **options)


def value(match: Match, keyword: str) -> Any:
    return match.attributes[f"{tag_of(keyword):08X}"].get("Value")


def only(search: Search, query: Query) -> dict[str, Element]:
    (match,) = search.page(VIEWER, query).matches
    return match.attributes


ONE = {"StudyInstanceUID": uid("1")}


def test_nothing_but_what_was_asked_for(filled: Search) -> None:
    attributes = only(filled, ask(Level.STUDY, "PatientName", "PatientAge", keys=ONE))
    assert attributes == {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}]},
        "00101010": {"vr": "AS"},
        "0020000D": {"vr": "UI", "Value": [uid("1")]},
    }


def test_defaults_of_a_study(filled: Search) -> None:
    attributes = only(filled, ask(Level.STUDY, keys=ONE, defaults=True))
    expected = (
        "00080020 00080030 00080050 00080056 00080061 00080090 "
        "00100010 00100020 00100030 00100040 0020000D 00200010 00201206 00201208"
    )
    assert list(attributes) == expected.split()
    assert attributes["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert attributes["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert attributes["00201206"] == {"vr": "IS", "Value": [2]}
    assert attributes["00201208"] == {"vr": "IS", "Value": [3]}


def test_values_that_are_not_there(filled: Search) -> None:
    attributes = only(filled, ask(Level.STUDY, keys={"StudyInstanceUID": uid("6")}, defaults=True))
    assert attributes["00100010"] == {"vr": "PN"}
    assert attributes["00100040"] == {"vr": "CS"}


def test_defaults_of_a_series_name_its_study(filled: Search) -> None:
    attributes = only(filled, ask(Level.SERIES, keys={"SeriesInstanceUID": uid("1.1")}, defaults=True))
    assert attributes["0020000D"]["Value"] == [uid("1")]
    assert attributes["00100020"]["Value"] == ["PAT_001"]
    assert attributes["00201209"]["Value"] == [2]
    assert len(attributes["00400275"]["Value"]) == 2
    assert "00280010" not in attributes


def test_defaults_of_an_instance(filled: Search) -> None:
    attributes = only(filled, ask(Level.IMAGE, keys={"SOPInstanceUID": uid("1.1.1")}, defaults=True))
    assert attributes["00280010"]["Value"] == [512]
    assert "00280011" not in attributes
    assert [attributes[t]["Value"] for t in ("0020000D", "0020000E", "00080018")] == [
        [uid("1")],
        [uid("1.1")],
        [uid("1.1.1")],
    ]


def test_keys_of_the_match(filled: Search) -> None:
    keys = {
        level: next(filled.stream(VIEWER, ask(level, keys={} if level is Level.PATIENT else ONE))).key
        for level in Level
    }
    assert keys[Level.PATIENT].study == ""
    assert (keys[Level.STUDY].study, keys[Level.STUDY].series) == (uid("1"), "")
    assert (keys[Level.SERIES].series, keys[Level.SERIES].instance) == (uid("1.1"), "")
    assert keys[Level.IMAGE].instance == uid("1.1.1")


def test_attributes_from_the_stored_object(filled: Search) -> None:
    query = ask(Level.IMAGE, "SliceThickness", "00111001", "PatientComments", keys={"Rows": "256"})
    attributes = only(filled, query)
    assert attributes["00180050"] == {"vr": "DS", "Value": [3]}
    assert attributes["00111001"] == {"vr": "UN"}
    assert attributes["00104000"]["Value"] == ["Allergic to penicillin"]
    study = only(filled, ask(Level.STUDY, "00111001", keys={"StudyInstanceUID": uid("7")}))
    assert study["00111001"] == {"vr": "LO", "Value": ["secret"]}


def test_pixel_data_is_not_for_searches(db: Database) -> None:
    add(db, _ct(1))
    attributes = only(Search(db), ask(Level.IMAGE, "PixelData", "WaveformData"))
    assert attributes["7FE00010"] == {"vr": "OW"}


def test_attributes_of_lower_levels_stay_empty(filled: Search) -> None:
    assert only(filled, ask(Level.STUDY, "Modality", keys=ONE))["00080060"] == {"vr": "CS"}


def test_only_the_attributes_of_a_sequence_that_were_asked_for(filled: Search) -> None:
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    series = {"SeriesInstanceUID": uid("1.1")}
    pruned = only(filled, ask(Level.SERIES, path, keys=series))["00400275"]["Value"]
    assert pruned == [{"00400009": {"vr": "SH", "Value": [f"SPS{n}"]}} for n in (1, 2)]
    whole = only(filled, ask(Level.SERIES, path, "RequestAttributesSequence", keys=series))
    assert set(whole["00400275"]["Value"][0]) == {"00400009", "00401001"}


def test_everything_known_at_the_level(filled: Search) -> None:
    attributes = only(filled, ask(Level.STUDY, keys=ONE, everything=True))
    assert {"00104000", "00081060", "00081032", "00201206", "00081030"} <= set(attributes)
    assert "00080060" not in attributes


def test_transfer_syntax_and_classes(filled: Search) -> None:
    query = ask(Level.IMAGE, "AvailableTransferSyntaxUID", "SOPClassesInStudy", keys={"Rows": "256"})
    attributes = only(filled, query)
    assert attributes["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert len(attributes["00080062"]["Value"]) == 2


def test_tags_are_in_order(filled: Search) -> None:
    for match in filled.stream(VIEWER, ask(Level.IMAGE, "SliceThickness", everything=True)):
        assert list(match.attributes) == sorted(match.attributes)


# --- order and pages


def test_order(filled: Search) -> None:
    studies = [m.key.study for m in filled.stream(VIEWER, ask(Level.STUDY))]
    assert studies == [uid(n) for n in "85423176"]
    series = [m.key.series for m in filled.stream(VIEWER, ask(Level.SERIES))]
    assert series == [uid(s) for s in ("8.1", "5.1", "4.1", "2.1", "3.2", "3.1", "1.1", "1.2", "7.1", "6.1")]
    patients = [value(m, "PatientID") for m in filled.stream(VIEWER, ask(Level.PATIENT, "PatientID"))]
    assert patients == [None, ["pat_001"], ["PAT-002"], ["PAT_001"], ["KR1"], ["PATX001"], ["JP1"]]


def _ct(number: int | None, study: str = "1.2.3", date: str = "20260102", series: str = "") -> Any:
    ds = ct_dataset(
        study, series or f"{study}.1", number or 0, patient=Patient(), rows=1, columns=1, pixels=b"\0\0"
    )
    ds.StudyDate = date
    if number is None:
        del ds.InstanceNumber
    return ds


def test_instances_without_a_number_come_last(db: Database) -> None:
    add(db, _ct(None), _ct(10), _ct(-1), _ct(0), _ct(None), _ct(2))
    found = Search(db).stream(VIEWER, ask(Level.IMAGE, "InstanceNumber"))
    assert [value(m, "InstanceNumber") for m in found] == [[-1], [0], [2], [10], None, None]


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_chunks_continue_where_they_ended(
    db: Database, monkeypatch: pytest.MonkeyPatch, level: Level
) -> None:
    add(
        db,
        *(
            _ct(None if i % 3 else i, f"1.2.{s}", f"2020010{s % 3}" if s % 4 else "", f"1.2.{s}.{e}")
            for s in range(1, 8)
            for e in range(2)
            for i in range(3)
        ),
    )
    search = Search(db)
    whole = [m.key for m in search.stream(VIEWER, ask(level))]
    monkeypatch.setattr(find, "_CHUNK", 2)
    assert [m.key for m in search.stream(VIEWER, ask(level))] == whole
    assert len(set(whole)) == len(whole) == {Level.STUDY: 7, Level.SERIES: 14, Level.IMAGE: 42}[level]
    pages = [search.page(VIEWER, ask(level, offset=at, limit=3)) for at in range(0, len(whole) + 3, 3)]
    assert [m.key for page in pages for m in page.matches] == whole
    assert [page.more for page in pages] == [at + 3 < len(whole) for at in range(0, len(whole) + 3, 3)]


def test_a_stream_is_not_disturbed_by_arrivals(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_CHUNK", 2)
    add(db, *(_ct(1, f"1.2.{s}", f"202001{s:02}") for s in range(1, 11)))
    seen = []
    for n, match in enumerate(Search(db).stream(VIEWER, ask(Level.STUDY))):
        seen.append(match.key.study)
        add(db, _ct(1, f"1.3.{n}", f"202002{n + 1:02}"))  # newer than all: before the start
    assert seen == [f"1.2.{s}" for s in range(10, 0, -1)]


def test_limits(filled: Search) -> None:
    assert len(filled.page(VIEWER, ask(Level.STUDY)).matches) == 8
    none = filled.page(VIEWER, ask(Level.STUDY, limit=0))
    assert (none.matches, none.more) == ((), True)
    assert filled.page(VIEWER, ask(Level.STUDY, offset=100)).matches == ()
    assert len(list(filled.stream(VIEWER, ask(Level.STUDY, limit=3)))) == 3


def test_pages_of_what_columns_cannot_decide(filled: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_CHUNK", 2)
    keys = {"RequestAttributesSequence.RequestedProcedureID": "RP*"}
    assert [m.key.study for m in filled.stream(VIEWER, ask(Level.STUDY, keys=keys))] == [uid("1")]
    keys = {"PatientComments": "Allergic*"}
    for level, count in ((Level.STUDY, 2), (Level.SERIES, 3), (Level.IMAGE, 4)):
        whole = [m.key for m in filled.stream(VIEWER, ask(level, keys=keys))]
        assert len(whole) == count
        pages = [filled.page(VIEWER, ask(level, keys=keys, offset=at, limit=1)) for at in range(count)]
        assert [page.matches[0].key for page in pages] == whole
        assert [page.more for page in pages] == [True] * (count - 1) + [False]


def test_a_scan_that_is_too_wide_is_refused(
    db: Database, filled: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "_CHUNK", 2)
    narrow = Search(db, scan_limit=4)
    with pytest.raises(Invalid, match="too many") as caught:
        list(narrow.stream(VIEWER, ask(Level.STUDY, keys={"PatientComments": "x"})))
    assert "narrow" in caught.value.hint
    few = ask(Level.STUDY, keys={"PatientComments": "Allerg*", "PatientID": "PAT_001"})
    assert len(list(narrow.stream(VIEWER, few))) == 2


# --- free text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("doe", "1 2 8"),
        ("DOE thorax", "1 8"),
        ("muller", "3"),
        ("山田", "4"),
        ("pat_001", "1 7 8"),
        ("a%1", "1"),
        ("jo* 50%", "1"),
        (uid("5"), "5"),
        ("nobody", ""),
    ],
)
def test_free_text(filled: Search, text: str, found: str) -> None:
    query = parse.free_text(ask(Level.STUDY), text)
    assert {m.key.study for m in filled.stream(VIEWER, query)} == {uid(n) for n in found.split()}


def test_free_text_finds_patients_and_series(filled: Search) -> None:
    patients = filled.stream(VIEWER, parse.free_text(ask(Level.PATIENT, "PatientID"), "thorax doe"))
    assert [value(m, "PatientID") for m in patients] == [["PAT_001"]]
    series = filled.stream(VIEWER, parse.free_text(ask(Level.SERIES), "jane"))
    assert [m.key.series for m in series] == [uid("2.1")]


# --- who asked


def test_every_query_leaves_one_row(db: Database, filled: Search) -> None:
    keys = {"PatientID": "PAT_001", "StudyInstanceUID": uid("1"), "PatientName": "Doe*"}
    filled.page(VIEWER, ask(Level.SERIES, keys=keys))
    (row,) = trail(db)
    assert (row.actor, row.action, row.outcome) == ("viewer", "search", "ok")
    assert (row.patient_id, row.study_uid) == ("PAT_001", uid("1"))
    assert row.detail == "SERIES PatientID StudyInstanceUID PatientName"


def test_a_stream_is_recorded_when_it_is_asked_for(db: Database, filled: Search) -> None:
    stream = filled.stream(VIEWER, ask(Level.STUDY))
    assert len(list(trail(db))) == 1
    assert len(list(islice(stream, 2))) == 2
    assert len(list(trail(db))) == 1


def test_who_may_not_search_is_refused_and_recorded(db: Database, filled: Search) -> None:
    for search in (filled.page, filled.stream):
        with pytest.raises(Forbidden):
            search(SENDER, ask(Level.STUDY))
    assert [(row.actor, row.outcome) for row in trail(db)] == [("sender", "forbidden")] * 2


def test_warnings_travel_with_the_page(filled: Search) -> None:
    page = filled.page(VIEWER, ask(Level.STUDY, keys={"NumberOfStudyRelatedInstances": "3"}))
    assert len(page.matches) == 8
    assert page.warnings == ("NumberOfStudyRelatedInstances is not matched: it is counted by the archive",)


# --- cost


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ({"PatientID": "PAT*"}, "ix_patients_patient_id"),
        ({"AccessionNumber": "A1"}, "ix_studies_accession_number"),
        ({"StudyDate": "20200101-20200102"}, "ix_studies_"),
        ({"StudyInstanceUID": "1.2"}, "ix_studies_study_instance_uid"),
        ({"SeriesInstanceUID": "1.2"}, "ix_series_series_instance_uid"),
        ({"PatientName": "doe*=="}, "ix_patients_patient_name_a"),
        ({}, "ix_studies_newest"),
    ],
)
def test_an_index_serves(tmp_path: Path, keys: dict[str, str], index: str) -> None:
    db = create(Database(sqlite_url(tmp_path / "index.sqlite"), durable=False))
    add(db, *objects())
    statement = sql.select(plan.plan(ask(Level.STUDY, keys=keys)), limit=10)
    compiled = statement.compile(db.engine)
    with db.read() as tx:
        lines = tx.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.construct_params().values())
        )
        explained = " ".join(str(row[3]) for row in lines)
    db.close()
    assert index in explained

"""Keys become conditions, or a refusal that says what is expected."""

import pathlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.db.connection import Database, sqlite_url
from pacs.dicom.attributes import ATTRIBUTES, tag_of
from pacs.dicom.level import Level
from pacs.errors import Invalid
from pacs.query import parse
from pacs.query.find import Search
from pacs.query.model import DateTimeRange, Exact, FreeText, Path, Query, Range, Wildcard, Within
from tests.unit.query.filled import VIEWER, create

NAME, STUDY, DATE, TIME = map(tag_of, ("PatientName", "StudyInstanceUID", "StudyDate", "StudyTime"))
SEQUENCE, STEP = tag_of("RequestAttributesSequence"), tag_of("ScheduledProcedureStepID")


def ask(**keys: str) -> Query:
    return parse.from_keys(Level.STUDY, [(parse.path(k), tuple(v.split("\\"))) for k, v in keys.items()])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("PatientName", (NAME,)),
        ("00100010", (NAME,)),
        ("0020000d", (STUDY,)),
        ("00400275.00400009", (SEQUENCE, STEP)),
        ("RequestAttributesSequence.ScheduledProcedureStepID", (SEQUENCE, STEP)),
        ("00091001", (0x00091001,)),
    ],
)
def test_path(text: str, path: Path) -> None:
    assert parse.path(text) == path


@pytest.mark.parametrize(
    "text", ["", "Nonsense", "patientname", "0010001", "PatientName.PatientID", "a.b", "."]
)
def test_no_path(text: str) -> None:
    with pytest.raises(Invalid):
        parse.path(text)


def test_universal_keys_are_returned_and_not_matched() -> None:
    query = parse.from_keys(Level.STUDY, [((NAME,), ()), ((STUDY,), ("",)), ((DATE,), ("*",))])
    assert query.conditions == ()
    assert query.returned == ((NAME,), (STUDY,), (DATE,))


def test_what_belongs_to_the_wire_is_neither() -> None:
    query = ask(QueryRetrieveLevel="STUDY", SpecificCharacterSet="ISO_IR 100", RetrieveAETitle="X")
    assert (query.conditions, query.returned, query.warnings) == ((), (), ())


def test_group_lengths_are_no_keys() -> None:
    assert parse.from_keys(Level.STUDY, [((0x00100000,), ("4",))]).returned == ()


def test_list_of_uids() -> None:
    assert ask(StudyInstanceUID="1.2\\1.3").conditions == (Exact((STUDY,), ("1.2", "1.3")),)


def test_a_key_said_twice_matches_either() -> None:
    query = parse.from_keys(Level.STUDY, [((STUDY,), ("1.2",)), ((STUDY,), ("1.3",))])
    assert query.conditions == (Exact((STUDY,), ("1.2", "1.3")),)


def test_names_are_folded() -> None:
    assert ask(PatientName="MÜLLER^J^^=*").conditions == (Wildcard((NAME,), ("muller^j=*=",)),)


@pytest.mark.parametrize("name", ["=", "*=*", "==*", "^^"])
def test_names_that_say_nothing(name: str) -> None:
    assert ask(PatientName=name).conditions == ()


def test_ranges() -> None:
    assert ask(StudyDate="20200101 - 20200131").conditions == (Range((DATE,), "20200101", "20200131"),)
    assert ask(StudyTime="10-1159").conditions == (Range((TIME,), "100000.000000", "115960.999999"),)


def test_several_dates_and_no_several_ranges() -> None:
    assert ask(StudyDate="20200101\\20200103").conditions == (Exact((DATE,), ("20200101", "20200103")),)
    with pytest.raises(Invalid, match="StudyDate expects"):
        ask(StudyDate="20200101-\\20200103")
    with pytest.raises(Invalid, match="StudyTime expects"):
        ask(StudyTime="10\\11")


@pytest.mark.parametrize(
    ("date", "time", "low", "high"),
    [
        ("20200101-20200103", "10-12", "20200101100000.000000", "20200103125960.999999"),
        ("20200101-", "10-", "20200101100000.000000", ""),
        ("-20200103", "-12", "", "20200103125960.999999"),
        ("20200101-20200103", "10-", "20200101100000.000000", "20200103235960.999999"),
        ("20200101", "10-12", "20200101100000.000000", "20200101125960.999999"),
    ],
)
def test_combined(date: str, time: str, low: str, high: str) -> None:
    query = parse.from_keys(Level.STUDY, [((DATE,), (date,)), ((TIME,), (time,))], combined=True)
    (condition,) = query.conditions
    assert isinstance(condition, DateTimeRange)
    assert (condition.low, condition.high.ljust(len(high))) == (low or condition.low, high)


def test_one_time_on_several_days_is_not_combined() -> None:
    keys: list[tuple[Path, tuple[str, ...]]] = [((DATE,), ("20200101-20200103",)), ((TIME,), ("10",))]
    assert len(parse.from_keys(Level.STUDY, keys, combined=True).conditions) == 2


def test_keys_of_one_item_stay_together() -> None:
    other = tag_of("RequestedProcedureID")
    query = parse.from_keys(Level.SERIES, [((SEQUENCE, STEP), ("A",)), ((SEQUENCE, other), ("B*",))])
    assert query.conditions == (Within((SEQUENCE,), (Exact((STEP,), ("A",)), Wildcard((other,), ("B*",)))),)


def test_a_path_through_what_is_no_sequence() -> None:
    with pytest.raises(Invalid, match="PatientName is not a sequence"):
        parse.from_keys(Level.STUDY, [((NAME, STEP), ("A",))])


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("NumberOfStudyRelatedInstances", "3"),
        ("InstanceAvailability", "NEARLINE"),
        ("TimezoneOffsetFromUTC", "+0100"),
        ("PixelData", "abc"),
    ],
)
def test_what_cannot_be_matched_is_said(keyword: str, value: str) -> None:
    query = ask(**{keyword: value})
    assert query.conditions == ()
    assert [warning.split()[0] for warning in query.warnings] == [keyword]
    assert ask(**{keyword: ""}).warnings == ()


def test_lower_levels_without_relational_queries() -> None:
    query = parse.from_keys(Level.STUDY, [(parse.path("Modality"), ("CT",))], relational=False)
    assert query.conditions == ()
    assert query.warnings == ("Modality is not matched: it belongs to a lower level",)


@pytest.mark.parametrize(
    ("keyword", "form", "most"),
    [
        ("PatientID", "A%d*", 900),
        ("PatientName", "A%d", 300),
        ("PatientName", "*A%d*=?", 300),
        ("ModalitiesInStudy", "A%d", 900),
        ("SOPClassesInStudy", "1.%d", 900),
    ],
)
def test_alternatives_beyond_what_a_database_takes(
    keyword: str, form: str, most: int, tmp_path: pathlib.Path
) -> None:
    db = create(Database(sqlite_url(tmp_path / "index.db"), durable=False))
    query = ask(**{keyword: "\\".join(form % n for n in range(most))})
    assert Search(db).page(VIEWER, query).matches == ()
    db.close()
    with pytest.raises(Invalid, match=f"{keyword} has more than {most} values"):
        ask(**{keyword: "\\".join(form % n for n in range(most + 1))})


@pytest.mark.parametrize(("keyword", "form"), [("PatientID", "A%d"), ("StudyInstanceUID", "1.%d")])
def test_lists_may_be_long(keyword: str, form: str) -> None:
    assert ask(**{keyword: "\\".join(form % n for n in range(10_000))}).conditions
    with pytest.raises(Invalid, match=f"{keyword} has more than 10000 values"):
        ask(**{keyword: "\\".join(form % n for n in range(10_001))})


@pytest.mark.parametrize(("offset", "limit"), [(-1, None), (0, -1)])
def test_negative_paging(offset: int, limit: int) -> None:
    with pytest.raises(Invalid):
        parse.from_keys(Level.STUDY, [], offset=offset, limit=limit)


@pytest.mark.parametrize("value", ["a\0b", "a\udc80", "x" * 5000])
def test_text_that_no_database_takes(value: str) -> None:
    with pytest.raises(Invalid):
        ask(PatientID=value)


def test_too_many_values() -> None:
    with pytest.raises(Invalid, match="more than 10000"):
        parse.from_keys(Level.STUDY, [((STUDY,), ("1.2",) * 10_001)])


def test_free_text() -> None:
    query = parse.free_text(ask(PatientID="1"), "  doe  ct* * ")
    assert query.conditions[-1] == FreeText(("doe", "ct*"))
    assert parse.free_text(query, " ") is query


@given(
    keyword=st.sampled_from([a.keyword for a in ATTRIBUTES]),
    values=st.lists(st.text(max_size=20), max_size=3),
    level=st.sampled_from(Level),
)
def test_any_value_is_understood_or_refused(keyword: str, values: list[str], level: Level) -> None:
    with suppress(Invalid):
        parse.from_keys(level, [((tag_of(keyword),), tuple(values))], combined=True)

"""Fuzzy matching, order, totals, sequences and paging of QIDO-RS over HTTP (PS3.18 8.3.4, 10.6)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, ct_series, fresh_uid
from tests.support.web_client import Web, value

PEOPLE = {
    "Müller^Katharina": ("20200101", "Mayer^Jon"),
    "Mueller^Catherine": ("20200103", "Schmidt^Anna"),
    "Miller^John": ("20200102", "Smyth^Anne"),
    "Doe^Jane": ("", "Doe^John"),
    "Yamada^Tarou=山田^太郎=やまだ^たろう": ("20191231", "Meier^Jon"),
    "Smith-Jones^Ann": ("20200104", ""),
}


def study_of(name: str, number: int) -> DicomObject:
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(name=name, id=f"P{number}"), rows=8, columns=8,
        pixels=bytes(128),
    )  # fmt: skip
    ds.StudyDate, ds.ReferringPhysicianName = PEOPLE[name]
    ds.AccessionNumber = f"ROW{number}"
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = f"C{number}", "99X", "Chest"
    item.ScheduledProcedureStepID, item.RequestedProcedureID = f"S{number}", f"R{number}"
    item.ScheduledProtocolCodeSequence = Sequence([code])
    ds.RequestAttributesSequence = Sequence([item])
    return as_object(ds)


@dataclass(frozen=True, slots=True)
class Room:
    root: str
    by_name: dict[str, DicomObject]

    def names(self, query: str) -> list[str]:
        """Whose studies are found, in order."""
        answer = httpx.get(f"{self.root}/studies?{query}")
        assert answer.status_code == 200, answer.text
        uids = {item.study: name for name, item in self.by_name.items()}
        return [uids[value(one, "0020000D")] for one in answer.json()]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    by_name = {name: study_of(name, number) for number, name in enumerate(PEOPLE)}
    with running(Config(data=tmp_path_factory.mktemp("people"))) as url:
        assert Web(f"{url}/dicom-web").store(by_name.values()).status == 200
        yield Room(f"{url}/dicom-web", by_name)


MILLERS = {"Müller^Katharina", "Mueller^Catherine", "Miller^John"}
YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize(
    ("key", "asked", "found"),
    [
        ("PatientName", "Moeller", MILLERS),
        ("PatientName", "MULLER", MILLERS),
        ("PatientName", "Kathrin^Miller", {"Müller^Katharina", "Mueller^Catherine"}),
        ("PatientName", "catherine mueller", {"Müller^Katharina", "Mueller^Catherine"}),
        ("PatientName", "Jon Miler", {"Miller^John"}),
        ("PatientName", "Schmidt", {"Smith-Jones^Ann"}),
        ("PatientName", "*doe*", {"Doe^Jane"}),
        ("PatientName", "*mil*", {"Miller^John"}),
        ("PatientName", "Day", set()),
        ("PatientName", "ヤマダ", {YAMADA}),
        ("PatientName", "山田", {YAMADA}),
        ("PatientName", "*", set(PEOPLE)),
        ("ReferringPhysicianName", "Mayr", {"Müller^Katharina", YAMADA}),
        ("ReferringPhysicianName", "Schmitt^Ann", {"Mueller^Catherine", "Miller^John"}),
    ],
)
def test_names_that_sound_alike(room: Room, key: str, asked: str, found: set[str]) -> None:
    assert set(room.names(f"AccessionNumber=ROW*&{key}={quote(asked)}&fuzzymatching=true")) == found


def test_without_fuzzy_matching_names_are_literal(room: Room) -> None:
    assert room.names("PatientName=Moeller") == []
    assert room.names("PatientName=Moeller&fuzzymatching=false") == []
    assert set(room.names("PatientName=mu*")) == {"Müller^Katharina", "Mueller^Catherine"}


def test_a_name_that_is_corrected_is_found_by_its_new_sound(room: Room) -> None:
    items = ct_series(1, patient=Patient(name="Quux^Old", id=""))
    web = Web(room.root)
    assert web.store(items).status == 200
    ds = ct_dataset(
        items[0].study, items[0].series, 1, patient=Patient(name="Zanzibar^New", id=""), rows=8, columns=8,
        pixels=bytes(128),
    )  # fmt: skip
    ds.SOPInstanceUID = items[0].instance
    assert web.store([as_object(ds)]).status in {200, 202}
    query = {"fuzzymatching": "true"}
    assert web.search("/studies", query | {"PatientName": "Kwux"}) == []
    (one,) = web.search("/studies", query | {"PatientName": "Sansibar"})
    assert value(one, "0020000D") == items[0].study


@pytest.mark.parametrize(
    ("order", "dates"),
    [
        ("StudyDate", ["20191231", "20200101", "20200102", "20200103", "20200104", ""]),
        ("-StudyDate", ["20200104", "20200103", "20200102", "20200101", "20191231", ""]),
        ("00080020", ["20191231", "20200101", "20200102", "20200103", "20200104", ""]),
    ],
)
def test_order(room: Room, order: str, dates: list[str]) -> None:
    query = f"AccessionNumber=ROW*&orderby={order}"
    assert [PEOPLE[name][0] for name in room.names(query)] == dates
    paged = [room.names(f"{query}&limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert list(itertools.chain(*paged)) == room.names(query)


def test_order_by_several_and_by_names(room: Room) -> None:
    by_name = room.names("AccessionNumber=ROW*&orderby=PatientName")
    assert by_name[0] == "Doe^Jane"
    assert by_name[-1] == YAMADA
    assert room.names("AccessionNumber=ROW*&orderby=PatientSex,-PatientName") == by_name[::-1]


@pytest.mark.parametrize("order", ["SeriesNumber", "PatientComment", "StudyDate.PatientID", "PatientAge"])
def test_an_order_there_is_none_of(room: Room, order: str) -> None:
    assert httpx.get(f"{room.root}/studies?orderby={order}").status_code == 400


def test_the_total_when_it_is_asked_for(room: Room) -> None:
    def total(query: str, path: str = "/studies") -> str | None:
        found: str | None = httpx.get(f"{room.root}{path}?{query}").headers.get("x-total-count")
        return found

    assert total("AccessionNumber=ROW*&limit=2&totalcount=true") == str(len(PEOPLE))
    assert total("AccessionNumber=ROW*&limit=2&offset=50&totalcount=true") == str(len(PEOPLE))
    assert total("RequestAttributesSequence.ScheduledProcedureStepID=S1&totalcount=true", "/series") == "1"
    assert total("AccessionNumber=ROW*") is None


@pytest.mark.parametrize(
    "key",
    [
        "RequestAttributesSequence.ScheduledProcedureStepID=S2",
        "00400275.00400009=S2",
        "00400275.RequestedProcedureID=R*&00400275.00400009=S2",
        "RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue=C2",
    ],
)
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_sequences_are_matched_by_their_path(room: Room, path: str, key: str) -> None:
    (one,) = httpx.get(f"{room.root}{path}?{key}").json()
    assert value(one, "0020000D") == room.by_name["Miller^John"].study


def test_sequences_are_returned_whole_and_in_part(room: Room) -> None:
    study = room.by_name["Miller^John"].study

    def sequence(field: str) -> dict[str, object]:
        (one,) = httpx.get(f"{room.root}/studies/{study}/series?includefield={field}").json()
        found: dict[str, object] = one["00400275"]["Value"][0]
        return found

    assert {"00400009", "00401001", "00400008"} <= set(sequence("RequestAttributesSequence"))
    (one,) = httpx.get(
        f"{room.root}/instances?StudyInstanceUID={study}&includefield=00400275.00400008"
    ).json()
    assert value(one["00400275"]["Value"][0]["00400008"]["Value"][0], "00080100") == "C2"


@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_uids_by_comma_backslash_and_repetition(room: Room, path: str) -> None:
    first, second = (room.by_name[name].study for name in ("Miller^John", "Doe^Jane"))
    for query in (
        f"StudyInstanceUID={first},{second}",
        f"StudyInstanceUID={first}%5C{second}",
        f"StudyInstanceUID={first}&StudyInstanceUID={second}",
        f"0020000D={first}%2C{second}",
    ):
        found = {value(one, "0020000D") for one in httpx.get(f"{room.root}{path}?{query}").json()}
        assert found == {first, second}


def test_a_key_that_cannot_be_matched_is_said(room: Room) -> None:
    answer = httpx.get(f"{room.root}/studies?NumberOfStudyRelatedSeries=1")
    assert answer.status_code == 200
    assert answer.headers["warning"].startswith("299 ")
    assert "NumberOfStudyRelatedSeries" in answer.headers["warning"]


@pytest.mark.parametrize("path", ["/studies", "/series", "/instances", "/workitems"])
@pytest.mark.parametrize("parameter", ["emptyvaluematching", "multiplevaluematching"])
def test_a_kind_of_matching_that_is_not_done_is_said(room: Room, path: str, parameter: str) -> None:
    """PS3.18 8.3.4.5 and 8.3.4.6, in their words."""
    answer = httpx.get(f"{room.root}{path}?{parameter}=true")
    assert f"The {parameter} parameter is not supported. " in answer.headers["warning"]
    assert "Value Matching has not been performed." in answer.headers["warning"]
    assert "warning" not in httpx.get(f"{room.root}{path}?{parameter}=false").headers
    assert httpx.get(f"{room.root}{path}?{parameter}=1").status_code == 400


PAGED = [
    ("/studies", "0020000D", {"PatientID": "PAGED"}),
    ("/studies", "0020000D", {"PatientID": "PAGED", "orderby": "-StudyDate,StudyTime"}),
    ("/studies", "0020000D", {"PatientID": "PAGED", "Manufacturer": "Synth*"}),  # of stored objects alone
    ("/series", "0020000E", {"PatientID": "PAGED"}),
    ("/instances", "00080018", {"PatientID": "PAGED"}),
]


@pytest.mark.parametrize(("path", "tag", "query"), PAGED, ids=lambda one: str(one)[:60])
def test_pages_neither_repeat_nor_miss_while_others_store(
    room: Room, path: str, tag: str, query: dict[str, str]
) -> None:
    """What was there when paging began comes exactly once, whatever matches come in meanwhile: in front of
    what has been read, in its midst and behind."""
    web = Web(room.root)
    first = [aged(f"2026{month:02}15") for month in range(1, 13)]
    assert web.store([*first, *(aged("20260301", item.study) for item in first)]).status == 200
    before = {value(one, tag) for one in web.search(path, query | {"limit": "5000"})}
    for limit in (3, 7, 50):
        seen: list[str] = []
        while page := web.search(path, query | {"limit": str(limit), "offset": str(len(seen))}):
            seen += [value(one, tag) for one in page]
            if len(seen) <= 5 * limit:
                late = [aged("20270101"), aged("20260701"), aged("20250101")]
                assert web.store(late).status == 200
        assert len(seen) == len(set(seen)), "a row came twice"
        assert before <= set(seen), "a row was missed"


def aged(day: str, study: str = "") -> DicomObject:
    ds = ct_dataset(
        study or fresh_uid(),
        fresh_uid(),
        1,
        patient=Patient(id="PAGED"),
        rows=8,
        columns=8,
        pixels=bytes(128),
    )
    ds.StudyDate = day
    return as_object(ds)


def test_pages_after_a_new_beginning_show_what_has_come(room: Room) -> None:
    """Who begins at the top again sees the new studies, and a caller that jumps is counted for."""
    web = Web(room.root)
    items = [aged(f"2030010{day}") for day in range(1, 7)]
    assert web.store(items[:4]).status == 200

    def page(offset: int, limit: int = 2) -> list[str]:
        query = {"PatientID": "PAGED", "StudyDate": "20300101-", "limit": str(limit), "offset": str(offset)}
        return [value(one, "0020000D") for one in web.search("/studies", query)]

    uids = [item.study for item in items]
    assert page(0) == [uids[3], uids[2]]
    assert web.store(items[4:]).status == 200
    assert page(2) == [uids[1], uids[0]]
    assert page(4) == []
    assert page(3, 3) == [uids[2], uids[1], uids[0]]
    assert page(0) == [uids[5], uids[4]]
    assert page(2) == [uids[3], uids[2]]
    assert page(2) == [uids[3], uids[2]], "asked again, the same"

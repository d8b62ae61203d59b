"""C-FIND key by key (PS3.4 C.2.2.2, C.4.1, C.6): what is matched, and what every answer carries."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context

from tests.conformance.dimse.conftest import House, serving
from tests.contract.matching_cases import objects, uid
from tests.support.dimse_client import PATIENT_ROOT, STUDY_ROOT, identifier
from tests.support.factory import as_object

REQUEST = "RequestAttributesSequence"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("keys")) as house:
        assert set(house.client.store(map(as_object, objects())).values()) == {0}
        yield house


def studies(house: House, **keys: object) -> list[str]:
    """Which studies of the table are found at the STUDY level."""
    status, found = house.client.find(identifier("STUDY", StudyInstanceUID="", **keys))
    assert status == 0
    return sorted(one.StudyInstanceUID.removeprefix(uid("")) for one in found)


def one(house: House, level: str, model: UID = STUDY_ROOT, **keys: object) -> Dataset:
    status, (found,) = house.client.find(identifier(level, **keys), model)
    assert status == 0
    return found


COUNTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("PATIENT", {"PatientID": "PAT_001"}, {"NumberOfPatientRelatedStudies": 2,
     "NumberOfPatientRelatedSeries": 3, "NumberOfPatientRelatedInstances": 4}),
    ("STUDY", {"StudyInstanceUID": uid("1")}, {"NumberOfPatientRelatedStudies": 2,
     "NumberOfStudyRelatedSeries": 2, "NumberOfStudyRelatedInstances": 3, "ModalitiesInStudy": ["CT", "SR"]}),
    ("SERIES", {"SeriesInstanceUID": uid("1.1")}, {"NumberOfSeriesRelatedInstances": 2,
     "NumberOfStudyRelatedInstances": 3}),
    ("IMAGE", {"SOPInstanceUID": uid("3.2.1")}, {"NumberOfSeriesRelatedInstances": 1,
     "NumberOfPatientRelatedInstances": 2, "ModalitiesInStudy": ["CT", "PT"]}),
]  # fmt: skip


@pytest.mark.parametrize(("level", "key", "counts"), COUNTS, ids=[level for level, _, _ in COUNTS])
def test_counts(house: House, level: str, key: dict[str, Any], counts: dict[str, Any]) -> None:
    found = one(house, level, PATIENT_ROOT, **key, **dict.fromkeys(counts, None))
    for keyword, expected in counts.items():
        value = found[keyword].value
        assert (sorted(value) if isinstance(expected, list) else value) == expected, keyword


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_every_answer_says_what_and_where_it_is(house: House, level: str) -> None:
    """(0008,0005), (0008,0052), (0008,0054), (0008,0056) (PS3.4 C.4.1.1.3.2)."""
    status, found = house.client.find(identifier(level, PatientID=""), PATIENT_ROOT)
    assert status == 0
    assert len(found) > 5
    for answer in found:
        assert answer.SpecificCharacterSet == "ISO_IR 192"
        assert answer.QueryRetrieveLevel == level
        assert answer.RetrieveAETitle == "HILUM"
        assert answer.InstanceAvailability == "ONLINE"


def test_keys_of_a_lower_level_come_back_empty(house: House) -> None:
    found = one(house, "STUDY", StudyInstanceUID=uid("1"), SeriesInstanceUID="", Modality="", Rows=None)
    for keyword in ("SeriesInstanceUID", "Modality", "Rows"):
        assert keyword in found
        assert found[keyword].is_empty


def test_keys_of_a_lower_level_are_matched_too(house: House) -> None:
    """Baseline clients ask for Modality at the STUDY level; all studies would be no help to them."""
    assert studies(house, Modality="PT") == ["3"]
    assert studies(house, SOPInstanceUID=uid("3.2.1")) == ["3"]


def test_keys_of_a_higher_level(house: House) -> None:
    status, found = house.client.find(
        identifier("IMAGE", PatientID="PAT_001", StudyDate="20200115", Modality="SR", SOPInstanceUID="")
    )
    assert (status, [a.SOPInstanceUID for a in found]) == (0, [uid("1.2.1")])
    assert (found[0].PatientID, found[0].StudyDate) == ("PAT_001", "20200115")


def test_list_of_uids(house: House) -> None:
    wanted = [uid("1"), "1.2.3.4", uid("7")]
    status, found = house.client.find(identifier("STUDY", StudyInstanceUID=wanted))
    assert (status, sorted(a.StudyInstanceUID for a in found)) == (0, [uid("1"), uid("7")])


def test_a_star_is_universal_and_finds_what_has_no_value(house: House) -> None:
    assert len(studies(house)) == len(studies(house, AccessionNumber="*", PatientName="*")) == 8


@pytest.mark.parametrize(
    ("dates", "expected"),
    [("20200220", "23"), ("20200115-20200220", "123"), ("20200229-", "458"), ("-20200115", "17")],
)
def test_ranges(house: House, dates: str, expected: str) -> None:
    keys = identifier("STUDY", StudyInstanceUID="")
    keys.add_new("StudyDate", "LO", dates)  # pydicom checks values of DA
    status, found = house.client.find(keys)
    assert (status, sorted(a.StudyInstanceUID[-1] for a in found)) == (0, list(expected))


def negotiated(house: House, info: bytes, keys: Dataset) -> tuple[bytes, list[str]]:
    """The answer to an extended negotiation, and the last digits of the studies found behind it."""
    asked = SOPClassExtendedNegotiation()
    asked.sop_class_uid = STUDY_ROOT
    asked.service_class_application_information = info
    with house.client.association([build_context(STUDY_ROOT)], [asked]) as association:
        answered = association.acceptor.sop_class_extended[STUDY_ROOT]
        found = [answer for _, answer in association.send_c_find(keys, STUDY_ROOT) if answer is not None]
    return answered, sorted(answer.StudyInstanceUID[-1] for answer in found)


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value")
def test_a_date_and_its_time_are_one_moment_where_that_was_negotiated(house: House) -> None:
    keys = identifier("STUDY", StudyInstanceUID="", StudyDate="20200220-", StudyTime="0900-")
    answer, found = negotiated(house, bytes((0, 1)), keys)
    assert (answer[1], found) == (1, ["2", "4", "5", "8"])
    answer, found = negotiated(house, bytes((1, 0)), keys)
    assert (answer[:2], found) == (bytes((1, 0)), ["2", "5", "8"])


def test_names_that_sound_alike_where_that_was_negotiated(house: House) -> None:
    keys = identifier("STUDY", StudyInstanceUID="", PatientName="Mueler")
    answer, found = negotiated(house, bytes((0, 0, 1)), keys)
    assert (answer, found) == (bytes((0, 0, 1)), ["3"])
    answer, found = negotiated(house, bytes((1, 0, 0)), keys)
    assert (answer, found) == (bytes((1, 0, 0)), [])


def test_sequence_matching(house: House) -> None:
    def series(**item: str) -> list[str]:
        inner = Dataset()
        for keyword, value in item.items():
            setattr(inner, keyword, value)
        keys = identifier("SERIES", SeriesInstanceUID="", RequestAttributesSequence=[inner])
        status, found = house.client.find(keys)
        assert status == 0
        for answer in found:  # of each item what was asked for, and nothing else
            assert all({e.keyword for e in i} == set(item) for i in answer.RequestAttributesSequence)
        return [answer.SeriesInstanceUID for answer in found]

    both = {"ScheduledProcedureStepID": "SPS2", "RequestedProcedureID": "RP2"}
    assert series(**both) == [uid("1.1")]
    assert series(**{**both, "RequestedProcedureID": "RP1"}) == []
    assert len(series(ScheduledProcedureStepID="")) == 10


def test_an_empty_sequence_is_universal_and_comes_back(house: House) -> None:
    keys = identifier("SERIES", SeriesInstanceUID="", RequestAttributesSequence=[])
    status, found = house.client.find(keys)
    items = {a.SeriesInstanceUID: len(a.RequestAttributesSequence) for a in found}
    assert (status, len(found)) == (0, 10)
    assert items == {series: 2 if series == uid("1.1") else 0 for series in items}


def test_what_cannot_be_matched_is_said(house: House) -> None:
    """FF01: optional keys that were not matched (PS3.4 Table C.4-1)."""
    keys = identifier("STUDY", StudyInstanceUID=uid("1"), NumberOfStudyRelatedInstances=99)
    statuses = []
    with house.client.association([build_context(STUDY_ROOT)]) as association:
        statuses = [status.Status for status, _ in association.send_c_find(keys, STUDY_ROOT)]
    assert statuses == [0xFF01, 0]


@pytest.mark.parametrize(
    ("level", "root", "expected"),
    [
        ("PATIENT", STUDY_ROOT, 0xA900),
        ("FRAME", STUDY_ROOT, 0xA900),
        ("", PATIENT_ROOT, 0xA900),
        ("STUDY1", STUDY_ROOT, 0xA900),
        ("STUDY\\SERIES", STUDY_ROOT, 0xA900),
    ],
)
def test_a_level_that_the_model_does_not_have(house: House, level: str, root: UID, expected: int) -> None:
    assert house.client.find(identifier(level, PatientID=""), root) == (expected, [])


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value")
@pytest.mark.parametrize(("keyword", "value"), [("StudyDate", "2020"), ("StudyInstanceUID", "1.2.x")])
def test_a_value_that_is_none_is_explained(house: House, keyword: str, value: str) -> None:
    with house.client.association([build_context(STUDY_ROOT)]) as association:
        keys = identifier("STUDY", **{keyword: value})
        ((status, _),) = association.send_c_find(keys, STUDY_ROOT)
        assert status.Status == 0xC100
        assert keyword in status.ErrorComment
        assert value not in status.ErrorComment
        assert len(list(association.send_c_find(identifier("STUDY", StudyInstanceUID=""), STUDY_ROOT))) == 9


@pytest.mark.peer("dcmtk")
def test_dcmtk_asks_at_every_level(house: House) -> None:
    asked = {
        "PATIENT": "PatientID=PAT_001",
        "STUDY": "PatientID=PAT_001",
        "SERIES": f"StudyInstanceUID={uid('1')}",
        "IMAGE": f"SeriesInstanceUID={uid('1.1')}",
    }
    counts = {}
    for level, key in asked.items():
        done = subprocess.run(
            ["findscu", "-P", "-aec", "HILUM", "127.0.0.1", str(house.port), "-v",
             "-k", f"QueryRetrieveLevel={level}", "-k", key, "-k", "NumberOfSeriesRelatedInstances"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        counts[level] = (done.stdout + done.stderr).count("Find Response:")
    assert counts == {"PATIENT": 1, "STUDY": 2, "SERIES": 2, "IMAGE": 2}

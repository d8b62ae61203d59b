"""C-FIND answers as PS3.4 C.4.1 has them, asked by pynetdicom and DCMTK."""

import subprocess

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.conformance.dimse.conftest import House
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import PATIENT_ROOT, STUDY_ROOT, identifier
from tests.support.factory import Patient, ct_series

Items = tuple[DicomObject, ...]


@pytest.fixture
def filled(house: House) -> tuple[House, Items, Items]:
    one = ct_series(3, rows=8, columns=8, patient=Patient("Müller^Jörg", "P1"))
    two = ct_series(2, rows=8, columns=8, patient=Patient("Yamada^Tarou=山田^太郎", "P2"))
    assert set(house.client.store([*one, *two]).values()) == {0}
    return house, one, two


@pytest.mark.parametrize(
    ("level", "model", "count"),
    [
        ("PATIENT", PATIENT_ROOT, 2),
        ("STUDY", STUDY_ROOT, 2),
        ("STUDY", PATIENT_ROOT, 2),
        ("SERIES", STUDY_ROOT, 2),
        ("IMAGE", STUDY_ROOT, 5),
    ],
)
def test_every_level(filled: tuple[House, Items, Items], level: str, model: UID, count: int) -> None:
    house, _, _ = filled
    status, found = house.client.find(identifier(level, PatientID="", PatientName=""), model)
    assert (status, len(found)) == (0, count)
    for answer in found:
        assert answer.QueryRetrieveLevel == level
        assert answer.RetrieveAETitle == "HILUM"
        assert answer.InstanceAvailability == "ONLINE"
        assert answer.SpecificCharacterSet == "ISO_IR 192"


def test_requested_keys_are_echoed_and_no_others(filled: tuple[House, Items, Items]) -> None:
    house, one, _ = filled
    keys = identifier(
        "STUDY", PatientID="P1", StudyInstanceUID="", PatientComments="", OtherPatientIDs="", StudyDate=""
    )
    keys.ProcedureCodeSequence = []
    keys.add_new(0x00090010, "LO", "NOBODY")
    keys.add_new(0x00091001, "LO", "")
    _, (found,) = house.client.find(keys)
    assert [element.tag for element in found] == sorted(
        [element.tag for element in keys] + [0x00080005, 0x00080054, 0x00080056]
    )
    assert found.StudyInstanceUID == one[0].study
    assert found.PatientComments == ""
    assert len(found.ProcedureCodeSequence) == 0


@pytest.mark.parametrize(
    ("terms", "name", "said", "encoded"),
    [
        ("ISO_IR 100", "Mü*", "ISO_IR 100", "Müller^Jörg".encode("latin-1")),
        ("ISO_IR 192", "mu*", "ISO_IR 192", "Müller^Jörg".encode()),
        (
            ["", "ISO 2022 IR 87"],
            "Yamada*",
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        ),
        ("GB18030", "yamada*", "GB18030", "Yamada^Tarou=山田^太郎".encode("gb18030")),
        ("ISO_IR 144", "Yamada*", "ISO_IR 192", "Yamada^Tarou=山田^太郎".encode()),
    ],
    ids=["Latin-1", "UTF-8", "ISO 2022 JP", "GB18030", "does not fit"],
)
def test_character_sets(
    filled: tuple[House, Items, Items], terms: object, name: str, said: object, encoded: bytes
) -> None:
    house, _, _ = filled
    keys = Dataset()
    keys.SpecificCharacterSet = terms
    keys.QueryRetrieveLevel = "STUDY"
    keys.PatientName = name
    _, (found,) = house.client.find(keys)
    declared = found.SpecificCharacterSet
    assert (declared if isinstance(declared, str) else list(declared)) == said
    assert found.PatientName.original_string.strip() == encoded


def test_the_level_must_fit_the_model(house: House) -> None:
    assert house.client.find(identifier("PATIENT", PatientID=""))[0] == 0xA900
    assert house.client.find(identifier("FRAME", PatientID=""))[0] == 0xA900


def test_cancel(filled: tuple[House, Items, Items]) -> None:
    house, _, _ = filled
    status, found = house.client.find(identifier("IMAGE", SOPInstanceUID=""), cancel_after=1)
    assert status in {0xFE00, 0}
    assert len(found) <= 5


@pytest.mark.peer("dcmtk")
def test_findscu(filled: tuple[House, Items, Items]) -> None:
    house, one, _ = filled
    done = subprocess.run(
        ["findscu", "-S", "-aec", "HILUM", "127.0.0.1", str(house.port), "-k", "QueryRetrieveLevel=SERIES",
         "-k", f"StudyInstanceUID={one[0].study}", "-k", "SeriesInstanceUID",
         "-k", "NumberOfSeriesRelatedInstances"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert one[0].series in done.stdout + done.stderr
    assert "[3 ]" in done.stdout + done.stderr

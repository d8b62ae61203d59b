"""The columns of an object, made of its JSON (`pacs.index.entry`)."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs.dicom import header, json, uids
from pacs.dicom.level import Level
from pacs.index import entry as entries


def encoded(dataset: Dataset) -> json.Encoded:
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, implicit_vr=False, little_endian=True, force_encoding=True)
    return json.encode(header.walk(memoryview(out.getvalue()), uids.EXPLICIT_LE))


@pytest.mark.parametrize(("tag", "level"), [(0x00100020, Level.PATIENT), (0x00080060, Level.SERIES)])
def test_a_sequence_in_the_place_of_text_fills_no_column(tag: int, level: Level) -> None:
    inner = Dataset()
    inner.PatientID = "X1"
    dataset = Dataset()
    dataset.add_new(tag, "SQ", Sequence([inner]))
    row = entries.level_row(encoded(dataset), level)
    assert row["patient_id" if level is Level.PATIENT else "modality"] == ""
    assert "X1" in row["attrs"]


def test_what_is_remembered_is_short() -> None:
    """A sender may put a book into a comment of each object."""
    before = entries._remembered_row.cache_info().currsize
    for number in range(5):
        dataset = Dataset()
        dataset.PatientID = f"{number}"
        dataset.PatientComments = f"{number}" * 10_000
        assert entries.level_row(encoded(dataset), Level.PATIENT)["patient_id"] == f"{number}"
    assert entries._remembered_row.cache_info().currsize == before


def test_the_same_bytes_in_another_character_set_are_another_text() -> None:
    name = bytes.fromhex("1000 1000 504e 0600") + b"\xc3\xa4^\xc3\xa4 "
    read = []
    for term in (b"ISO_IR 100", b"ISO_IR 144", b"ISO_IR 192"):
        raw = bytes.fromhex("0800 0500 4353 0a00") + term + name
        walked = json.encode(header.walk(memoryview(raw), uids.EXPLICIT_LE))
        read.append(walked.values[0x00100010][0]["Alphabetic"])
    assert len(set(read)) == 3
    assert read[2] == "ä^ä"

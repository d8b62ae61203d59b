"""Identifiers as pydicom writes them, in every encoding and character set, and garbage."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from dimse import identifier
from dimse.identifier import Key
from pacs.dicom import uids
from pacs.errors import Invalid

SYNTAXES = (uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.EXPLICIT_BE)


def written(ds: Dataset, syntax: str) -> bytes:
    buffer = BytesIO()
    out = DicomIO(buffer)
    out.is_implicit_VR = syntax == uids.IMPLICIT_LE
    out.is_little_endian = syntax != uids.EXPLICIT_BE
    write_dataset(out, ds)
    return buffer.getvalue()


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return (
        (tag >> 16).to_bytes(2, "little")
        + (tag & 0xFFFF).to_bytes(2, "little")
        + vr
        + len(value).to_bytes(2, "little")
        + value
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_keys(syntax: str) -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.QueryRetrieveLevel = "SERIES"
    ds.RetrieveAETitle = "X"
    ds.ModalitiesInStudy = ["CT", "MR"]
    ds.PatientName = "Mü*^?"
    ds.StudyInstanceUID = ["1.2", "1.3"]
    ds.StudyID = ""
    ds.Rows = 512
    ds.NumberOfSeriesRelatedInstances = None
    ds.TimezoneOffsetFromUTC = "+0100"
    item = Dataset()
    item.ScheduledProcedureStepID = "S 1"
    item.ScheduledProtocolCodeSequence = []
    ds.RequestAttributesSequence = [item]
    ds.ProcedureCodeSequence = []
    found = identifier.decode(written(ds, syntax), syntax)
    assert found.character_set == ("ISO_IR 100",)
    assert found.text(identifier.LEVEL) == ("SERIES",)
    assert dict(found.keys()) == {
        (0x00080061,): ("CT", "MR"),
        (0x00080201,): ("+0100",),
        (0x00081032,): (),
        (0x00100010,): ("Mü*^?",),
        (0x0020000D,): ("1.2", "1.3"),
        (0x00200010,): (),
        (0x00201209,): (),
        (0x00280010,): ("512",),
        (0x00400275, 0x00400008): (),
        (0x00400275, 0x00400009): ("S 1",),
    }
    assert found.attributes[0x00081032] == Key("SQ")


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        (b"ISO_IR 192", "пример".encode(), "пример"),
        (b"GB18030 ", "王".encode("gb18030"), "王"),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^A", "山田^A"),
        (b"", "é日本".encode(), "é日本"),
        (b"", b"M\xfcller", "Müller"),
        (b"NONSENSE", "é".encode(), "é"),
        (b"ISO_IR 6", "é日本".encode(), "é日本"),
        (b"ISO_IR 6", b"M\xfcller", "Müller"),
    ],
)
def test_character_sets(terms: bytes, raw: bytes, text: str) -> None:
    data = element(0x00080005, b"CS", terms) + element(0x00100010, b"PN", raw + b" " * (len(raw) % 2))
    assert identifier.decode(data, uids.EXPLICIT_LE).attributes[0x00100010].values == (text,)


def test_a_backslash_inside_a_character_does_not_split() -> None:
    data = element(0x00080005, b"CS", b"GBK ") + element(0x00100020, b"LO", "俓A".encode("gbk").ljust(4))
    assert b"\\" in data[-4:]
    assert identifier.decode(data, uids.EXPLICIT_LE).attributes[0x00100020].values == ("俓A",)


@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_garbage_is_invalid(garbage: bytes, syntax: str) -> None:
    try:
        list(identifier.decode(garbage, syntax).keys())
    except Invalid:
        return

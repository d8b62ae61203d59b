"""DICOM JSON to bytes, read back by pydicom; stored values of any kind do no harm."""

import warnings
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dimse import dataset
from dimse.text import UNICODE, repertoire
from pacs.dicom import header, uids

SYNTAXES = (uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.EXPLICIT_BE)

ELEMENTS: dict[int, dict[str, Any]] = {
    0x00080018: {"vr": "UI", "Value": ["1.2.3"]},
    0x00080020: {"vr": "DA", "Value": ["20260102"]},
    0x00080061: {"vr": "CS", "Value": ["CT", "MR"]},
    0x00081030: {"vr": "LO"},
    0x00100010: {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
    0x00201206: {"vr": "IS", "Value": [3]},
    0x00280010: {"vr": "US", "Value": [512]},
    0x00280009: {"vr": "AT", "Value": ["00181063"]},
    0x00280030: {"vr": "DS", "Value": [0.5, 1.25]},
    0x00400275: {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["S1"]}}, {}]},
    0x00420011: {"vr": "OB", "InlineBinary": "AQID"},
}


def read(raw: bytes, syntax: str) -> Dataset:
    return read_dataset(BytesIO(raw), syntax == uids.IMPLICIT_LE, syntax != uids.EXPLICIT_BE)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pydicom_reads_what_was_written(syntax: str) -> None:
    found = read(dataset.encode(ELEMENTS, syntax), syntax)
    found.decode()
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert found.SOPInstanceUID == "1.2.3"
    assert list(found.ModalitiesInStudy) == ["CT", "MR"]
    assert found.StudyDescription == ""
    assert str(found.PatientName) == "Yamada^Tarou=山田^太郎"
    assert found.NumberOfStudyRelatedSeries == 3
    assert (found.Rows, found.FrameIncrementPointer) == (512, 0x00181063)
    assert list(found.PixelSpacing) == [0.5, 1.25]
    assert found.RequestAttributesSequence[0].ScheduledProcedureStepID == "S1"
    assert len(found.RequestAttributesSequence) == 2
    assert found.EncapsulatedDocument == b"\1\2\3\0"


@pytest.mark.parametrize(
    ("terms", "name", "answered"),
    [
        (("ISO_IR 100",), "Müller^Jörg", "ISO_IR 100"),
        (("ISO_IR 100",), "Пример", "ISO_IR 192"),
        (("ISO_IR 144",), "Пример", "ISO_IR 144"),
        (("GB18030",), "王^小东", "GB18030"),
        (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎=やまだ^たろう", ("", "ISO 2022 IR 87")),
        (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동", ("", "ISO 2022 IR 149")),
        (("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ", "ISO_IR 13"),
        (("ISO_IR 13",), "山田^太郎", "ISO_IR 192"),
        ((), "Müller", "ISO_IR 192"),
        (("NO SUCH",), "Müller", "ISO_IR 192"),
    ],
)
def test_answers_in_the_character_set_of_the_question(
    terms: tuple[str, ...], name: str, answered: str | tuple[str, ...]
) -> None:
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False))
    element = {0x00100010: {"vr": "PN", "Value": [groups]}}
    found = read(dataset.encode(element, uids.EXPLICIT_LE, repertoire(terms)), uids.EXPLICIT_LE)
    found.decode()
    said = found.SpecificCharacterSet
    assert (said if isinstance(said, str) else tuple(said)) == answered
    assert str(found.PatientName) == name


def test_a_value_too_long_for_its_vr_goes_as_un() -> None:
    many = [f"1.2.{n}" for n in range(100_000, 110_000)]
    raw = dataset.encode({0x00080058: {"vr": "UI", "Value": many}}, uids.EXPLICIT_LE)
    element = header.walk(memoryview(raw), uids.EXPLICIT_LE).dataset.elements[0x00080058]
    assert bytes.fromhex("0800 5800") + b"UN" in raw
    text = raw[element.offset : element.offset + (element.length or 0)]
    assert text.rstrip(b"\0").decode().split("\\") == many


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
VRS = st.sampled_from([*sorted(dataset._SHORT | dataset._LONG - {"SQ"}), "??", "", "XX"])


@given(
    st.dictionaries(st.sampled_from(list(ELEMENTS)), st.tuples(VRS, st.lists(JSON, max_size=3)), max_size=5)
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_any_stored_value_can_be_answered(syntax: str, stored: dict[int, tuple[str, list[Any]]]) -> None:
    elements = {tag: {"vr": vr, "Value": values} for tag, (vr, values) in stored.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw = dataset.encode(elements, syntax)
    found = header.walk(memoryview(raw), syntax).dataset.elements
    assert set(found) == {*elements, 0x00080005}


@given(st.text(max_size=40))
def test_text_survives(text: str) -> None:
    try:
        raw = UNICODE.encode(text, "LO")
    except UnicodeEncodeError:
        assert any("\ud800" <= char <= "\udfff" for char in text)
    else:
        assert raw.decode("utf-8") == text

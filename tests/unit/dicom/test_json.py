"""The DICOM JSON Model, against pydicom's own and against PS3.18 Annex F where pydicom differs."""

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs.dicom import header, json, uids

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
READABLE = ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "test-SR.dcm"]
Encode = Callable[[Dataset], dict[str, Any]]


def document(buffer: memoryview, transfer_syntax: str, offset: int = 0) -> dict[str, Any]:
    encoded = json.encode(header.walk(buffer, transfer_syntax, offset))
    parsed: dict[str, Any] = orjson.loads(encoded.document().replace(json.BULK_BASE, b"BASE"))
    return parsed


def encoded(dataset: Dataset, *, implicit: bool = False) -> dict[str, Any]:
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, implicit_vr=implicit, little_endian=True, force_encoding=True)
    return document(memoryview(out.getvalue()), uids.IMPLICIT_LE if implicit else uids.EXPLICIT_LE)


@pytest.mark.parametrize("name", READABLE)
def test_same_as_pydicom_on_real_files(name: str) -> None:
    buffer = memoryview((FILES / name).read_bytes())
    meta = header.read_meta(buffer)
    mine = document(buffer, meta.transfer_syntax, meta.dataset_offset)
    reference = pydicom.dcmread(FILES / name).to_json_dict(
        bulk_data_threshold=1024, bulk_data_element_handler=lambda _: "BULK"
    )
    for tag, element in reference.items():
        if tag.endswith("0000") or tag in {"00080005", "7FE00010", "FFFCFFFC"}:
            continue
        assert _plain(mine[tag]) == _plain(element), tag


def _plain(element: Any) -> Any:
    """Empty sequences and empty parts are written in more than one legal way."""
    if isinstance(element, dict):
        return {k: _plain(v) for k, v in element.items() if v not in ([], None) and k != "BulkDataURI"}
    if isinstance(element, list):
        return [_plain(v) or None for v in element]
    return element


def test_empty_element_has_no_value() -> None:
    dataset = Dataset()
    dataset.PatientName = ""
    dataset.ReferencedStudySequence = Sequence([])
    assert encoded(dataset) == {"00100010": {"vr": "PN"}, "00081110": {"vr": "SQ"}}


def test_empty_part_of_a_multi_value_is_null() -> None:
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "", "AXIAL"]
    assert encoded(dataset)["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]


def test_numbers_and_what_is_no_number() -> None:
    raw = b"\x28\x00\x50\x10DS\x0c\x00400\\none\\1.5"
    assert document(memoryview(raw), uids.EXPLICIT_LE)["00281050"]["Value"] == [400, "none", 1.5]
    raw = b"\x20\x00\x13\x00IS\x04\x00 7a "
    assert document(memoryview(raw), uids.EXPLICIT_LE)["00200013"]["Value"] == ["7a"]


def test_not_finite_numbers_are_json() -> None:
    dataset = Dataset()
    dataset.RealWorldValueSlope = math.nan
    dataset.RealWorldValueIntercept = math.inf
    parsed = encoded(dataset)
    assert parsed["00409225"]["Value"] == ["NaN"]
    assert parsed["00409224"]["Value"] == ["Infinity"]


def test_big_integers_travel_as_strings() -> None:
    dataset = Dataset()
    dataset.add_new(0x00091001, "UV", 2**60)
    assert encoded(dataset)["00091001"]["Value"] == [str(2**60)]


def test_attribute_tags_are_eight_hex_digits() -> None:
    dataset = Dataset()
    dataset.FrameIncrementPointer = 0x00181063
    assert encoded(dataset)["00280009"]["Value"] == ["00181063"]


@pytest.mark.parametrize(("length", "key"), [(1024, "InlineBinary"), (1026, "BulkDataURI")])
def test_binary_is_inline_up_to_a_limit(length: int, key: str) -> None:
    dataset = Dataset()
    dataset.ICCProfile = bytes(length)
    item = Dataset()
    item.EncapsulatedDocument = bytes(length)
    dataset.ReferencedSeriesSequence = Sequence([Dataset(), item])
    parsed = encoded(dataset)
    assert key in parsed["00282000"]
    nested = parsed["00081115"]["Value"][1]["00420011"]
    assert key in nested
    if key == "BulkDataURI":
        assert nested[key] == "BASE/00081115/2/00420011"


def test_group_lengths_are_left_out() -> None:
    raw = b"\x08\x00\x00\x00UL\x04\x00\x08\x00\x00\x00\x08\x00\x60\x00CS\x02\x00CT"
    assert list(document(memoryview(raw), uids.EXPLICIT_LE)) == ["00080060"]


def test_private_elements_keep_their_creator() -> None:
    dataset = Dataset()
    block = dataset.private_block(0x0009, "ACME", create=True)
    block.add_new(0x01, "SH", "kept")
    for implicit in (False, True):
        parsed = encoded(dataset, implicit=implicit)
        assert parsed["00090010"] == {"vr": "LO", "Value": ["ACME"]}
        assert parsed["00091001"]["vr"] == ("UN" if implicit else "SH")


def test_pixel_representation_decides_in_implicit_vr() -> None:
    dataset = Dataset()
    dataset.PixelRepresentation = 1
    dataset.add_new(0x00280106, "SS", -5)
    assert encoded(dataset, implicit=True)["00280106"] == {"vr": "SS", "Value": [-5]}


@pytest.mark.parametrize(
    ("charset", "raw", "expected"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin-1"), {"Alphabetic": "Müller^Jörg"}),
        ("ISO_IR 192", "Пример^Имя".encode(), {"Alphabetic": "Пример^Имя"}),
        (
            "GB18030",
            "Wang^XiaoDong=王^小东".encode("gb18030"),
            {"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小东"},
        ),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            {"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞", "Phonetic": "홍^길동"},
        ),
        ("no such set", b"Doe^J", {"Alphabetic": "Doe^J"}),
        ("ISO_IR 192", b"D\xf6e", {"Alphabetic": "D\ufffde"}),
    ],
)
def test_character_sets(charset: str, raw: bytes, expected: dict[str, str]) -> None:
    def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        value += b" " * (len(value) % 2)
        head = group.to_bytes(2, "little") + number.to_bytes(2, "little") + vr
        return head + len(value).to_bytes(2, "little") + value

    data = element(8, 5, b"CS", charset.encode()) + element(16, 16, b"PN", raw)
    parsed = document(memoryview(data), uids.EXPLICIT_LE)
    assert parsed["00100010"]["Value"] == [expected]
    assert parsed["00080005"]["Value"] == ["ISO_IR 192"]


def test_backslash_byte_inside_a_japanese_letter_does_not_split() -> None:
    text = "表示"  # in ISO 2022 JP and in Shift JIS the first letter holds the byte 0x5C
    dataset = Dataset()
    dataset.SpecificCharacterSet = "GB18030"
    raw = text.encode("gb18030")
    assert raw.decode("gb18030") == text
    data = (
        b"\x08\x00\x05\x00CS\x0e\x00ISO 2022 IR 13"
        b"\x08\x00\x30\x10LO" + bytes([len(text.encode("shift_jis")), 0]) + text.encode("shift_jis")
    )
    assert document(memoryview(data), uids.EXPLICIT_LE)["00081030"]["Value"] == [text]


def test_control_bytes_in_text_cannot_forge_a_bulk_data_address() -> None:
    raw = b"\x08\x00\x30\x10LO\x06\x00a\x01b\x01c "
    walked = header.walk(memoryview(raw), uids.EXPLICIT_LE)
    assert json.BULK_BASE not in json.encode(walked).document()

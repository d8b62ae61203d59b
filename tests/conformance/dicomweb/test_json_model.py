"""The DICOM JSON Model as metadata has it over HTTP (PS3.18 Annex F), of objects written byte by byte."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import fresh_uid
from tests.support.web_client import Web

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, LITTLE, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
WORDS = {"OW": "H", "OF": "I", "OL": "I", "OD": "Q", "OV": "Q"}
INLINE, BULK = 1024, 1032  # bytes: the most that is inline, and one more word
Elements = dict[int, tuple[str, bytes]]


def text(tag: int, vr: str, value: str) -> Elements:
    raw = value.encode()
    return {tag: (vr, raw + b" " * (len(raw) % 2))}


def element(tag: int, vr: str, value: bytes, syntax: str) -> bytes:
    order = ">" if syntax == BIG else "<"
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack("<I", len(value)) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}I", len(value)) + value
    return head + vr.encode() + struct.pack(f"{order}H", len(value)) + value


def item(elements: Elements, syntax: str) -> bytes:
    body = b"".join(element(tag, *elements[tag], syntax) for tag in sorted(elements))
    return struct.pack(">HHI" if syntax == BIG else "<HHI", 0xFFFE, 0xE000, len(body)) + body


def stored(root: str, elements: Elements, syntax: str = LITTLE) -> tuple[str, dict[str, Any]]:
    """The address of an object with these elements beside its UIDs, and its metadata."""
    study, series, instance = fresh_uid(), fresh_uid(), fresh_uid()
    whole = dict(elements)
    for tag, uid in {0x00080016: CT, 0x00080018: instance, 0x0020000D: study, 0x0020000E: series}.items():
        whole[tag] = ("UI", uid.encode() + b"\0" * (len(uid) % 2))
    dataset = b"".join(element(tag, *whole[tag], syntax) for tag in sorted(whole))
    made = DicomObject("made", study, series, instance, CT, syntax, dataset)
    answer = Web(root).store([made])
    assert answer.status == 200, answer
    described = httpx.get(made.path(root) + "/metadata", headers={"Accept": "application/dicom+json"})
    assert described.status_code == 200
    return made.path(root), described.json()[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("json"))) as url:
        yield f"{url}/dicom-web"


def test_numbers_in_text(root: str) -> None:
    _, found = stored(
        root,
        text(0x00281050, "DS", "40\\none\\1.50\\-2e-3\\NaN")
        | text(0x00200013, "IS", "+007")
        | text(0x00200012, "IS", "7a"),
    )
    assert found["00281050"] == {"vr": "DS", "Value": [40, "none", 1.5, -0.002, "NaN"]}
    assert found["00200013"] == {"vr": "IS", "Value": [7]}
    assert found["00200012"] == {"vr": "IS", "Value": ["7a"]}


def test_numbers_that_json_does_not_have(root: str) -> None:
    floats = struct.pack("<4d", float("nan"), float("inf"), float("-inf"), 0.1)
    single = struct.pack("<2f", float("nan"), 0.5)
    large = struct.pack("<2Q", 2**53 + 1, 2**53 - 1)
    signed = struct.pack("<2q", -(2**63), -5)
    private = text(0x00090010, "LO", "ACME")
    _, found = stored(
        root,
        {0x00189087: ("FD", floats), 0x00189073: ("FL", single)}
        | private
        | {0x00091001: ("UV", large), 0x00091002: ("SV", signed)},
    )
    assert found["00189087"]["Value"] == ["NaN", "Infinity", "-Infinity", 0.1]
    assert found["00189073"]["Value"] == ["NaN", 0.5]
    assert found["00091001"] == {"vr": "UV", "Value": ["9007199254740993", 9007199254740991]}
    assert found["00091002"] == {"vr": "SV", "Value": ["-9223372036854775808", -5]}


def test_what_is_empty(root: str) -> None:
    """An empty element has a VR alone, an empty one among several values is null (F.2.5)."""
    one = item(text(0x00081150, "UI", CT + "\0"), LITTLE)
    nothing = item({}, LITTLE)
    _, found = stored(
        root,
        text(0x00100010, "PN", "")
        | text(0x00080020, "DA", "")
        | text(0x00080050, "SH", "  ")
        | text(0x00080008, "CS", "ORIGINAL\\\\AXIAL")
        | {0x00081110: ("SQ", b""), 0x00081140: ("SQ", one + nothing), 0x00280107: ("US", b"")},
    )
    assert found["00100010"] == {"vr": "PN"}
    assert found["00080020"] == {"vr": "DA"}
    assert found["00080050"] == {"vr": "SH"}
    assert found["00280107"] == {"vr": "US"}
    assert found["00081110"] == {"vr": "SQ"}
    assert found["00080008"]["Value"] == ["ORIGINAL", None, "AXIAL"]
    assert found["00081140"]["Value"] == [{"00081150": {"vr": "UI", "Value": [CT]}}, {}]


def test_one_value_is_an_array_and_a_name_an_object(root: str) -> None:
    _, found = stored(
        root,
        text(0x00080008, "CS", "DERIVED")
        | text(0x00080005, "CS", "ISO_IR 192")
        | text(0x00100010, "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう")
        | text(0x00080090, "PN", "=山田")
        | text(0x00081070, "PN", "Doe^Jane\\\\Roe"),
    )
    assert found["00080008"]["Value"] == ["DERIVED"]
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert found["00100010"] == {"vr": "PN", "Value": [name]}
    assert found["00080090"]["Value"] == [{"Ideographic": "山田"}]
    assert found["00081070"]["Value"] == [{"Alphabetic": "Doe^Jane"}, None, {"Alphabetic": "Roe"}]


@pytest.mark.parametrize(
    ("charset", "raw", "read"),
    [
        ("ISO_IR 100", "Müller".encode("latin-1"), "Müller"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
    ],
)
def test_text_is_utf_8_and_says_so(root: str, charset: str, raw: bytes, read: str) -> None:
    _, found = stored(
        root, text(0x00080005, "CS", charset) | {0x00100010: ("PN", raw + b" " * (len(raw) % 2))}
    )
    assert found["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert found["00100010"]["Value"] == [{"Alphabetic": read}]


@pytest.mark.parametrize("syntax", [LITTLE, BIG])
@pytest.mark.parametrize("vr", ["OB", "OW", "OF", "OL", "OD", "OV", "UN"])
@pytest.mark.parametrize("inside", [False, True])
def test_binary_values(root: str, syntax: str, vr: str, inside: bool) -> None:  # noqa: FBT001
    """Inline up to a limit, by address beyond it, and little endian whatever they are stored in."""
    for length in (8, INLINE, BULK):
        octets = bytes(number * 7 % 251 for number in range(length))
        code = WORDS.get(vr)
        raw = octets
        if code and syntax == BIG:
            count = length // struct.calcsize(code)
            raw = struct.pack(f">{count}{code}", *struct.unpack(f"<{count}{code}", octets))
        made = text(0x00090010, "LO", "ACME") | {0x00091001: (vr, raw)}
        if inside:
            made = {0x00081140: ("SQ", item({}, syntax) + item(made, syntax))}
        _, found = stored(root, made, syntax)
        holder = found["00081140"]["Value"][1] if inside else found
        assert holder["00091001"]["vr"] == vr
        if length <= INLINE:
            assert base64.b64decode(holder["00091001"]["InlineBinary"]) == octets
        else:
            assert "InlineBinary" not in holder["00091001"]
            answer = httpx.get(holder["00091001"]["BulkDataURI"])
            assert (answer.status_code, answer.content) == (200, octets)


def test_tags_and_what_has_no_place(root: str) -> None:
    """AT as eight digits; no group lengths, nothing of group 0002 but what a viewer asks for."""
    pointers = struct.pack("<4H", 0x0018, 0x1063, 0x7FE0, 0xABCD)
    _, found = stored(root, {0x00280009: ("AT", pointers), 0x00080000: ("UL", b"\x08\0\0\0")})
    assert found["00280009"] == {"vr": "AT", "Value": ["00181063", "7FE0ABCD"]}
    assert "00080000" not in found
    assert not [tag for tag in found if tag.startswith("0002") and tag != "00020010"]


def test_private_and_unknown_elements(root: str) -> None:
    """The creator stays, a VR nobody knows is UN, and a value too short for its VR is not lost."""
    _, found = stored(
        root,
        text(0x00090010, "LO", "ACME") | text(0x00091001, "SH", "kept") | {0x00280010: ("US", b"\1\2\3")},
    )
    assert found["00090010"] == {"vr": "LO", "Value": ["ACME"]}
    assert found["00091001"] == {"vr": "SH", "Value": ["kept"]}
    assert found["00280010"] == {"vr": "UN", "InlineBinary": "AQID"}
    _, found = stored(root, text(0x00090010, "LO", "ACME") | text(0x00091001, "SH", "kept"), syntax=IMPLICIT)
    assert found["00090010"]["Value"] == ["ACME"]
    assert found["00091001"] == {"vr": "UN", "InlineBinary": base64.b64encode(b"kept").decode()}


def test_every_level_says_the_same(root: str) -> None:
    """Of an instance, its series and its study, and of a search for its attributes."""
    at, found = stored(root, text(0x00100010, "PN", "Doe^Jane") | text(0x00281050, "DS", "1\\2"))
    study, _, rest = at.removeprefix(f"{root}/studies/").partition("/series/")
    series, _, instance = rest.partition("/instances/")
    for path in (f"/studies/{study}", f"/studies/{study}/series/{series}"):
        assert httpx.get(f"{root}{path}/metadata").json() == [found]
    query = {"SOPInstanceUID": instance, "includefield": ",".join(found)}
    (one,) = httpx.get(f"{root}/instances", params=query).json()
    assert {tag: one[tag] for tag in found} == found

"""Character sets of C-FIND: requests as stations write them, answers as they can read them."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Final

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pynetdicom import association
from pynetdicom.dsutils import decode, encode
from pynetdicom.presentation import build_context

from pacs.config import Peer as Known
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, serving
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import STUDY_ROOT, Client, identifier
from tests.support.factory import Patient, ct_series

UTF8: Final = "ISO_IR 192"
NAMES: Final = {  # by Patient ID; the Japanese, Korean and Chinese ones are those of PS3.5 H, I, J and K
    "latin": "Buc^Jérôme",
    "cyrillic": "Люкceмбypг",
    "japanese": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "katakana": "ﾔﾏﾀﾞ^ﾊﾅｺ=山田^花子",
    "korean": "Hong^Gildong=洪^吉洞=홍^길동",
    "chinese": "Zhang^XiaoDong=张^小东",
    "wang": "Wang^XiaoDong=王^小东",
    "arabic": "قباني^لنزار",
    "thai": "นามสกุล^ชื่อ",
    "polish": "Łódź^Żaneta",
    "french": "Cœur^Œdipe€",
    # The second byte of these characters is a delimiter where nobody looks at the code they are in.
    "backslash": "Bo=ぼ^ソマ",
    "gbk": "X=乗^俓",
}
CODECS: Final = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 166": "iso8859-11",
    "GB18030": "gb18030",
    "GBK": "gbk",
    UTF8: "utf-8",
}
PLAIN: Final = [  # terms, Patient ID, key
    ("ISO_IR 100", "latin", "Buc^Jérôme"),
    ("ISO_IR 100", "latin", "*jéRÔM*"),
    ("ISO_IR 144", "cyrillic", "Люкc*"),
    ("ISO_IR 127", "arabic", "قباني*"),
    ("ISO_IR 166", "thai", "นามสกุล*"),
    ("ISO_IR 101", "polish", "Łódź*"),
    ("ISO_IR 203", "french", "Cœur^Œ*"),
    (UTF8, "korean", "홍^길동"),
    ("GB18030", "wang", "=王^小东"),
    ("GBK", "gbk", "=乗^俓"),
]
TAROU: Final = b"=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
EXTENDED: Final = [  # terms, Patient ID, key, and the name in the answer
    (
        "\\ISO 2022 IR 87",
        "japanese",
        TAROU,
        b"Yamada^Tarou" + TAROU + b"=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    ("\\ISO 2022 IR 87", "backslash", b"=\x1b$B$\\\x1b(B*", b"Bo=\x1b$B$\\\x1b(B^\x1b$B%=%^\x1b(B"),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        "katakana",
        b"\xd4\xcf\xc0\xde*=\x1b$B;3ED\x1b(J*",
        b"\xd4\xcf\xc0\xde^\xca\xc5\xba=\x1b$B;3ED\x1b(J^\x1b$B2V;R\x1b(J",
    ),
    (
        "\\ISO 2022 IR 149",
        "korean",
        b"=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ),
    (
        "\\ISO 2022 IR 58",
        "chinese",
        b"=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
    ),
    ("\\ISO 2022 IR 100", "latin", b"*J\x1b-A\xe9r\xf4me", b"Buc^J\x1b-A\xe9r\xf4me"),
    ("ISO 2022 IR 6\\ISO 2022 IR 203", "french", b"C\x1b-b\xbdur*", b"C\x1b-b\xbdur^\x1b-b\xbcdipe\xa4"),
    (
        "ISO 2022 IR 100\\ISO 2022 IR 144",
        "cyrillic",
        b"\x1b-L\xbb\xee*",
        b"\x1b-L\xbb\xee\xdace\xdc\xd1yp\xd3",
    ),
]
ASKED: Final = [
    *(
        (terms, who, text.encode(CODECS[terms]), NAMES[who].encode(CODECS[terms]))
        for terms, who, text in PLAIN
    ),
    *EXTENDED,
]
FIXED: Final = {"LATIN": "ISO_IR 100", "JAPAN": "\\ISO 2022 IR 87", "PLAIN": "ISO_IR 6"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    peers = tuple(Known(aet, "127.0.0.1", character_set=terms) for aet, terms in FIXED.items())
    with serving(tmp_path_factory.mktemp("text"), peers=peers) as house:
        for patient, name in NAMES.items():
            assert set(house.client.store(one_of(Patient(name, patient))).values()) == {0}
        yield house


def one_of(patient: Patient) -> tuple[DicomObject, ...]:
    return ct_series(1, rows=8, columns=8, patient=patient)


def element(tag: int, vr: str, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def ask(client: Client, terms: str | None, name: bytes) -> list[Dataset]:
    """Exactly these bytes as the key Patient Name, in Explicit VR Little Endian."""
    declared = b"" if terms is None else element(0x00080005, "CS", terms.encode())
    raw = declared + element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", name)
    raw += element(0x00100020, "LO", b"")
    found = []
    with client.association([build_context(STUDY_ROOT, uids.EXPLICIT_LE)]) as joined:
        for status, answer in joined.send_c_find(_Raw(raw), STUDY_ROOT):
            assert status.Status in {0, 0xFF00}
            found += [answer] if answer is not None else []
    return found


class _Raw(Dataset):
    """A data set that is written as it is."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw


@pytest.fixture(autouse=True)
def _raw(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom sends the bytes of a request as they are, and keeps those of an answer."""

    def kept(stream: BytesIO, *how: bool) -> Dataset:
        found: Dataset = decode(stream, *how)
        found.wire = stream.getvalue()
        return found

    monkeypatch.setattr(
        association, "encode", lambda ds, *how: ds.raw if isinstance(ds, _Raw) else encode(ds, *how)
    )
    monkeypatch.setattr(association, "decode", kept)


def name_of(answer: Dataset) -> bytes:
    """As it came: what has been looked at, pydicom writes anew."""
    raw = decode(BytesIO(answer.wire), False, True).get_item(0x00100010)
    assert isinstance(raw, RawDataElement)
    return bytes(raw.value or b"").rstrip(b" ")


def terms_of(answer: Dataset) -> str:
    declared = answer.SpecificCharacterSet
    return declared if isinstance(declared, str) else "\\".join(declared)


@pytest.mark.parametrize(("terms", "patient", "key", "name"), ASKED)
def test_request_and_answer_are_in_the_same_character_set(
    house: House, terms: str, patient: str, key: bytes, name: bytes
) -> None:
    (found,) = ask(house.client, terms, key)
    assert found.PatientID == patient
    assert terms_of(found) == terms
    assert name_of(found) == name


def test_what_the_character_set_of_the_request_lacks_is_answered_in_unicode(house: House) -> None:
    wanted = (("ISO_IR 144", b"Yamada*"), ("\\ISO 2022 IR 87", b"Buc*"), ("ISO_IR 6", b"Hong*"))
    for terms, name in (*wanted, ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xca\xc5\xba")):
        (found,) = ask(house.client, terms, name)
        assert terms_of(found) == UTF8
        assert name_of(found).decode() == NAMES[found.PatientID]


@pytest.mark.parametrize("raw", ["Buc^Jérôme".encode(codec) for codec in ("utf-8", "latin-1")])
@pytest.mark.parametrize("terms", [None, "", "ISO_IR 6", "NONSENSE"])
def test_bytes_beyond_ascii_that_nothing_explains(house: House, terms: str | None, raw: bytes) -> None:
    (found,) = ask(house.client, terms, raw)
    assert (found.PatientID, terms_of(found)) == ("latin", UTF8)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("UTF-8", UTF8),
        ("ISO IR 100", "ISO_IR 100"),
        ("ISO_IR 100\\ISO_IR 192", "ISO_IR 100"),
        ("cp1252", UTF8),
        ("hex", UTF8),
    ],
)
def test_an_answer_calls_its_character_set_by_a_term_that_is_one(house: House, terms: str, said: str) -> None:
    (found,) = ask(house.client, terms, b"Buc*")
    assert (terms_of(found), name_of(found)) == (said, NAMES["latin"].encode(CODECS[said]))


@pytest.mark.parametrize("terms", ["hex", "idna", "\\zlib", "UTF-7", "\xff\xfe", "utf16"])
def test_a_character_set_that_is_none_keeps_no_object_out(house: House, terms: str) -> None:
    """Python has codecs of these names, which are none for text."""
    raw = terms.encode("latin-1")
    (item,) = one_of(Patient("Mehrländer^Ä", f"nonsense-{raw.hex()}"))
    size = struct.unpack_from("<H", item.dataset, 6)[0]  # (0008,0005) comes first
    assert item.dataset.startswith(b"\x08\x00\x05\x00CS")
    wrong = replace(item, dataset=element(0x00080005, "CS", raw) + item.dataset[8 + size :])
    assert house.client.store([wrong]) == {item.instance: 0}
    (found,) = ask(house.client, None, "Mehrländer*".encode())[:1]
    assert name_of(found) == "Mehrländer^Ä".encode()


def test_a_station_is_answered_in_the_character_set_that_was_set_for_it(house: House) -> None:
    japan = Client(house.port, aet="JAPAN")
    for asked in (None, UTF8, "ISO_IR 100"):
        (found,) = ask(japan, asked, b"Yamada*")
        assert terms_of(found) == FIXED["JAPAN"]
        assert name_of(found).startswith(b"Yamada^Tarou" + TAROU)


def test_and_its_requests_are_read_so_where_they_do_not_say(house: House) -> None:
    assert [found.PatientID for found in ask(Client(house.port, aet="JAPAN"), None, TAROU)] == ["japanese"]
    assert ask(Client(house.port, aet="LATIN"), None, TAROU) == []


def test_what_a_station_cannot_read_becomes_question_marks(house: House) -> None:
    def names(aet: str, patient: str) -> bytes:
        keys = identifier("STUDY", PatientID=patient, PatientName="")
        status, (found,) = Client(house.port, aet=aet).find(keys)
        assert (status, terms_of(found)) == (0, FIXED[aet])
        return name_of(found)

    assert names("LATIN", "latin") == "Buc^Jérôme".encode("latin-1")
    assert names("LATIN", "japanese") == b"Yamada^Tarou=??^??=???^???"
    assert names("PLAIN", "latin") == b"Buc^J?r?me"
    assert names("JAPAN", "polish") == b"??d?^?aneta"

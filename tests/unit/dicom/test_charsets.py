"""Every defined term of Specific Character Set (PS3.3 Tables C.12-2 to C.12-5): read, written, and known
as a setting."""

from encodings.aliases import aliases
from typing import Final

import pytest

from dimse import text
from pacs.config import terms
from pacs.dicom import charsets

# Alone: term, text, and its bytes.
ALONE: Final = [
    ("ISO_IR 100", "Jérôme", b"J\xe9r\xf4me"),
    ("ISO_IR 101", "Łódź", b"\xa3\xf3d\xbc"),
    ("ISO_IR 109", "Ĥaŭŝ", b"\xa6a\xfd\xfe"),
    ("ISO_IR 110", "Ķēļš", b"\xd3\xba\xb6\xb9"),
    ("ISO_IR 203", "Œuvre Ÿ€Žš", b"\xbcuvre \xbe\xa4\xb4\xa8"),
    ("ISO_IR 144", "Люкceмбypг", b"\xbb\xee\xdace\xdc\xd1yp\xd3"),
    ("ISO_IR 127", "قباني", b"\xe2\xc8\xc7\xe6\xea"),
    ("ISO_IR 126", "Διονυσιος", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2"),
    ("ISO_IR 138", "שרון", b"\xf9\xf8\xe5\xef"),
    ("ISO_IR 148", "Çavuşoğlu", b"\xc7avu\xfeo\xf0lu"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ", b"\xd4\xcf\xc0\xde"),
    ("ISO_IR 166", "นามสกุล", b"\xb9\xd2\xc1\xca\xa1\xd8\xc5"),
    ("ISO_IR 192", "Müller 王 пример", b"M\xc3\xbcller \xe7\x8e\x8b " + "пример".encode()),
    ("GB18030", "王小东", b"\xcd\xf5\xd0\xa1\xb6\xab"),
    ("GBK", "乗俓", b"\x81\x5c\x82\x5c"),
]
# With code extensions: term, its escape sequence, text, and its bytes behind that.
EXTENDED: Final = [
    ("ISO 2022 IR 100", b"\x1b-A", "éô", b"\xe9\xf4"),
    ("ISO 2022 IR 101", b"\x1b-B", "Łó", b"\xa3\xf3"),
    ("ISO 2022 IR 109", b"\x1b-C", "Ĥŭ", b"\xa6\xfd"),
    ("ISO 2022 IR 110", b"\x1b-D", "Ķē", b"\xd3\xba"),
    ("ISO 2022 IR 203", b"\x1b-b", "Œ€Ž", b"\xbc\xa4\xb4"),
    ("ISO 2022 IR 144", b"\x1b-L", "Лю", b"\xbb\xee"),
    ("ISO 2022 IR 127", b"\x1b-G", "قب", b"\xe2\xc8"),
    ("ISO 2022 IR 126", b"\x1b-F", "Δι", b"\xc4\xe9"),
    ("ISO 2022 IR 138", b"\x1b-H", "שר", b"\xf9\xf8"),
    ("ISO 2022 IR 148", b"\x1b-M", "Çş", b"\xc7\xfe"),
    ("ISO 2022 IR 13", b"\x1b)I", "ﾔﾏ", b"\xd4\xcf"),
    ("ISO 2022 IR 166", b"\x1b-T", "นา", b"\xb9\xd2"),
    ("ISO 2022 IR 87", b"\x1b$B", "山田", b"\x3b\x33\x45\x44"),
    ("ISO 2022 IR 159", b"\x1b$(D", "丂丄", b"\x30\x21\x30\x22"),
    ("ISO 2022 IR 149", b"\x1b$)C", "洪", b"\xfb\xf3"),
    ("ISO 2022 IR 58", b"\x1b$)A", "张", b"\xd5\xc5"),
]
IN_PLACE_OF_ASCII: Final = {"ISO 2022 IR 87", "ISO 2022 IR 159"}
FIRST_ALONE: Final = [one for one in EXTENDED if one[1].startswith((b"\x1b-", b"\x1b)"))]


def test_the_tables_are_the_settings() -> None:
    stated = {"ISO_IR 6", "ISO 2022 IR 6"} | {term for term, *_ in (*ALONE, *EXTENDED)}
    assert stated == terms.character_sets()


@pytest.mark.parametrize(("term", "said", "raw"), ALONE)
def test_alone(term: str, said: str, raw: bytes) -> None:
    assert charsets.decode(raw, charsets.encodings((term,)), "LO") == said
    assert text.repertoire((term,)).encode(said, "LO") == raw


@pytest.mark.parametrize(("term", "escape", "said", "raw"), EXTENDED)
def test_after_the_default_repertoire(term: str, escape: bytes, said: str, raw: bytes) -> None:
    """Back to ASCII before a delimiter, where its place was taken (PS3.5 6.1.2.5.3)."""
    coded = escape + raw + (b"\x1b(B" if term in IN_PLACE_OF_ASCII else b"")
    codecs = charsets.encodings(("", term))
    for first in ("", "ISO 2022 IR 6"):
        assert text.repertoire((first, term)).encode(f"A^{said}B^C", "PN") in {
            b"A^" + coded + b"B^C",
            b"A^" + escape + raw + b"\x1b(BB^C",
        }
    assert charsets.decode(b"A^" + coded + b"B^C", codecs, "PN") == f"A^{said}B^C"


@pytest.mark.parametrize(("term", "escape", "said", "raw"), FIRST_ALONE)
def test_with_code_extensions_but_without_any(term: str, escape: bytes, said: str, raw: bytes) -> None:
    """The first term is designated from the start: no escape sequence is due."""
    codecs = charsets.encodings((term, "ISO 2022 IR 87"))
    assert charsets.decode(raw, codecs, "LO") == said
    assert text.repertoire((term, "ISO 2022 IR 87")).encode(said, "LO") == raw
    assert charsets.decode(escape + raw, codecs, "LO") == said


@pytest.mark.parametrize("first", [one[0] for one in FIRST_ALONE])
@pytest.mark.parametrize(("term", "said"), [(one[0], one[2]) for one in EXTENDED])
def test_one_after_another(first: str, term: str, said: str) -> None:
    """Both in one value, in turn, for each pair of them."""
    other = next(one for one in EXTENDED if one[0] == first)[2]
    whole = f"{other}x{said}={said}{other}\\{other}"
    written = text.repertoire((first, term))
    coded = written.encode(whole, "LO")
    assert charsets.decode(coded, charsets.encodings((first, term)), "LO") == whole


@pytest.mark.parametrize("name", sorted({*aliases.values(), "idna", "punycode", "undefined"}))
def test_no_codec_of_another_kind_is_taken_for_a_character_set(name: str) -> None:
    """Terms are what a sender wrote, and Python knows codecs of many names."""
    for term in ((name,), ("", name), (name, "ISO 2022 IR 87")):
        codecs = charsets.encodings(term)
        assert charsets.decode(b"Doe\\x41+AEE-~^A=B", codecs, "PN") == "Doe\\x41+AEE-~^A=B"
        assert charsets.decode(b"\xe4\x1b$B;3\xff\x1b", codecs, "PN") is not None
        written = text.repertoire(term)
        assert set(written.terms) <= terms.character_sets() | {""}
        assert (
            charsets.decode(written.encode("Doe^J", "PN"), charsets.encodings(written.terms), "PN") == "Doe^J"
        )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("UTF-8",), ("ISO_IR 192",)),
        (("ISO IR 100",), ("ISO_IR 100",)),
        (("ISO_IR 100", "ISO_IR 192"), ("ISO_IR 100",)),
        (("ISO_IR 100", "ISO 2022 IR 87"), ("ISO 2022 IR 100", "ISO 2022 IR 87")),
        (("", "ISO_2022_IR_87"), ("ISO 2022 IR 100", "ISO 2022 IR 87")),
        (("", "ISO 2022 IR 87"), ("", "ISO 2022 IR 87")),
        (("ISO 2022 58",), ("ISO 2022 IR 58",)),
        (("cp1252",), ()),
    ],
)
def test_proper_names_of_what_some_write(written: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert charsets.terms(written) == meant


def test_text_that_nothing_explains_is_tried_as_unicode_first() -> None:
    for codec in ("utf-8", "latin-1"):
        assert charsets.decode("Müller".encode(codec), charsets.encodings(("ISO_IR 6",)), "LO") == "Müller"


@pytest.mark.parametrize("term", ["A\0B", "ISO_IR 100\0\0\0x", "\0"])
def test_a_term_with_a_nul_is_no_term(term: str) -> None:
    for written in ((term,), ("", term)):
        assert charsets.decode(b"Doe^J", charsets.encodings(written), "PN") == "Doe^J"


def test_any_number_of_lines_under_code_extensions() -> None:
    codecs = charsets.encodings(("ISO 2022 IR 100", "ISO 2022 IR 87"))
    assert charsets.decode(b"\x1b(J" + b"a\r\n\xe4\t" * 20_000, codecs, "LT") == "a\r\nä\t" * 20_000

"""Text on its way out: in the requestor's character set when it holds it, else in UTF-8."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydicom.charset import ENCODINGS_TO_CODES, default_encoding

from pacs.dicom import charsets

UTF8: Final = "ISO_IR 192"
_RESETS: Final = re.compile(r"([\\^=\r\n\f\t])")  # where code extensions end (PS3.5 6.1.2.5.3)
_ASCII_AGAIN: Final = b"\x1b(B"
_ROMAJI_AGAIN: Final = b"\x1b(J"


@dataclass(frozen=True, slots=True)
class _Coded:
    """A coded character set (PS3.3 Tables C.12-3 and C.12-4): the escape sequence that designates it,
    whether it takes the place of ASCII (G0) or stands beside it (G1), and a character's bytes in it,
    empty when it has none."""

    escape: bytes
    beside: bool
    encode: Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Repertoire:
    """A Specific Character Set to write in: its terms and their Python codecs. `lossy` puts a question
    mark in the place of what it does not hold."""

    terms: tuple[str, ...]
    codecs: tuple[str, ...]
    lossy: bool = False

    def encode(self, text: str, vr: str) -> bytes:
        """Raises UnicodeEncodeError for what this character set does not hold."""
        if text.isascii():
            return text.encode("ascii")
        if self.lossy:
            text = "".join(char if self._holds(char) else "?" for char in text)
        if len(self.codecs) == 1 and not _coded(self.codecs[0]).escape:
            return text.encode(self.codecs[0] if self.codecs[0] != default_encoding else "ascii")
        raw = b"".join(self._part(part) for part in _RESETS.split(text))
        if charsets.decode(raw, self.codecs, vr) != text:
            raise UnicodeEncodeError(self.codecs[0], text, 0, len(text), "does not survive the way")
        return raw

    def _holds(self, char: str) -> bool:
        if len(self.codecs) == 1 and not _coded(self.codecs[0]).escape:
            return char.isascii() or (self.codecs[0] != default_encoding and _can(self.codecs[0], char))
        return char.isascii() or any(_coded(codec).encode(char) for codec in self.codecs)

    def _part(self, part: str) -> bytes:
        """Between two resets. The first character set is designated where it begins."""
        out = bytearray()
        replaced, beside = "", self.codecs[0]  # what stands in the place of ASCII, and beside it
        for char in part:
            if char.isascii():
                out += self._back() if replaced else b""
                replaced = ""
                out += char.encode("ascii")
                continue
            codec = self._codec_for(char, (replaced, beside))
            found = _coded(codec)
            if found.beside:
                out += b"" if codec == beside else found.escape
                beside = codec
            else:
                out += b"" if codec == replaced else found.escape
                replaced = codec
            out += found.encode(char)
        return bytes(out + (self._back() if replaced else b""))

    def _codec_for(self, char: str, current: tuple[str, str]) -> str:
        for codec in (*filter(None, current), *self.codecs):
            if _coded(codec).encode(char):
                return codec
        raise UnicodeEncodeError(self.codecs[0], char, 0, 1, "not in the character set")

    def _back(self) -> bytes:
        return _ROMAJI_AGAIN if self.codecs[0] == "shift_jis" else _ASCII_AGAIN


UNICODE: Final = Repertoire((UTF8,), ("utf-8",))


def repertoire(terms: tuple[str, ...]) -> Repertoire:
    """The one that a request is written in, by its proper name; UTF-8 when it does not say."""
    codecs = charsets.encodings(terms) if any(terms) else ()
    named = charsets.terms(terms) if codecs and codecs != charsets.DEFAULT else ()
    return Repertoire(named, codecs) if named else UNICODE


def only(character_set: str) -> Repertoire:
    r"""The one of a reader that knows no other; its terms are joined by `\`."""
    terms = tuple(character_set.split("\\"))
    return Repertoire(terms, charsets.encodings(terms), lossy=True)


def _can(codec: str, char: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _coded(codec: str) -> _Coded:
    escape = ENCODINGS_TO_CODES.get(codec, b"")
    match codec:
        case "iso2022_jp" | "iso2022_jp_2":
            return _Coded(escape, beside=False, encode=lambda char: _kanji(codec, escape, char))
        case "euc_kr" | charsets.GB2312:
            return _Coded(escape, beside=True, encode=lambda char: _high(codec, char, 2))
        case "shift_jis":
            return _Coded(b"\x1b)I", beside=True, encode=lambda char: _high(codec, char, 1))
        case charsets.DEFAULT_CODEC:
            return _Coded(b"", beside=True, encode=lambda _: b"")
        case _:
            return _Coded(escape, beside=True, encode=lambda char: _high(codec, char, 1))


def _kanji(codec: str, escape: bytes, char: str) -> bytes:
    """The two bytes of a character; Python's codecs put the escape sequences of several sets around."""
    raw = char.encode(codec, "ignore")
    return raw[len(escape) :][:2] if raw.startswith(escape) else b""


def _high(codec: str, char: str, size: int) -> bytes:
    raw = char.encode(codec, "ignore")
    # Sets of one byte have 96 places, beginning with the no-break space; those of two have 94 by 94.
    return raw if len(raw) == size and min(raw) >= (0xA0 if size == 1 else 0xA1) else b""

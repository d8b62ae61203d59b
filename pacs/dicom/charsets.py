"""Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1): bytes to text, leniently.

A wrong or unknown character set must never keep an object out of the archive: what cannot be
decoded becomes U+FFFD in the index and stays as it is in the stored bytes.
"""

import re
import warnings
from functools import lru_cache
from typing import Final

from pydicom.charset import CODES_TO_ENCODINGS, ENCODINGS_TO_CODES, convert_encodings, python_encoding

# Text VRs that Specific Character Set applies to (PS3.5 6.1.2.3); PN separately, by component group.
AFFECTED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
# Where ISO 2022 falls back to the first character set (PS3.5 6.1.2.5.3).
_TEXT_DELIMITERS: Final = re.compile(rb"([\n\r\t\f\\])")
_NAME_DELIMITERS: Final = re.compile(rb"([\n\r\t\f\\^=])")
_CONTROLS: Final = re.compile(rb"([\n\r\t\f])")

DEFAULT_CODEC = "iso8859"
DEFAULT: tuple[str, ...] = (DEFAULT_CODEC,)
GB2312 = "iso_ir_58"

# Latin-9 came to the standard later than to pydicom's tables.
LATIN9 = "iso8859_15"
python_encoding |= dict.fromkeys(("ISO_IR 203", "ISO 2022 IR 203"), LATIN9)
CODES_TO_ENCODINGS[b"\x1b-b"] = LATIN9
ENCODINGS_TO_CODES[LATIN9] = b"\x1b-b"

# Sets of two bytes in the place of ASCII; Python wants to see their escape sequences.
_IN_G0: Final = {"iso2022_jp": b"\x1b$B", "iso2022_jp_2": b"\x1b$(D"}
_TO_ASCII: Final = frozenset({b"\x1b(B", b"\x1b(J"})
_ESCAPED: Final = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_RUNS: Final = re.compile(rb"[\x80-\xff]+|[\x00-\x7f]+")
_ALONE: Final = frozenset({"utf8", "utf-8", "gb18030", "gbk"})  # Table C.12-5: no code extensions


@lru_cache(maxsize=256)
def encodings(specific_character_set: tuple[str, ...]) -> tuple[str, ...]:
    """Python encodings for the values of (0008,0005); unknown terms fall back to the default."""
    if not specific_character_set:
        return DEFAULT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(list(specific_character_set)))
        except LookupError:
            return DEFAULT


def decode(raw: bytes, codecs: tuple[str, ...], vr: str) -> str:
    """Text of one value field, not yet split at backslashes."""
    if b"\x1b" not in raw:
        if raw.isascii():
            return raw.decode("ascii")
        if len(codecs) == 1:
            try:
                return raw.decode(codecs[0])
            except UnicodeDecodeError:
                return _last_resort(raw, codecs[0])
    try:
        if codecs[0].lower() in _ALONE:
            return raw.decode(codecs[0])
        return _Extended(codecs, _NAME_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS).text(raw)
    except (LookupError, UnicodeError):
        return _last_resort(raw, codecs[0])


class _Extended:
    """Text with code extensions (PS3.5 6.1.2.5): one set for the bytes below 0x80 (G0), one for those
    above (G1). Both are what the first term says until an escape sequence and after a delimiter."""

    def __init__(self, codecs: tuple[str, ...], delimiters: re.Pattern[bytes]) -> None:
        self._codecs = codecs
        self._delimiters = delimiters
        self._g0 = ""  # empty for ASCII
        self._g1 = codecs[0]

    def text(self, raw: bytes) -> str:
        """Raises UnicodeDecodeError."""
        return "".join(self._part(self._designated(part)) for part in _ESCAPED.findall(raw))

    def _designated(self, part: bytes) -> bytes:
        """What follows the escape sequence, once it has had its effect; one that is none of the terms'
        is left where it is."""
        size = 4 if part.startswith((b"\x1b$(", b"\x1b$)")) else 3
        escape = part[:size]
        codec = CODES_TO_ENCODINGS.get(escape)
        if escape in _TO_ASCII:
            self._g0 = ""
        elif codec not in self._codecs:
            return part
        elif codec in _IN_G0:
            self._g0 = codec
        else:
            self._g1 = codec
        return part[size:]

    def _part(self, part: bytes) -> str:
        """Up to the next escape sequence. Inside a character of two bytes nothing is a delimiter."""
        first, *rest = (_CONTROLS if self._g0 else self._delimiters).split(part, maxsplit=1)
        text = self._plain(first)
        if not rest:
            return text
        self._g0, self._g1 = "", self._codecs[0]
        return text + rest[0].decode("ascii") + self._part(rest[1])

    def _plain(self, part: bytes) -> str:
        return "".join(self._run(run) for run in _RUNS.findall(part))

    def _run(self, run: bytes) -> str:
        if run[0] >= 0x80:
            return run.decode(DEFAULT_CODEC if self._g1 in _IN_G0 else self._g1)
        return (_IN_G0[self._g0] + run).decode(self._g0) if self._g0 else run.decode("ascii")


def _last_resort(raw: bytes, codec: str) -> str:
    """UTF-8 is what a mislabelled object most often holds."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(codec, errors="replace")

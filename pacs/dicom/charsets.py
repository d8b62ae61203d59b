"""Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1): bytes to text, leniently.

A wrong or unknown character set must never keep an object out of the archive: what cannot be
decoded becomes U+FFFD in the index and stays as it is in the stored bytes.
"""

import codecs as python_codecs
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

_ASCII: Final = bytes(range(0x20, 0x7F)) + rb"\x41+AEE-"
_EXTENDING: Final = frozenset(term for term in python_encoding if term.startswith("ISO 2022 IR"))
_SINGLE: Final = frozenset(term for term in python_encoding if term.startswith(("ISO_IR", "GB")))


@lru_cache(maxsize=256)
def encodings(specific_character_set: tuple[str, ...]) -> tuple[str, ...]:
    """Python encodings for the values of (0008,0005); unknown terms fall back to the default."""
    if not specific_character_set:
        return DEFAULT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = convert_encodings(list(specific_character_set))
        except (LookupError, ValueError):  # the latter for a NUL within
            return DEFAULT
    kept = tuple(codec if _is_for_text(codec) else DEFAULT_CODEC for codec in found)
    return kept if set(kept) != {DEFAULT_CODEC} else DEFAULT


def _is_for_text(codec: str) -> bool:
    """Terms that are none are looked up among Python's codecs, of which some compress, some escape and
    some give ASCII another meaning."""
    try:
        return codec in python_encoding.values() or _ASCII.decode(codec, "replace") == _ASCII.decode("ascii")
    except (LookupError, UnicodeError):
        return False


@lru_cache(maxsize=256)
def terms(specific_character_set: tuple[str, ...]) -> tuple[str, ...]:
    """The same in Defined Terms (PS3.3 Tables C.12-2 to C.12-5): some write ISO IR 100, UTF-8, or several
    values without code extensions. Empty for what has none."""
    codecs = encodings(specific_character_set)
    proper = _EXTENDING if len(codecs) > 1 else _SINGLE | _EXTENDING
    if len(codecs) == len(specific_character_set) and {*proper, ""}.issuperset(specific_character_set):
        return specific_character_set
    # Of two terms for one codec the later: Latin-1 holds all that ASCII does.
    by_codec = {_codec(python_encoding[term]): term for term in sorted(proper, key=_broadest_last)}
    names = [_codec(codec) for codec in codecs]
    return tuple(by_codec[name] for name in names) if by_codec.keys() >= set(names) else ()


def _broadest_last(term: str) -> tuple[bool, bool, str]:
    """ISO IR 6 before others, and terms of code extensions before those that stand alone."""
    return not term.endswith("IR 6"), not term.startswith("ISO 2022"), term


def _codec(name: str) -> str:
    return python_codecs.lookup(name).name


def decode(raw: bytes, codecs: tuple[str, ...], vr: str) -> str:
    """Text of one value field, not yet split at backslashes."""
    if b"\x1b" not in raw:
        if raw.isascii():
            return raw.decode("ascii")
        if codecs == DEFAULT:
            # Bytes beyond ASCII without a character set that has them are wrong but common.
            return _last_resort(raw, DEFAULT_CODEC)
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
        return text + "".join(self._plain(piece) for piece in (rest[0], *self._delimiters.split(rest[1])))

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

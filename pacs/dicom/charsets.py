"""Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1): bytes to text, leniently.

A wrong or unknown character set must never keep an object out of the archive: what cannot be
decoded becomes U+FFFD in the index and stays as it is in the stored bytes.
"""

import warnings
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes

# Text VRs that Specific Character Set applies to (PS3.5 6.1.2.3); PN separately, by component group.
AFFECTED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
# Where ISO 2022 falls back to the first character set (PS3.5 6.1.2.5.3).
_TEXT_DELIMITERS = set(b"\n\r\t\f\\")
_NAME_DELIMITERS = set(b"^=\\")

DEFAULT_CODEC = "iso8859"
DEFAULT: tuple[str, ...] = (DEFAULT_CODEC,)
GB2312 = "iso_ir_58"
_GB2312_DESIGNATED = "\x1b$)A"


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
    delimiters = _NAME_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = decode_bytes(raw, list(codecs), delimiters)
        except (LookupError, UnicodeError, ValueError):
            return _last_resort(raw, codecs[0])
    # Python's codec for it takes no notice of the escape sequence, and pydicom expects that it does.
    return text.replace(_GB2312_DESIGNATED, "") if GB2312 in codecs else text


def _last_resort(raw: bytes, codec: str) -> str:
    """UTF-8 is what a mislabelled object most often holds."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(codec, errors="replace")

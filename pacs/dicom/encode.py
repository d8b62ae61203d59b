"""Values as bytes in Explicit VR Little Endian, text in UTF-8 (PS3.5 6.2, 7.1)."""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from pacs.dicom import attributes
from pacs.dicom.described import NUMBERS, TEXT, Described, Malformed, tag_of

LONG_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_LIMIT: Final = 0xFFFE  # bytes of a value whose VR has a 16-bit length
UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END: Final = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END: Final = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_ZERO_PADDED: Final = frozenset({"UI", "OB", "UN"})
_LONGEST_DS: Final = 16
_WORDS: Final[Mapping[str, float]] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def head(tag: int, vr: str, length: int) -> bytes:
    """Tag, VR and length. What is too long for its VR is written as UN, which any reader takes for
    what the dictionary says (PS3.5 6.2.2)."""
    if vr not in LONG_VRS and length > SHORT_LIMIT:
        vr = "UN"
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def padding(vr: str) -> bytes:
    return b" " if vr in TEXT and vr not in _ZERO_PADDED else b"\0"


def value_field(tag: int, element: Described) -> bytes:
    """Of an element that is no sequence and has no bulk data, padded. Raises Malformed."""
    try:
        raw = element.inline if element.inline is not None else _values(element)
    except (ValueError, TypeError, OverflowError, struct.error):
        raise Malformed(f"{attributes.keyword_of(tag)} has a value that does not fit its VR") from None
    return raw + padding(element.vr) * (len(raw) % 2)


def _values(element: Described) -> bytes:
    vr, values = element.vr, element.values
    if not values:
        return b""
    if vr in NUMBERS:
        convert = _real if vr in {"FL", "FD"} else _whole
        return struct.pack(f"<{len(values)}{NUMBERS[vr]}", *map(convert, values))
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in map(_tag, values))
    convert_text = _TEXT.get(vr, _plain)
    return "\\".join("" if value is None else convert_text(value) for value in values).encode()


def _tag(value: Any) -> int:
    try:
        return tag_of(value)
    except Malformed:
        raise ValueError from None


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _real(value: Any) -> float:
    return _WORDS[value] if value in _WORDS else float(value)


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Any) -> str:
    return value if isinstance(value, str) else str(_whole(value))


def decimal(value: Any) -> str:
    """A DS of at most 16 characters, as exact as that allows."""
    if isinstance(value, str):
        return value
    text = repr(value)
    digits = 16
    while len(text) > _LONGEST_DS:
        text = f"{value:.{digits}g}"
        digits -= 1
    return text


_TEXT: Final[dict[str, Callable[[Any], str]]] = {"IS": _integer, "DS": decimal}


def any_element(tag: int, element: Described) -> bytes:
    """A whole element that fits into memory, sequences and all; without bulk data. Raises Malformed."""
    if element.items is None:
        field = value_field(tag, element)
        return head(tag, element.vr, len(field)) + field
    items = (
        ITEM + b"".join(any_element(inner, item[inner]) for inner in sorted(item)) + ITEM_END
        for item in element.items
    )
    return head(tag, "SQ", UNDEFINED) + b"".join(items) + SEQUENCE_END

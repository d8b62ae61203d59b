"""A data set as text describes it (PS3.18 F, PS3.19 A.1), before it is encoded: the form that DICOM JSON
and the native XML are read into."""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pacs.dicom import attributes
from pacs.dicom.header import MAX_DEPTH

NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXT: Final = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
VRS: Final = TEXT | BINARY | NUMBERS.keys() | {"AT", "SQ"}


_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _integer(bits: int, *, signed: bool) -> Callable[[str], int]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text.strip()) or not low <= (number := int(text)) <= high:
            raise ValueError
        return number

    return read


def _decimal(text: str) -> float:
    """JSON has no others than finite ones."""
    if not _DECIMAL.fullmatch(text.strip()) or not math.isfinite(number := float(text)):
        raise ValueError
    return number


_NUMBER_OF: Final[dict[str, Callable[[str], int | float]]] = {
    **dict.fromkeys(("FL", "FD", "DS"), _decimal),
    "IS": _integer(32, signed=True),
    **{
        vr: _integer(8 * struct.calcsize(code), signed=code.islower())
        for vr, code in NUMBERS.items()
        if vr[0] != "F"
    },
}


class Malformed(Exception):
    """This describes no data set. The message holds no value of it."""


@dataclass(slots=True)
class Described:
    """One data element: `values`, or `items` of a sequence, or `inline` bytes, or the address of its
    bulk data. A person name is text with its component groups joined by `=`; None is an empty value."""

    vr: str
    values: list[Any] = field(default_factory=list)
    items: "list[DataSet] | None" = None
    inline: bytes | None = None
    bulk: str = ""


DataSet = dict[int, Described]


def tag_of(text: Any) -> int:
    """Raises Malformed."""
    if not isinstance(text, str) or len(text) != 8 or not text.isascii() or not text.isalnum():
        raise Malformed("an attribute is not named by its tag, eight hexadecimal digits")
    try:
        return int(text, 16)
    except ValueError:
        raise Malformed("an attribute is not named by its tag, eight hexadecimal digits") from None


def vr_of(tag: int, said: Any) -> str:
    """The VR that is said; that of the dictionary where none is. Raises Malformed."""
    vr = attributes.vr_of(tag) if said is None or said == "" else said
    if vr not in VRS:
        raise Malformed(f"{attributes.keyword_of(tag)} has a VR that is none")
    return str(vr)


def check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"sequences are nested more than {MAX_DEPTH} deep")


def decoded(text: str) -> bytes:
    """InlineBinary (PS3.18 F.2.7). Raises Malformed."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("an InlineBinary is not base64") from None


def as_json(described: DataSet) -> dict[str, Any]:
    """The DICOM JSON Model of it (PS3.18 F.2). Raises Malformed where text is no number of its VR."""
    return {f"{tag:08X}": _element(tag, one) for tag, one in sorted(described.items())}


def _element(tag: int, one: Described) -> dict[str, Any]:
    if one.bulk:
        return {"vr": one.vr, "BulkDataURI": one.bulk}
    if one.inline is not None:
        return {"vr": one.vr, "InlineBinary": base64.b64encode(one.inline).decode("ascii")}
    values = [_json_value(tag, one.vr, value) for value in one.values]
    if one.items is not None:
        values = [as_json(item) for item in one.items]
    return {"vr": one.vr, "Value": values} if values not in ([], [None]) else {"vr": one.vr}


def _json_value(tag: int, vr: str, value: Any) -> Any:
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        return value
    if vr == "PN":
        groups = zip(GROUPS, value.split("=", len(GROUPS) - 1), strict=False)
        return {group: text for group, text in groups if text}
    make = _NUMBER_OF.get(vr)
    if make is None:
        return value
    try:
        return make(value)
    except ValueError:
        if vr in TEXT:
            return value  # PS3.18 F.2.3 leaves both forms to DS and IS
        raise Malformed(f"{attributes.keyword_of(tag)} has a value that is no number") from None

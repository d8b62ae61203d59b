"""Values as the standard allows them (PS3.5 6.2): what a modality is sent must fit its VR.

An archive takes objects as they are; an order is made by people and systems that can still put it
right, so here a value that does not fit is refused, by the name it was given under.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pacs.dicom import uids
from pacs.dicom.attributes import keyword_of, vr_of
from pacs.errors import Invalid
from pacs.query import normal

Element = dict[str, Any]
DataSet = dict[str, Element]

DEEPEST: Final = 16
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_LONGEST: Final = MappingProxyType(
    {
        "AE": 16,
        "CS": 16,
        "LO": 64,
        "LT": 10_240,
        "SH": 16,
        "ST": 1024,
        "UC": 65_536,
        "UR": 65_536,
        "UT": 65_536,
    }
)
_RANGES: Final = MappingProxyType(
    {
        "US": (0, 2**16 - 1),
        "SS": (-(2**15), 2**15 - 1),
        "UL": (0, 2**32 - 1),
        "SL": (-(2**31), 2**31 - 1),
        "IS": (-(2**31), 2**31 - 1),
        "UV": (0, 2**64 - 1),
        "SV": (-(2**63), 2**63 - 1),
    }
)
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_LINES: Final = frozenset({"LT", "ST", "UT", "UR"})  # one value, in which a backslash is text
_ORDINARY: Final = frozenset({"SH", "LO", "PN", "UC"})
_CODE: Final = re.compile(r"[A-Z0-9 _]*")
_TITLE: Final = re.compile(r"[ -\[\]-~]*")
_AGE: Final = re.compile(r"\d{3}[DWMY]", re.ASCII)
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")


def element(tag: int, values: Sequence[Any], where: str) -> Element:
    """The attribute with these values, each checked. Raises Invalid, which names `where`."""
    vr = vr_of(tag)
    kept = _several(tag, vr, values, where)
    return {"vr": vr, "Value": kept} if kept else {"vr": vr}


def checked(dataset: Mapping[str, Any], where: str = "", *, depth: int = 0) -> DataSet:
    """A data set of the DICOM JSON Model, every value checked. Raises Invalid."""
    if depth > DEEPEST:
        raise Invalid(f"{where} is nested more than {DEEPEST} deep")
    found: DataSet = {}
    for name in sorted(dataset):
        if not _TAG.fullmatch(name):
            raise Invalid(f"{_inside(where, name)} is not a tag of eight hexadecimal digits")
        tag = int(name, 16)
        found[f"{tag:08X}"] = _element_of(tag, dataset[name], _inside(where, keyword_of(tag)), depth)
    return found


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _element_of(tag: int, raw: Any, where: str, depth: int) -> Element:
    if not isinstance(raw, Mapping):
        raise Invalid(f"{where} is not an attribute", hint='write {"vr": "LO", "Value": ["text"]}')
    known = vr_of(tag)
    vr = str(raw.get("vr", known)) if known == "UN" else known
    if vr == "SQ":
        return _sequence(raw, where, depth)
    if "InlineBinary" in raw and vr in _BINARY:
        return _inline(vr, raw["InlineBinary"], where)
    if "BulkDataURI" in raw:
        raise Invalid(f"{where} is too large for an order")
    values = raw.get("Value") or []
    if not isinstance(values, list):
        raise Invalid(f"{where} has a Value that is not a list")
    kept = _several(tag, vr, values, where)
    return {"vr": vr, "Value": kept} if kept else {"vr": vr}


def _sequence(raw: Mapping[str, Any], where: str, depth: int) -> Element:
    items = raw.get("Value") or []
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Invalid(f"{where} is a sequence: its Value is a list of data sets")
    kept = [checked(item, f"{where}[{number}]", depth=depth + 1) for number, item in enumerate(items)]
    return {"vr": "SQ", "Value": kept} if kept else {"vr": "SQ"}


def _inline(vr: str, raw: Any, where: str) -> Element:
    try:
        base64.b64decode(str(raw), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{where} has an InlineBinary that is not base64") from None
    return {"vr": vr, "InlineBinary": str(raw)}


def _several(tag: int, vr: str, values: Sequence[Any], where: str) -> list[Any]:
    if vr in _BINARY:
        raise Invalid(f"{where} is binary and has no value of text")
    if len(values) > 1 and (normal.is_single(tag) or vr in _LINES):
        raise Invalid(f"{where} has {len(values)} values; there can be one")
    kept = [_one(vr, value, where) for value in values]
    return kept if any(value is not None for value in kept) else []


def _one(vr: str, value: Any, where: str) -> Any:
    """A value, None for an empty one."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise Invalid(f"{where} is true or false; it must be {_expected(vr)}")
    if vr == "PN":
        return _name(value, where)
    if vr in _RANGES:
        return _whole(vr, value, where)
    if vr in {"DS", "FL", "FD"}:
        return _decimal(vr, value, where)
    if not isinstance(value, str):
        raise Invalid(f"{where} must be text: {_expected(vr)}")
    return _text(vr, value, where)


def _text(vr: str, value: str, where: str) -> str | None:
    text = value.rstrip(" \0") if vr in _LINES else value.strip(" \0")
    test = _TESTS.get(vr)
    if test is not None and text and not test(text):
        raise Invalid(f"{where} must be {_expected(vr)}")
    _printable(vr, text, where)
    return (normal.date(text) if vr == "DA" else text) or None


def _printable(vr: str, text: str, where: str) -> None:
    if len(text) > _LONGEST.get(vr, 64):
        raise Invalid(f"{where} is longer than {_LONGEST.get(vr, 64)} characters")
    allowed = "\r\n\f\t" if vr in _LINES else ""
    if not all(char.isprintable() or char in allowed for char in text):
        raise Invalid(f"{where} holds characters that cannot be printed")
    if vr in _ORDINARY and "\\" in text:
        raise Invalid(f"{where} holds a backslash, which separates values", hint="write a list of values")


def _name(value: Any, where: str) -> dict[str, str] | None:
    """`Yamada^Tarou=山田^太郎`, or its component groups by name (PS3.18 F.2.2)."""
    if isinstance(value, str):
        parts = value.split("=")
        if len(parts) > 3:
            raise Invalid(f"{where} has more than three component groups")
        value = dict(zip(_GROUPS, parts, strict=False))
    if not isinstance(value, Mapping) or not set(value) <= set(_GROUPS):
        raise Invalid(f"{where} must be a name such as Family^Given=family^given in ideographs")
    groups = {}
    for group, text in value.items():
        if not isinstance(text, str) or text.count("^") > 4 or "=" in text:
            raise Invalid(f"{where} must be a name of at most five components, Family^Given^Middle^Dr.^Jr.")
        _printable("PN", text, where)
        if kept := text.strip(" ").rstrip("^"):
            groups[group] = kept
    return groups or None


def _whole(vr: str, value: Any, where: str) -> int:
    low, high = _RANGES[vr]
    text = normal.integer(str(value)) if isinstance(value, int | str) else ""
    if not text or not low <= int(text) <= high:
        raise Invalid(f"{where} must be a whole number from {low} to {high}")
    return int(text)


def _decimal(vr: str, value: Any, where: str) -> float | int:
    text = normal.decimal(vr, str(value)) if isinstance(value, int | float | str) else ""
    if not text or (vr == "DS" and len(str(value)) > 16):
        raise Invalid(f"{where} must be a number of at most 16 characters")
    number = float(text)
    return int(number) if number.is_integer() else number


def _expected(vr: str) -> str:
    return _EXPECTED.get(vr, "text")


_TESTS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {
        "AE": _TITLE.fullmatch,
        "AS": _AGE.fullmatch,
        "AT": _TAG.fullmatch,
        "CS": _CODE.fullmatch,
        "DA": normal.date,
        "DT": normal.moment_bounds,
        "TM": normal.time_bounds,
        "UI": uids.is_valid,
    }
)
_EXPECTED: Final = MappingProxyType(
    {
        "AE": "an AE title, ASCII without backslash",
        "AS": "an age such as 045Y",
        "AT": "a tag of eight hexadecimal digits",
        "CS": "a code of capital letters, digits, spaces and underscores",
        "DA": "a date as YYYYMMDD",
        "DT": "a moment as YYYYMMDDHHMMSS",
        "TM": "a time as HHMM or HHMMSS",
        "UI": "a UID: digits and dots, at most 64 characters",
    }
)

"""Data sets of steps: DICOM JSON that came from outside, checked once so that all the rest can trust it."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from pydicom.datadict import dictionary_VR

from pacs import clock
from pacs.dicom.attributes import keyword_of, tag_of, vr_of
from pacs.errors import Invalid
from pacs.query.model import Element
from pacs.workitems.model import DataSet

_DEEPEST: Final = 16
_HEX: Final = frozenset("0123456789ABCDEFabcdef")
_TEXT: Final = frozenset(
    ["AE", "AS", "AT", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]
)
_EITHER: Final = frozenset(["DS", "IS", "SV", "UV"])
_NUMBERS: Final = frozenset(["US", "SS", "UL", "SL", "FL", "FD"])
_BINARY: Final = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
_GROUPS: Final = frozenset({"Alphabetic", "Ideographic", "Phonetic"})


def tag(keyword: str) -> str:
    """The key of an attribute in a data set."""
    return f"{tag_of(keyword):08X}"


def element(keyword: str, *values: Any) -> Element:
    vr = vr_of(tag_of(keyword))
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def values(dataset: DataSet, keyword: str) -> list[Any]:
    found = dataset.get(tag(keyword), {}).get("Value") or []
    return [value for value in found if value is not None]


def text(dataset: DataSet, keyword: str) -> str:
    """The first value; empty when there is none."""
    found = values(dataset, keyword)
    return str(found[0]).strip() if found else ""


def has_value(found: Element | None) -> bool:
    if not found:
        return False
    if "InlineBinary" in found:
        return bool(found["InlineBinary"])
    return any(value not in (None, "", {}) for value in found.get("Value") or [])


def now() -> str:
    """A DT in UTC, with its offset (PS3.5 6.2)."""
    return datetime.fromtimestamp(clock.now_ns() / 1e9, tz=UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def checked(value: Any) -> DataSet:
    """The data set of a request's body, tags in upper case and in order. Raises Invalid."""
    if isinstance(value, list):
        if len(value) != 1:
            raise Invalid("the payload holds exactly one data set (PS3.18 11.4.1.4)")
        value = value[0]
    return _dataset(value, 0)


def _dataset(value: Any, depth: int) -> DataSet:
    if not isinstance(value, dict):
        raise Invalid("a data set is a JSON object of the DICOM JSON Model (PS3.18 F.2)")
    if depth > _DEEPEST:
        raise Invalid(f"sequences are nested more than {_DEEPEST} deep")
    found: DataSet = {}
    for name, inner in value.items():
        if len(name) != 8 or not _HEX.issuperset(name):
            raise Invalid("attributes are named by eight hexadecimal digits (PS3.18 F.2.2)")
        if not isinstance(inner, dict):
            raise Invalid(f"{keyword_of(int(name, 16))} is not an element of the DICOM JSON Model")
        found[name.upper()] = _element(int(name, 16), inner, depth)
    return dict(sorted(found.items()))


def _element(tag_: int, found: dict[str, Any], depth: int) -> Element:
    name = keyword_of(tag_)
    if "BulkDataURI" in found:
        raise Invalid(f"{name} refers to bulk data, which workitems have not (PS3.18 11.1.3)")
    vr = _vr(tag_, found.get("vr"))
    if "InlineBinary" in found:
        if vr not in _BINARY or not isinstance(found["InlineBinary"], str):
            raise Invalid(f"{name} is no binary attribute")
        return {"vr": vr, "InlineBinary": found["InlineBinary"]}
    given = found.get("Value")
    if not given:
        return {"vr": vr}
    if not isinstance(given, list):
        raise Invalid(f"the Value of {name} is not a list")
    return {"vr": vr, "Value": [_value(name, vr, one, depth) for one in given]}


def _vr(tag_: int, given: Any) -> str:
    """The dictionary's, where it has the attribute: clients that mistake one text VR for another are
    understood."""
    known = _allowed(tag_)
    if given is None and known:
        return known[0]
    if not isinstance(given, str) or given not in _TEXT | _EITHER | _NUMBERS | _BINARY | {"PN", "SQ"}:
        raise Invalid(f"{keyword_of(tag_)} has no VR that there is")
    if not known or given in known:
        return given
    if given in _TEXT and known[0] in _TEXT:
        return known[0]
    raise Invalid(f"the VR of {keyword_of(tag_)} is {' or '.join(known)}")


@cache
def _allowed(tag_: int) -> tuple[str, ...]:
    try:
        return tuple(dictionary_VR(tag_).split(" or "))
    except KeyError:
        return ()


def _value(name: str, vr: str, value: Any, depth: int) -> Any:
    if vr == "SQ":
        return _dataset(value or {}, depth + 1)
    if value is None:
        return None
    if vr == "PN":
        return _name(name, value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, str) and vr not in _NUMBERS | _BINARY:
        return _plain(name, value)
    if number and vr in _EITHER | _NUMBERS:
        return value
    raise Invalid(f"a value of {name} is not one of VR {vr}")


def _name(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not _GROUPS.issuperset(value):
        raise Invalid(f"a value of {name} is no person name (PS3.18 F.2.2)")
    if not all(isinstance(part, str) for part in value.values()):
        raise Invalid(f"a value of {name} is no person name (PS3.18 F.2.2)")
    return {group: _plain(name, part) for group, part in value.items()}


def _plain(name: str, value: str) -> str:
    if "\0" in value:
        raise Invalid(f"a value of {name} is not valid text")
    return value

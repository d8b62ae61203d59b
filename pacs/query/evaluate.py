"""Conditions decided on the DICOM JSON Model: the same answers as `compile` gets from columns.

Paths are relative to the data set or item they are asked of. Of several values one that fits
is enough (PS3.4 C.2.2.3).
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from pacs.dicom import names, sounds
from pacs.dicom.attributes import tag_of, vr_of
from pacs.query import normal, patterns
from pacs.query.keys import WILD
from pacs.query.model import (
    Alike,
    Condition,
    DateTimeRange,
    Element,
    Exact,
    FreeText,
    Path,
    Range,
    Wildcard,
    Within,
)

DataSet = Mapping[str, Element]
_Test = Callable[[str, str], bool]  # asked text, stored text

_JOINED = WILD | {"UI"}
_ZONE = tag_of("TimezoneOffsetFromUTC")
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_SEARCHED = tuple(map(tag_of, ("PatientID", "AccessionNumber", "StudyDescription", "StudyInstanceUID")))
_PATIENT_NAME = tag_of("PatientName")


def matches(dataset: DataSet, condition: Condition) -> bool:
    """Whether the data set, a DICOM JSON object, satisfies the condition."""
    match condition:
        case Exact(path, values):
            return _any_of(dataset, path, values, str.__eq__)
        case Wildcard(path, asked):
            return _any_of(dataset, path, asked, patterns.fits)
        case Range():
            return _in_range(dataset, condition)
        case DateTimeRange():
            return _in_moments(dataset, condition)
        case Within(path, conditions):
            items = _element(dataset, path[0]).get("Value") or []
            return any(all(matches(item or {}, c) for c in conditions) for item in items)
        case FreeText(words):
            return all(_found(dataset, word) for word in words)
        case Alike():
            return _alike(dataset, condition)


def _element(dataset: DataSet, tag: int) -> Element:
    return dataset.get(f"{tag:08X}", {})


def _vr(element: Element, tag: int) -> str:
    """The dictionary's VR where it has one: the index goes by it whatever the object says."""
    known = vr_of(tag)
    return known if known != "UN" else element.get("vr", "UN")


def texts(element: Element) -> list[str]:
    """Every value as text, empty where a value of several is missing."""
    if "InlineBinary" in element and element.get("vr") == "UN":
        return _unknown(element["InlineBinary"])
    return [_text(value) for value in element.get("Value") or []]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "=".join(str(value.get(group) or "") for group in _NAME_GROUPS)
    return str(value)


def _unknown(encoded: str) -> list[str]:
    """A private attribute that came in Implicit VR is bytes; most often they are text."""
    try:
        return base64.b64decode(encoded).decode("utf-8").rstrip(" \0").split("\\")
    except (binascii.Error, UnicodeDecodeError):
        return []


def _normal(tag: int, element: Element) -> list[str]:
    """The values in normal form. Of several in an attribute that has one, text counts as one
    value joined by backslashes, of anything else the first: this is how the index keeps them."""
    vr = _vr(element, tag)
    present = [text for text in texts(element) if text]
    if len(present) > 1 and normal.is_single(tag):
        present = ["\\".join(present)] if vr in _JOINED else present[:1]
    return [stored for text in present if (stored := normal.stored(vr, text))]


def _any_of(dataset: DataSet, path: Path, asked: tuple[str, ...], test: _Test) -> bool:
    tag = path[0]
    element = _element(dataset, tag)
    vr = _vr(element, tag)
    if vr == "PN":
        groups = _name_groups(tag, element)
        return any(_name_fits(one, groups, test) for one in asked)
    if vr_of(tag) == "UN":  # the key could not be brought to a form that only the object tells
        asked = tuple(normal.value(vr, one) or one for one in asked)
    return any(test(one, text) for one in asked for text in _normal(tag, element))


def _alike(dataset: DataSet, condition: Alike) -> bool:
    groups = _name_groups(condition.path[0], _element(dataset, condition.path[0]))
    heard = sounds.of_all(text for group in groups for text in group)
    return any(heard.issuperset(wanted) for wanted in condition.wanted) or matches(dataset, condition.literal)


def _name_groups(tag: int, element: Element) -> list[list[str]]:
    """The alphabetic, ideographic and phonetic groups of every name."""
    folded = [names.folded(value) for value in texts(element) if value]
    groups = [[name[i] for name in folded] for i in range(3)]
    return [["\\".join(group)] for group in groups] if normal.is_single(tag) else groups


def _name_fits(asked: str, groups: list[list[str]], test: _Test) -> bool:
    """With `=` each group that was given must fit, without it any group may (PS3.5 6.2.1)."""
    if "=" not in asked:
        return any(test(asked, text) for group in groups for text in group if text)
    return all(
        any(test(part, text) for text in group if text)
        for part, group in zip(asked.split("="), groups, strict=False)
        if not patterns.is_universal(part)
    )


def _in_range(dataset: DataSet, condition: Range) -> bool:
    tag = condition.path[0]
    element = _element(dataset, tag)
    if _vr(element, tag) == "DT":
        return any(_moment_in(text, condition, dataset) for text in texts(element))
    return any(
        condition.low <= stored and (not condition.high or stored <= condition.high)
        for stored in _normal(tag, element)
    )


def _moment_in(text: str, condition: Range, dataset: DataSet) -> bool:
    """A moment goes by the clock of the bound: UTC when that had an offset, else as recorded."""
    zone = texts(_element(dataset, _ZONE))
    low, high = (
        normal.utc(text, zone[0] if zone else "+0000") if bound.endswith("Z") else normal.clock(text)
        for bound in (condition.low, condition.high)
    )
    return bool(low and high) and low >= condition.low and (not condition.high or high <= condition.high)


def _in_moments(dataset: DataSet, condition: DateTimeRange) -> bool:
    day, time = (
        next(iter(_normal(path[0], _element(dataset, path[0]))), "")
        for path in (condition.date, condition.time)
    )
    moment = day + time
    return bool(day) and moment >= condition.low and (not condition.high or moment <= condition.high)


def _found(dataset: DataSet, word: str) -> bool:
    """`word` somewhere in the patient's name, folded, or in one of the other attributes."""
    groups = _name_groups(_PATIENT_NAME, _element(dataset, _PATIENT_NAME))
    inside = f"*{names.fold(word)}*"
    if any(patterns.fits(inside, "\\".join(group)) for group in groups):
        return True
    plain = f"*{ascii_lower(word)}*"
    return any(
        patterns.fits(plain, ascii_lower("\\".join(texts(_element(dataset, tag))))) for tag in _SEARCHED
    )


def ascii_lower(text: str) -> str:
    """What `lower()` does in both databases: SQLite's knows ASCII only, as does COLLATE "C"."""
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)

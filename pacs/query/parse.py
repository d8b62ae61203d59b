"""Keys of a wire become a Query (PS3.4 C.2.2.2 and C.4.1, PS3.18 8.3.4)."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pacs.dicom.attributes import BY_TAG, Column, keyword_of, tag_of, vr_of
from pacs.dicom.level import Level
from pacs.errors import Invalid
from pacs.query import keys as key
from pacs.query import patterns, plan
from pacs.query.model import (
    Condition,
    DateTimeRange,
    Exact,
    FreeText,
    Keys,
    Order,
    Path,
    Query,
    Range,
    Within,
)

_HEX = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_MOST_WORDS = 32

# They say how to ask, not what is sought: edges deal with them.
_OF_THE_WIRE = frozenset(
    map(tag_of, ("SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle", "RetrieveURL"))
)
_NOT_MATCHED = {
    tag_of("InstanceAvailability"): "it is told, and not matched",
    tag_of("TimezoneOffsetFromUTC"): "dates and times are compared as they were recorded",
}
_PAIRS = tuple(
    (tag_of(f"{name}Date"), tag_of(f"{name}Time"))
    for name in ("Study", "Series", "Content", "PerformedProcedureStepStart", "ScheduledProcedureStepStart")
)


@dataclass(slots=True)
class _Node:
    """The keys of one data set or item: a tree, because keys of one item must match together."""

    values: dict[int, tuple[str, ...]] = field(default_factory=dict)
    items: dict[int, "_Node"] = field(default_factory=dict)


def path(text: str) -> Path:
    """`PatientName`, `00100010`, `RequestAttributesSequence.00400009`; raises Invalid."""
    tags = tuple(_tag(part) for part in text.split("."))
    for tag in tags[:-1]:
        if vr_of(tag) not in {"SQ", "UN"}:
            raise Invalid(f"{keyword_of(tag)} is not a sequence")
    return tags


def _tag(text: str) -> int:
    if _HEX.fullmatch(text):
        return int(text, 16)
    with suppress(LookupError):
        if text:  # the dictionary has elements without a keyword
            return tag_of(text)
    raise Invalid(
        "an attribute is neither a DICOM keyword nor eight hexadecimal digits",
        hint="write PatientName or 00100010, and for an attribute of a sequence SEQUENCE.ATTRIBUTE",
    )


def from_keys(  # noqa: PLR0913 - each is one thing that a wire can ask for
    level: Level,
    keys: Keys,
    *,
    returned: Iterable[Path] = (),
    defaults: bool = False,
    everything: bool = False,
    offset: int = 0,
    limit: int | None = None,
    relational: bool = True,
    combined: bool = False,
    fuzzy: bool = False,
    order: Iterable[Order] = (),
) -> Query:
    """The query that `keys` ask for; attributes with a key are returned too.

    An empty value or `*` matches everything; several values match any of them. Keys of a level
    below `level` match when something below fits all of them, or are left out with a warning
    without `relational`. `combined` reads a date and a time, one of them a range, as one range
    of moments (C.2.2.2.5.3); otherwise each matches for itself, which is what C-FIND does
    without negotiation. `fuzzy` finds person names that sound like the keys as well. Raises
    Invalid when a value is not of its attribute's form.
    """
    if offset < 0 or (limit is not None and limit < 0):
        raise Invalid("offset and limit are whole numbers from 0")
    asked = [(p, values) for p, values in keys if p and p[0] not in _OF_THE_WIRE and p[-1] & 0xFFFF]
    paths = [p for p, _ in asked] + [p for p in returned if p and p[0] not in _OF_THE_WIRE]
    tree, warnings = _Node(), []
    for p, values in asked:
        refusal = _refusal(level, p, values, relational=relational)
        if refusal:
            warnings.append(f"{keyword_of(p[0])} is not matched: {refusal}")
        else:
            _plant(tree, p, values)
    return Query(
        level,
        _conditions(tree, combined=combined, fuzzy=fuzzy),
        tuple(dict.fromkeys(paths)),
        defaults,
        everything,
        offset,
        limit,
        tuple(dict.fromkeys(warnings)),
        tuple(order),
    )


def conditions(keys: Keys, *, combined: bool = False) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """What `keys` ask of data sets that stand at no level, such as items of a worklist, and warnings of
    those that are not matched. Raises Invalid when a value is not of its attribute's form."""
    tree, warnings = _Node(), []
    for p, values in keys:
        if not p or p[0] in _OF_THE_WIRE or not p[-1] & 0xFFFF:
            continue
        if refusal := _refusal(Level.IMAGE, p, values, relational=True):
            warnings.append(f"{keyword_of(p[0])} is not matched: {refusal}")
        else:
            _plant(tree, p, values)
    return _conditions(tree, combined=combined, fuzzy=False), tuple(dict.fromkeys(warnings))


def order(text: str, level: Level) -> Order:
    """`StudyDate` or, the greatest first, `-StudyDate`. Raises Invalid for what the index does not keep
    at this level or above it."""
    found = path(text.removeprefix("-"))
    if len(found) > 1 or not plan.has_order(found[0], level):
        raise Invalid(
            f"answers of this level are not ordered by {keyword_of(found[-1])}",
            hint="order by an attribute that the index keeps, of this level or above it",
        )
    return Order(found[0], text.startswith("-"))


def free_text(query: Query, text: str) -> Query:
    """The query narrowed to what holds every word of `text`; `*` and `?` are wild cards in it."""
    words = tuple(word for word in key.clean("the text", text).split() if not patterns.is_universal(word))
    if len(words) > _MOST_WORDS:
        raise Invalid(f"the text has more than {_MOST_WORDS} words")
    return replace(query, conditions=(*query.conditions, FreeText(words))) if words else query


def _refusal(level: Level, p: Path, values: tuple[str, ...], *, relational: bool) -> str:
    """Why these values are not matched; empty when they are."""
    if not any(value.strip(" \0*") for value in values):
        return ""
    if p[0] in _NOT_MATCHED:
        return _NOT_MATCHED[p[0]]
    if vr_of(p[-1]) in key.BINARY:
        return "binary values are not compared"
    attribute = BY_TAG.get(p[0])
    if attribute is None:
        return ""
    if attribute.column is Column.COMPUTED and attribute.keyword not in plan.MATCHED_COMPUTED:
        return "it is counted by the archive"
    if attribute.level > level and not relational:
        return "it belongs to a lower level"
    return ""


def _plant(node: _Node, p: Path, values: tuple[str, ...]) -> None:
    if len(p) == 1:
        node.values[p[0]] = node.values.get(p[0], ()) + tuple(values)
        return
    if vr_of(p[0]) not in {"SQ", "UN"}:
        raise Invalid(f"{keyword_of(p[0])} is not a sequence")
    _plant(node.items.setdefault(p[0], _Node()), p[1:], values)


def _conditions(node: _Node, *, combined: bool, fuzzy: bool) -> tuple[Condition, ...]:
    found = {
        tag: c for tag, values in node.values.items() if (c := key.condition((tag,), values, fuzzy=fuzzy))
    }
    if combined:
        for date, time in _PAIRS:
            _combine(found, node, date, time)
    within = [
        Within((tag,), inner)
        for tag, below in node.items.items()
        if (inner := _conditions(below, combined=combined, fuzzy=fuzzy))
    ]
    return (*found.values(), *within)


def _combine(found: dict[int, Condition], node: _Node, date: int, time: int) -> None:
    """Replace a date and a time, at least one of them a range, by one range of moments.

    A single time on a range of dates stays what it says: that time on any of the days.
    """
    days, times = found.get(date), found.get(time)
    if not isinstance(times, Range) or not key.is_range("TM", _given(node, time)):
        return
    if isinstance(days, Exact) and len(days.values) == 1:
        days = Range(days.path, days.values[0], days.values[0])
    if not isinstance(days, Range):
        return
    del found[time]
    low = days.low + times.low if days.low else ""
    high = days.high + (times.high or "235960.999999") if days.high else ""
    found[date] = DateTimeRange((date,), (time,), low, high)


def _given(node: _Node, tag: int) -> tuple[str, ...]:
    return tuple(value.strip(" \0") for value in node.values.get(tag, ()) if value.strip(" \0"))

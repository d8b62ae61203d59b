"""A query as a value (PS3.4 C.2.2.2, PS3.18 8.3.4 and 10.6).

Edges build it through `pacs.query.parse`; `pacs.query.compile` makes SQL of it and
`pacs.query.evaluate` decides the same conditions on stored DICOM JSON.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey

Path = tuple[int, ...]  # tags from the root of the data set to the attribute, sequences on the way
Element = dict[str, Any]  # one attribute of the DICOM JSON Model (PS3.18 F.2)


@dataclass(frozen=True, slots=True)
class Exact:
    """Single value and list of UID matching: any of `values` (C.2.2.2.1, C.2.2.2.2)."""

    path: Path
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Any of `patterns`, with `*` and `?` (C.2.2.2.4)."""

    path: Path
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds in the normal form of the column; an empty bound is open (C.2.2.2.5)."""

    path: Path
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class DateTimeRange:
    """A date and a time attribute matched as one moment (C.2.2.2.5.3): `YYYYMMDDHHMMSS.FFFFFF`."""

    date: Path
    time: Path
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Within:
    """Sequence matching: one item that satisfies every condition (C.2.2.2.6)."""

    path: Path
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class FreeText:
    """Every word found in patient name, patient ID, accession number, description or study UID."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """Fuzzy matching of a person name: every sound of one of `wanted` is heard in it, in any order, or
    it matches literally (pacs.dicom.sounds)."""

    path: Path
    wanted: tuple[tuple[str, ...], ...]
    literal: Exact | Wildcard


Condition = Exact | Wildcard | Range | DateTimeRange | Within | FreeText | Alike


@dataclass(frozen=True, slots=True)
class Order:
    """Matches by the values of an attribute, `falling` with the greatest first."""

    tag: int
    falling: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """`returned` are the attributes asked for, `defaults` adds those of PS3.18 10.6.3,
    `everything` all that is known at the level. `limit` None streams to the end. `order` goes before
    the order that every answer has."""

    level: Level
    conditions: tuple[Condition, ...] = ()
    returned: tuple[Path, ...] = ()
    defaults: bool = False
    everything: bool = False
    offset: int = 0
    limit: int | None = None
    warnings: tuple[str, ...] = ()
    order: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One row of an answer. UIDs below the level of the query are empty.

    `attributes` holds DICOM JSON elements by eight upper-case hex digits, in tag order;
    an attribute asked for and known to be absent stands there without a Value."""

    level: Level
    key: InstanceKey
    attributes: dict[str, Element] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer. `more` says that matches beyond it exist."""

    matches: tuple[Match, ...]
    more: bool
    warnings: tuple[str, ...]


Keys = Iterable[tuple[Path, tuple[str, ...]]]

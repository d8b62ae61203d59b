"""A row becomes a Match: which attributes it carries, and from where they are taken."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from pacs.dicom.attributes import ATTRIBUTES, BY_TAG, Column, tag_of, vr_of
from pacs.dicom.json import BULK_BASE
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.index import entry
from pacs.query.compile import Row
from pacs.query.model import Element, Match, Path, Query

DataSet = dict[str, Element]

_AVAILABILITY = tag_of("InstanceAvailability")
# PS3.4 C.4.1.1.3.2: of several instances the availability of the least rapidly available one.
_ONLINE: Element = {"vr": "CS", "Value": ["ONLINE"]}
_NEARLINE: Element = {"vr": "CS", "Value": ["NEARLINE"]}
# PS3.18 10.6.3.3 wants these when there is a value; the other defaults always.
_WITH_VALUE_ONLY = frozenset(
    map(
        tag_of,
        (
            "TimezoneOffsetFromUTC",
            "SeriesDescription",
            "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
            "RequestAttributesSequence",
            "NumberOfFrames",
            "Rows",
            "Columns",
            "BitsAllocated",
        ),
    )
)
_COMPUTED = {a.keyword: (a.level, a.hexadecimal, a.vr) for a in ATTRIBUTES if a.column is Column.COMPUTED}


def decode(document: bytes) -> DataSet:
    """The stored JSON of an instance; bulk data stays away, so its address is left out."""
    found: DataSet = orjson.loads(entry.expand(document).replace(BULK_BASE, b""))
    return found


class Stored:
    """What the index keeps of rows, decoded once for rows that share a patient, study or series."""

    def __init__(self) -> None:
        self._last: dict[Level, tuple[int, DataSet]] = {}

    def attributes(self, row: Row, level: Level) -> DataSet:
        """Everything from the patient down to `level`, computed attributes too."""
        found: DataSet = {}
        for above in Level:
            if above <= level:
                found |= self._of_level(row, above)
        for keyword, value in row.computed.items():
            of, tag, vr = _COMPUTED[keyword]
            if of <= level:
                found[tag] = _computed(vr, value)
        return found

    def _of_level(self, row: Row, level: Level) -> DataSet:
        identity, decoded = self._last.get(level, (0, {}))
        if identity != row.ids[level]:
            decoded = orjson.loads(row.attrs[level] or b"{}")
            self._last[level] = (row.ids[level], decoded)
        return decoded


def _computed(vr: str, value: Any) -> Element:
    values = [part for part in value.split("\\") if part] if isinstance(value, str) else [value]
    return {"vr": vr, "Value": values} if values else {"vr": vr}


class Assembler:
    """Makes the matches of one query. `needs_document` says that an attribute was asked for that
    only the stored JSON of an instance has, `tells_availability` that the Instance Availability was."""

    def __init__(self, query: Query) -> None:
        self._level = query.level
        self._everything = query.everything
        self._defaults = [
            (a.hexadecimal, None if a.tag in _WITH_VALUE_ONLY else {"vr": a.vr})
            for a in ATTRIBUTES
            if query.defaults and a.default and a.level <= query.level
        ]
        self._asked: dict[int, list[Path]] = {}
        for path in query.returned:
            self._asked.setdefault(path[0], []).append(path[1:])
        self.tells_availability = query.defaults or query.everything or _AVAILABILITY in self._asked
        self._asked.pop(_AVAILABILITY, None)
        elsewhere = any(tag not in BY_TAG for tag in self._asked)
        self.needs_document = elsewhere and query.level > Level.PATIENT
        self._stored = Stored()

    def match(self, row: Row, document: DataSet, *, away: bool = False) -> Match:
        """`away` when something of it lies in the cold tier alone."""
        known = self._stored.attributes(row, self._level)
        chosen: DataSet = dict(known) if self._everything else {}
        for tag, empty in self._defaults:
            if tag in known:
                chosen[tag] = known[tag]
            elif empty is not None:
                chosen[tag] = empty
        for root, below in self._asked.items():
            tag = f"{root:08X}"
            if tag not in chosen:
                found = known.get(tag) or _without_bulk(document.get(tag)) or {"vr": vr_of(root)}
                chosen[tag] = _pruned(found, below)
        if self.tells_availability:
            chosen[f"{_AVAILABILITY:08X}"] = _NEARLINE if away else _ONLINE
        study, series, instance = [*row.uids[: self._level], "", "", ""][:3]
        return Match(self._level, InstanceKey(study, series, instance), dict(sorted(chosen.items())))


def chosen(dataset: Mapping[str, Element], returned: Iterable[Path]) -> DataSet:
    """Those attributes of a data set, without a Value where it has none."""
    asked: dict[int, list[Path]] = {}
    for path in returned:
        asked.setdefault(path[0], []).append(path[1:])
    return {
        f"{root:08X}": _pruned(dataset.get(f"{root:08X}") or {"vr": vr_of(root)}, below)
        for root, below in sorted(asked.items())
    }


def _pruned(element: Element, below: Iterable[Path]) -> Element:
    """A sequence with those attributes of its items that were asked for; whole when it was itself."""
    wanted: dict[int, list[Path]] = {}
    for path in below:
        if not path:
            return element
        wanted.setdefault(path[0], []).append(path[1:])
    if element.get("vr") != "SQ" or "Value" not in element:
        return element
    items = [
        {
            f"{tag:08X}": _pruned((item or {}).get(f"{tag:08X}") or {"vr": vr_of(tag)}, wanted[tag])
            for tag in sorted(wanted)
        }
        for item in element["Value"]
    ]
    return {"vr": "SQ", "Value": items}


def _without_bulk(element: Element | None) -> Element | None:
    """Bulk data has its own address below an instance; an answer to a search names none."""
    if element is None:
        return None
    if "BulkDataURI" in element:
        return {"vr": element["vr"]}
    if element["vr"] != "SQ" or "Value" not in element:
        return element
    items = [{tag: _without_bulk(inner) for tag, inner in (item or {}).items()} for item in element["Value"]]
    return {"vr": "SQ", "Value": items}

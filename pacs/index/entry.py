"""One instance as the index keeps it: columns, ready JSON and counts, made from the walked object."""

import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

import orjson
import zstandard

from pacs.dicom import names
from pacs.dicom.attributes import ATTRIBUTES, Attribute, Column, at_level, tag_of
from pacs.dicom.json import BULK_BASE, Encoded
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey

_DATE = re.compile(r"(\d{4})[.:-]?(\d{2})[.:-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")

_OFTEN: Final = 8192  # bytes
_REMEMBERED: Final = 1024  # rows of patients, studies and series whose instances are arriving
_LONGEST = 512  # characters of a value that can be matched; the standard's own limits are below it

_own = threading.local()

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The form in which an object was received that is kept in another: `size` bytes of a file whose
    data set has this `digest`."""

    digest: str
    transfer_syntax: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """`levels[level]` are the attribute columns and `attrs` of that level's table.

    Transfer syntax, size, digests and frames are those of the file at rest; what describes the
    object (`json`, `levels`) is always what the object said as it was received."""

    key: InstanceKey
    sop_class: str
    transfer_syntax: str
    size: int
    dataset_offset: int
    digest: str
    prefix_digest: str
    received_ns: int
    n_frames: int
    frames: bytes | None
    json: bytes
    patient_key: str
    levels: dict[Level, Row] = field(default_factory=dict)
    origin: Origin | None = None  # None: it is as it was received
    remark: str = ""  # what is wrong with the object, which is kept all the same

    @property
    def received_digest(self) -> str:
        return self.origin.digest if self.origin else self.digest


def compress(document: bytes) -> bytes:
    compressor: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if compressor is None:  # one serves one thread at a time, and costs more to make than to use
        compressor = _own.compressor = zstandard.ZstdCompressor(level=3)
    return compressor.compress(document)


def expand(document: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(document)


def reopen(document: bytes) -> Encoded:
    """The encoded data set again, from an instance's stored (compressed) JSON."""
    elements = orjson.loads(expand(document).replace(BULK_BASE, b""))
    encoded = Encoded()
    for hexadecimal, element in elements.items():
        tag = int(hexadecimal, 16)
        encoded.fragments[tag] = b'"%s":%s' % (hexadecimal.encode(), orjson.dumps(element))
        encoded.values[tag] = element.get("Value", []) if element["vr"] != "SQ" else []
    return encoded


def text(encoded: Encoded, keyword: str) -> str:
    """First value of an attribute as text, empty when absent."""
    values = encoded.values.get(tag_of(keyword)) or [None]
    return "" if values[0] is None else str(values[0])


def level_row(encoded: Encoded, level: Level) -> Row:
    """The columns of one level's table; shared, and not to be changed."""
    attrs = encoded.subset(_tags(level))
    # What is above the instance is the same for all of a series.
    often = level is not Level.IMAGE and len(attrs) <= _OFTEN
    return _remembered_row(level, attrs) if often else _row(level, attrs)


def _row(level: Level, attrs: bytes) -> Row:
    elements = orjson.loads(attrs.replace(BULK_BASE, b""))
    row: Row = {"attrs": attrs.decode()}
    for attribute in _columned(level):
        element = elements.get(attribute.hexadecimal)
        known = element is not None and element["vr"] != "SQ"
        row.update(_column(attribute, element.get("Value", []) if known else []))
    return row


_remembered_row = lru_cache(maxsize=_REMEMBERED)(_row)


def patient_key(encoded: Encoded, study: str) -> str:
    """Identity as recorded; an object without a patient ID stands alone with its study."""
    patient_id = text(encoded, "PatientID")
    if not patient_id:
        return f"study\\{study}"
    folded = names.folded(_name((encoded.values.get(tag_of("PatientName")) or [None])[0]))
    parts = (
        patient_id,
        text(encoded, "IssuerOfPatientID"),
        "=".join(folded),
        text(encoded, "PatientBirthDate"),
    )
    key = "\\".join(parts).replace("\0", "")
    return key if len(key) <= _LONGEST else f"sha256\\{hashlib.sha256(key.encode()).hexdigest()}"


def date(value: str) -> str:
    """YYYYMMDD, also from the older forms with dots; empty when it is no date."""
    match = _DATE.fullmatch(value)
    return "".join(match.groups()) if match else ""


def time(value: str) -> str:
    """HHMMSS.FFFFFF padded with zeros; empty when it is no time."""
    match = _TIME.fullmatch(value)
    if not match:
        return ""
    hours, minutes, seconds, fraction = match.groups(default="")
    return f"{hours}{minutes or '00'}{seconds or '00'}.{fraction:0<6}"


@cache
def _tags(level: Level) -> tuple[int, ...]:
    return tuple(sorted({a.tag for a in at_level(level)}))


@cache
def _columned(level: Level) -> tuple[Attribute, ...]:
    return tuple(a for a in ATTRIBUTES if a.level == level and a.column not in {Column.NONE, Column.COMPUTED})


def _column(attribute: Attribute, values: list[Any]) -> Row:
    name = attribute.column_name
    present = [v for v in values if v is not None]
    match attribute.column:
        case Column.NAME:
            folded = [names.folded(_name(v)) for v in present]
            return {f"{name}_{g}": _all(n[i] for n in folded) for i, g in enumerate("aip")}
        case Column.NUMBER:
            number = present[0] if present else None
            return {name: number if isinstance(number, int) and abs(number) < 2**63 else None}
        case Column.DATE:
            return {name: date(str(present[0])) if present else ""}
        case Column.TIME:
            return {name: time(str(present[0])) if present else ""}
        case _:
            return {name: _storable("\\".join(str(v) for v in present))}


def _all(groups: Iterable[str]) -> str:
    """One component group of every value, in order; empty when none has it."""
    joined = "\\".join(groups)
    return joined if joined.strip("\\") else ""


def _name(value: Any) -> str:
    if not isinstance(value, dict):
        return "" if value is None else str(value)
    groups = (value.get(g, "") for g in ("Alphabetic", "Ideographic", "Phonetic"))
    return _storable("=".join(groups))


def _storable(value: str) -> str:
    """PostgreSQL text cannot hold NUL, and an index entry has a largest size: what is matched ends
    there, what is returned does not."""
    return value.replace("\0", "")[:_LONGEST]

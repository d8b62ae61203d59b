"""What is read instead of looked at: structured reports (PS3.3 C.17.3), encapsulated documents (C.24.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pacs.dicom.attributes import tag_of

Item = Mapping[str, Any]
"""A data set as DICOM JSON."""
DOCUMENT_PATH: Final = f"{tag_of('EncapsulatedDocument'):08X}"
_DEEPEST: Final = 32
_TYPES: Final = {
    "application/pdf": "application/pdf",
    "text/xml": "text/xml; charset=utf-8",
    "model/stl": "model/stl",
    "model/obj": "model/obj",
    "model/mtl": "model/mtl",
}
"""Media types that documents of the standard have (A.45, A.85, A.104), by what they call them."""


_PLAIN: Final = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
    "SCOORD": "GraphicType",
    "SCOORD3D": "GraphicType",
}
"""Value types whose value is that of one attribute."""


@dataclass(frozen=True, slots=True)
class Document:
    """`length` in bytes without padding; None when the object does not say."""

    media_type: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One content item: `depth` from 0, the name of its concept, its value in words."""

    depth: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Report:
    """`facts` are what the report says of itself, in order."""

    title: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


def read(item: Item) -> Document | Report | None:
    """None for what is neither. Never raises for what is in the object."""
    if DOCUMENT_PATH in item:
        kind = _TYPES.get(_first(item, "MIMETypeOfEncapsulatedDocument").lower())
        length = _first(item, "EncapsulatedDocumentLength")
        return Document(kind, int(length) if length.isdigit() else None) if kind else None
    if f"{tag_of('ContentSequence'):08X}" in item and _first(item, "ValueType") == "CONTAINER":
        title = _meaning(item, "ConceptNameCodeSequence") or "Report"
        return Report(title, tuple(_facts(item)), tuple(_lines(item)))
    return None


def _facts(item: Item) -> Iterator[tuple[str, str]]:
    for name, keyword in (
        ("Patient", "PatientName"), ("Patient ID", "PatientID"), ("Birth date", "PatientBirthDate"),
        ("Study", "StudyDescription"), ("Study date", "StudyDate"), ("Content date", "ContentDate"),
        ("Completion", "CompletionFlag"), ("Verification", "VerificationFlag"),
    ):  # fmt: skip
        value = _person(item, keyword) if keyword == "PatientName" else _first(item, keyword)
        if value:
            yield name, value


def _lines(item: Item, depth: int = 0) -> Iterator[Line]:
    for child in _items(item, "ContentSequence"):
        name, value = _meaning(child, "ConceptNameCodeSequence"), _value(child)
        if name or value:
            yield Line(depth, name, value)
        if depth < _DEEPEST:
            yield from _lines(child, depth + 1)


def _value(item: Item) -> str:
    """Of a content item, by its type (C.17.3.2.1)."""
    kind = _first(item, "ValueType")
    if kind in _PLAIN:
        return _first(item, _PLAIN[kind])
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        found = next(_items(item, "ReferencedSOPSequence"), {})
        return f"refers to {_first(found, 'ReferencedSOPInstanceUID')}"
    if kind == "CODE":
        return _meaning(item, "ConceptCodeSequence")
    if kind == "PNAME":
        return _person(item, "PersonName")
    return _measured(item) if kind == "NUM" else ""


def _measured(item: Item) -> str:
    found = next(_items(item, "MeasuredValueSequence"), None)
    if found is None:
        return _meaning(item, "NumericValueQualifierCodeSequence") or "not measured"
    unit = next(_items(found, "MeasurementUnitsCodeSequence"), {})
    return f"{_first(found, 'NumericValue')} {_first(unit, 'CodeValue')}".strip()


def _meaning(item: Item, sequence: str) -> str:
    code = next(_items(item, sequence), {})
    return _first(code, "CodeMeaning") or _first(code, "CodeValue")


def _person(item: Item, keyword: str) -> str:
    values = _values(item, keyword)
    groups = values[0] if values and isinstance(values[0], Mapping) else {}
    alphabetic = str(groups.get("Alphabetic", "")).replace("^", " ").split()
    others = (str(groups.get(kind, "")).replace("^", " ").strip() for kind in ("Ideographic", "Phonetic"))
    return " ".join((*alphabetic, *(f"({other})" for other in others if other)))


def _first(item: Item, keyword: str) -> str:
    values = _values(item, keyword)
    return "" if not values or values[0] is None or isinstance(values[0], Mapping) else str(values[0])


def _items(item: Item, keyword: str) -> Iterator[Item]:
    return (one for one in _values(item, keyword) if isinstance(one, Mapping))


def _values(item: Item, keyword: str) -> Any:
    return item.get(f"{tag_of(keyword):08X}", {}).get("Value") or ()

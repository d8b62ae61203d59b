"""Directory records and their keys (PS3.3 F.5): the standard as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pacs.dicom.attributes import tag_of


@dataclass(frozen=True, slots=True)
class Key:
    """`has_value` for type 1, `default` where the object itself has none; `or_none` for type 1C."""

    keyword: str
    has_value: bool = True
    default: str = ""
    or_none: bool = False


def _keys(text: str) -> tuple[Key, ...]:
    """Type 1 as they are; `?` behind those of type 2, `*` of type 1C, `=` before a default."""
    found = []
    for word in text.split():
        keyword, _, default = word.partition("=")
        kind = keyword[-1]
        found.append(Key(keyword.rstrip("?*"), kind not in "?*", default, kind == "*"))
    return tuple(found)


_CONTENT: Final = "ContentDate ContentTime InstanceNumber"
_LABELLED: Final = f"{_CONTENT} ContentLabel ContentDescription? ContentCreatorName?"

RECORDS: Final[Mapping[str, tuple[Key, ...]]] = {
    "PATIENT": _keys("PatientName? PatientID"),
    "STUDY": _keys("StudyDate StudyTime StudyDescription? StudyInstanceUID StudyID AccessionNumber?"),
    "SERIES": _keys("Modality=OT SeriesInstanceUID SeriesNumber"),
    "IMAGE": _keys("InstanceNumber"),
    "RT DOSE": _keys("InstanceNumber DoseSummationType"),
    "RT STRUCTURE SET": _keys("InstanceNumber StructureSetLabel StructureSetDate? StructureSetTime?"),
    "RT PLAN": _keys("InstanceNumber RTPlanLabel RTPlanDate? RTPlanTime?"),
    "RT TREAT RECORD": _keys("InstanceNumber TreatmentDate? TreatmentTime?"),
    "PRESENTATION": _keys(
        "PresentationCreationDate PresentationCreationTime InstanceNumber ContentLabel "
        "ContentDescription? ContentCreatorName? ReferencedSeriesSequence*"
    ),
    "WAVEFORM": _keys(_CONTENT),
    "SR DOCUMENT": _keys(
        f"{_CONTENT} CompletionFlag=PARTIAL VerificationFlag=UNVERIFIED VerificationDateTime* "
        "ConceptNameCodeSequence ContentSequence*"
    ),
    "KEY OBJECT DOC": _keys(f"{_CONTENT} ConceptNameCodeSequence ContentSequence*"),
    "SPECTROSCOPY": _keys(f"ImageType {_CONTENT} NumberOfFrames Rows Columns DataPointRows DataPointColumns"),
    "RAW DATA": _keys(_CONTENT),
    "REGISTRATION": _keys(_LABELLED),
    "FIDUCIAL": _keys(_LABELLED),
    "ENCAP DOC": _keys(
        "ContentDate? ContentTime? InstanceNumber DocumentTitle? ConceptNameCodeSequence? "
        "MIMETypeOfEncapsulatedDocument"
    ),
    "VALUE MAP": _keys(_LABELLED),
    "STEREOMETRIC": _keys(_LABELLED),
    "MEASUREMENT": _keys("InstanceNumber ContentDate ContentTime"),
    "SURFACE": _keys(_LABELLED),
}
REPORTS: Final = frozenset({"SR DOCUMENT", "KEY OBJECT DOC"})
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_CLASSES: Final = {
    "481.2": "RT DOSE", "481.3": "RT STRUCTURE SET", "481.5": "RT PLAN", "481.8": "RT PLAN",
    "481.4": "RT TREAT RECORD", "481.6": "RT TREAT RECORD", "481.7": "RT TREAT RECORD",
    "481.9": "RT TREAT RECORD", "88.59": "KEY OBJECT DOC", "4.2": "SPECTROSCOPY", "66": "RAW DATA",
    "66.1": "REGISTRATION", "66.3": "REGISTRATION", "66.2": "FIDUCIAL", "66.5": "SURFACE",
    "67": "VALUE MAP", "77.1.5.3": "STEREOMETRIC",
}  # fmt: skip
_FAMILIES: Final = {
    "11.": "PRESENTATION", "9.": "WAVEFORM", "88.": "SR DOCUMENT", "104.": "ENCAP DOC",
    "78.": "MEASUREMENT",
}  # fmt: skip
_ROWS: Final = f"{tag_of('Rows'):08X}"
_CONCEPT: Final = f"{tag_of('ConceptNameCodeSequence'):08X}"


def type_of(sop_class: str, found: Mapping[str, Any]) -> str:
    """Of the record that speaks of such an object; empty when there is none."""
    inner = sop_class.removeprefix(_STORAGE)
    kind = _CLASSES.get(inner) or next(
        (kind for family, kind in _FAMILIES.items() if inner.startswith(family)), ""
    )
    if kind in REPORTS and _CONCEPT not in found:
        return ""
    return kind or ("IMAGE" if _ROWS in found else "")


def of_report(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a report has from deeper inside: when it was verified last, and what modifies
    its title (F.5.27, F.5.29)."""
    observers = _items(found, "VerifyingObserverSequence")
    moments = [value for one in observers for value in _values(one, "VerificationDateTime")]
    content = [
        one
        for one in _items(found, "ContentSequence")
        if "HAS CONCEPT MOD" in _values(one, "RelationshipType")
    ]
    return {
        f"{tag_of('VerificationDateTime'):08X}": {"vr": "DT", "Value": moments[-1:]},
        f"{tag_of('ContentSequence'):08X}": {"vr": "SQ", "Value": content},
    }


def _items(found: Mapping[str, Any], keyword: str) -> list[Mapping[str, Any]]:
    return [one for one in _values(found, keyword) if isinstance(one, Mapping)]


def _values(found: Mapping[str, Any], keyword: str) -> list[Any]:
    return found.get(f"{tag_of(keyword):08X}", {}).get("Value") or []

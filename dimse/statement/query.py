"""Keys of C-FIND in the statement, from THE table of attributes."""

from typing import Final

from dimse.statement import prose
from dimse.statement.markdown import Lines, heading, paragraph, table
from pacs.config import terms
from pacs.dicom.attributes import Attribute, Column, at_level
from pacs.dicom.level import Level
from pacs.query.plan import MATCHED_COMPUTED

_UNIQUE: Final = frozenset({"PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})
_REQUIRED: Final = frozenset(
    {"PatientName", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "Modality", "SeriesNumber"}
    | {"InstanceNumber"}
)  # PS3.4 C.6.1.1
_MATCHING: Final = {
    Column.TEXT: "single value, wild card, list",
    Column.UID: "single value, list of UIDs",
    Column.DATE: "single value, range",
    Column.TIME: "single value, range",
    Column.NUMBER: "single value",
    Column.NAME: "single value, wild card; folded",
    Column.NONE: "by its value representation, on stored objects",
}


def keys() -> Lines:
    yield from heading(4, "Keys")
    yield from paragraph(
        "U unique, R required, O optional. Every other attribute of an object is an optional key as well,",
        "inside sequences too, and is matched on the stored objects.",
    )
    rows = ((level.name, *_row(attribute)) for level in Level for attribute in at_level(level))
    yield from table(("Level", "Attribute", "Tag", "VR", "Type", "Matching"), rows)


def _row(attribute: Attribute) -> tuple[str, ...]:
    kind = "U" if attribute.keyword in _UNIQUE else "R" if attribute.keyword in _REQUIRED else "O"
    tag = f"({attribute.tag >> 16:04X},{attribute.tag & 0xFFFF:04X})"
    return attribute.keyword, tag, attribute.vr, kind, _matching(attribute)


def _matching(attribute: Attribute) -> str:
    if attribute.column is not Column.COMPUTED:
        return _MATCHING[attribute.column]
    return "single value, wild card" if attribute.keyword in MATCHED_COMPUTED else "returned only"


def character_sets() -> Lines:
    yield from heading(2, "Character sets")
    yield from paragraph(
        "Text is read and written in every defined term of Specific Character Set (PS3.3 C.12.1.1.2) that",
        "follows, with code extensions (ISO 2022) and without:",
    )
    yield from paragraph(", ".join(sorted(terms.character_sets())) + ".")
    yield prose.CHARACTER_SETS

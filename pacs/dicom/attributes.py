"""THE list of attributes: what the index stores in columns, matches, and returns by default.

Index columns, C-FIND keys, QIDO keys, default return keys and the conformance statement derive
from `ATTRIBUTES`. Attributes that are not here can still be matched and returned: from the
stored DICOM JSON of an instance, inside a set the columns have already narrowed.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from pacs.dicom.level import Level


@cache
def tag_of(keyword: str) -> int:
    """Tag of a dictionary keyword; raises LookupError for one that the dictionary lacks."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(keyword)
    return tag


@cache
def _snake_case(keyword: str) -> str:
    out = ""
    for i, char in enumerate(keyword):
        starts = char.isupper() and i > 0
        after_lower = starts and not keyword[i - 1].isupper()
        before_lower = starts and keyword[i + 1 : i + 2].islower() and keyword[i - 1].isupper()
        out += ("_" if after_lower or before_lower else "") + char.lower()
    return out


@cache
def _hexadecimal(tag: int) -> str:
    return f"{tag:08X}"


@cache
def _whole_vr(tag: int) -> str:
    return dictionary_VR(tag)


class Column(Enum):
    """How an attribute is kept for matching (PS3.4 C.2.2.2)."""

    NONE = "none"  # returned from the stored values only
    TEXT = "text"  # exact, case-sensitive, wildcards
    UID = "uid"  # exact, lists
    DATE = "date"  # YYYYMMDD, ranges
    TIME = "time"  # HHMMSS.FFFFFF, ranges
    NUMBER = "number"  # integer value of an IS or US
    NAME = "name"  # three folded component groups
    COMPUTED = "computed"  # kept by the index itself, not read from an object


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of one level. `default` says that QIDO returns it unasked (PS3.18 10.6.3)."""

    keyword: str
    level: Level
    column: Column = Column.NONE
    default: bool = False
    indexed: bool = False

    @property
    def tag(self) -> int:
        return tag_of(self.keyword)

    @property
    def hexadecimal(self) -> str:
        """The tag as DICOM JSON has it."""
        return _hexadecimal(self.tag)

    @property
    def vr(self) -> str:
        return _whole_vr(self.tag)

    @property
    def column_name(self) -> str:
        """Snake case of the keyword: PatientID -> patient_id, SOPInstanceUID -> sop_instance_uid."""
        return _snake_case(self.keyword)


_P, _S, _E, _I = Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE

ATTRIBUTES: tuple[Attribute, ...] = (
    # patient
    Attribute("PatientName", _P, Column.NAME, default=True, indexed=True),
    Attribute("PatientID", _P, Column.TEXT, default=True, indexed=True),
    Attribute("IssuerOfPatientID", _P, Column.TEXT),
    Attribute("PatientBirthDate", _P, Column.DATE, default=True, indexed=True),
    Attribute("PatientBirthTime", _P),
    Attribute("PatientSex", _P, Column.TEXT, default=True),
    Attribute("OtherPatientIDs", _P),
    Attribute("OtherPatientNames", _P),
    Attribute("OtherPatientIDsSequence", _P),
    Attribute("EthnicGroup", _P),
    Attribute("PatientComments", _P),
    Attribute("PatientSpeciesDescription", _P),
    Attribute("ResponsiblePerson", _P),
    Attribute("NumberOfPatientRelatedStudies", _P, Column.COMPUTED),
    Attribute("NumberOfPatientRelatedSeries", _P, Column.COMPUTED),
    Attribute("NumberOfPatientRelatedInstances", _P, Column.COMPUTED),
    # study
    Attribute("StudyInstanceUID", _S, Column.UID, default=True, indexed=True),
    Attribute("StudyDate", _S, Column.DATE, default=True, indexed=True),
    Attribute("StudyTime", _S, Column.TIME, default=True),
    Attribute("AccessionNumber", _S, Column.TEXT, default=True, indexed=True),
    Attribute("IssuerOfAccessionNumberSequence", _S),
    Attribute("StudyID", _S, Column.TEXT, default=True),
    Attribute("StudyDescription", _S, Column.TEXT, indexed=True),
    Attribute("ReferringPhysicianName", _S, Column.NAME, default=True, indexed=True),
    Attribute("NameOfPhysiciansReadingStudy", _S),
    Attribute("AdmittingDiagnosesDescription", _S),
    Attribute("PatientAge", _S),
    Attribute("PatientSize", _S),
    Attribute("PatientWeight", _S),
    Attribute("Occupation", _S),
    Attribute("AdditionalPatientHistory", _S),
    Attribute("ProcedureCodeSequence", _S),
    Attribute("TimezoneOffsetFromUTC", _S, default=True),
    Attribute("ModalitiesInStudy", _S, Column.COMPUTED, default=True),
    Attribute("SOPClassesInStudy", _S, Column.COMPUTED),
    Attribute("NumberOfStudyRelatedSeries", _S, Column.COMPUTED, default=True),
    Attribute("NumberOfStudyRelatedInstances", _S, Column.COMPUTED, default=True),
    # series
    Attribute("SeriesInstanceUID", _E, Column.UID, default=True, indexed=True),
    Attribute("Modality", _E, Column.TEXT, default=True, indexed=True),
    Attribute("SeriesNumber", _E, Column.NUMBER, default=True),
    Attribute("SeriesDescription", _E, Column.TEXT, default=True),
    Attribute("SeriesDate", _E, Column.DATE),
    Attribute("SeriesTime", _E, Column.TIME),
    Attribute("BodyPartExamined", _E, Column.TEXT),
    Attribute("Laterality", _E, Column.TEXT),
    Attribute("ProtocolName", _E, Column.TEXT),
    Attribute("StationName", _E, Column.TEXT),
    Attribute("InstitutionName", _E, Column.TEXT),
    Attribute("InstitutionalDepartmentName", _E),
    Attribute("Manufacturer", _E),
    Attribute("ManufacturerModelName", _E),
    Attribute("PerformingPhysicianName", _E, Column.NAME),
    Attribute("OperatorsName", _E),
    Attribute("FrameOfReferenceUID", _E, Column.UID),
    Attribute("PerformedProcedureStepStartDate", _E, Column.DATE, default=True),
    Attribute("PerformedProcedureStepStartTime", _E, Column.TIME, default=True),
    Attribute("RequestAttributesSequence", _E, default=True),
    Attribute("NumberOfSeriesRelatedInstances", _E, Column.COMPUTED, default=True),
    # instance
    Attribute("SOPInstanceUID", _I, Column.UID, default=True, indexed=True),
    Attribute("SOPClassUID", _I, Column.UID, default=True),
    Attribute("InstanceNumber", _I, Column.NUMBER, default=True),
    Attribute("ContentDate", _I, Column.DATE),
    Attribute("ContentTime", _I, Column.TIME),
    Attribute("NumberOfFrames", _I, default=True),
    Attribute("Rows", _I, default=True),
    Attribute("Columns", _I, default=True),
    Attribute("BitsAllocated", _I, default=True),
    Attribute("AvailableTransferSyntaxUID", _I, Column.COMPUTED, default=True),
)

BY_KEYWORD: dict[str, Attribute] = {a.keyword: a for a in ATTRIBUTES}
BY_TAG: dict[int, Attribute] = {a.tag: a for a in ATTRIBUTES}


@cache
def at_level(level: Level) -> tuple[Attribute, ...]:
    """The attributes of exactly this level."""
    return tuple(a for a in ATTRIBUTES if a.level == level)


def keyword_of(tag: int) -> str:
    """Dictionary keyword of a tag, or its eight hex digits when it has none."""
    return keyword_for_tag(tag) or f"{tag:08X}"


@cache
def vr_of(tag: int) -> str:
    """Dictionary VR of a tag; UN when it has none, the first choice where there are several."""
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UN"

"""PS3.4 Table CC.2.5-3 as data: what a step has to hold when it is made, changed and ended.

Attributes that are not here are of type 3 and may be set at any time.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from pacs.dicom.attributes import tag_of, vr_of


class Create(Enum):
    """The N-CREATE column."""

    VALUE = "1"
    PRESENT = "2"
    EMPTY = "2, empty"
    OPTIONAL = "3"
    OURS = "-"  # the archive gives it a value


class AtEnd(Enum):
    """The Final State column (Table CC.2.5-1)."""

    ANY = "O"
    EITHER = "R"
    COMPLETED = "P"
    COMPLETED_PRESENT = "P, may be empty"
    CANCELED = "X"


@dataclass(frozen=True, slots=True)
class Row:
    """`settable` False: N-SET is not allowed. `clearable` False: N-SET must give a value (3/1).
    `returned`: a search returns it unasked (return key type 1 or 2)."""

    keyword: str
    create: Create = Create.OPTIONAL
    final: AtEnd = AtEnd.ANY
    settable: bool = True
    clearable: bool = True
    returned: bool = False
    items: tuple["Row", ...] = ()

    @property
    def tag(self) -> str:
        return f"{tag_of(self.keyword):08X}"

    @property
    def vr(self) -> str:
        return vr_of(tag_of(self.keyword))


_V, _P, _E, _O = Create.VALUE, Create.PRESENT, Create.EMPTY, Create.OURS


def _type1(keyword: str, final: AtEnd = AtEnd.ANY) -> Row:
    return Row(keyword, _V, final, clearable=False, returned=True)


def _type2(keyword: str, *, returned: bool = True, clearable: bool = True) -> Row:
    return Row(keyword, _P, clearable=clearable, returned=returned)


def _fixed(keyword: str, *, returned: bool = True, items: tuple[Row, ...] = ()) -> Row:
    """Of the patient, the visit and the request: given once (N-SET not allowed)."""
    return Row(keyword, _P, settable=False, returned=returned, items=items)


_PROGRESS: Final = (
    Row("ProcedureStepCancellationDateTime", final=AtEnd.CANCELED),
    Row("ProcedureStepDiscontinuationReasonCodeSequence", final=AtEnd.CANCELED),
)
_PERFORMED: Final = (
    Row("PerformedStationNameCodeSequence", final=AtEnd.COMPLETED),
    Row("PerformedProcedureStepStartDateTime", final=AtEnd.COMPLETED),
    Row("PerformedWorkitemCodeSequence", final=AtEnd.COMPLETED),
    Row("PerformedProcedureStepEndDateTime", final=AtEnd.COMPLETED),
    Row("OutputInformationSequence", final=AtEnd.COMPLETED_PRESENT),
)

TABLE: Final = (
    Row("SOPClassUID", _O, AtEnd.EITHER, settable=False, returned=True),
    Row("SOPInstanceUID", _O, AtEnd.EITHER, settable=False, returned=True),
    # Unified Procedure Step Scheduled Procedure Information
    _type1("ScheduledProcedureStepPriority", AtEnd.EITHER),
    Row("ScheduledProcedureStepModificationDateTime", _O, AtEnd.EITHER),
    _type1("ProcedureStepLabel"),
    Row("WorklistLabel", _O, clearable=False, returned=True),
    _type2("ScheduledProcessingParametersSequence"),
    _type2("ScheduledStationNameCodeSequence"),
    _type2("ScheduledStationClassCodeSequence"),
    _type2("ScheduledStationGeographicLocationCodeSequence"),
    Row("ScheduledHumanPerformersSequence", returned=True),
    _type1("ScheduledProcedureStepStartDateTime", AtEnd.EITHER),
    Row("ExpectedCompletionDateTime", clearable=False),
    _type2("ScheduledWorkitemCodeSequence", clearable=False),
    _type2("CommentsOnTheScheduledProcedureStep", returned=False, clearable=False),
    _type1("InputReadinessState", AtEnd.EITHER),
    _type2("InputInformationSequence"),
    Row("StudyInstanceUID", returned=True),
    # Unified Procedure Step Relationship
    _fixed("PatientName"),
    _fixed("PatientID"),
    _fixed("IssuerOfPatientID"),
    _type2("IssuerOfPatientIDQualifiersSequence"),
    Row("OtherPatientIDsSequence", _P, returned=True, items=(Row("PatientID", _V),)),
    _fixed("PatientBirthDate"),
    _fixed("PatientSex"),
    _fixed("AdmissionID"),
    _fixed("IssuerOfAdmissionIDSequence"),
    _fixed("AdmittingDiagnosesDescription"),
    _fixed("AdmittingDiagnosesCodeSequence"),
    _fixed(
        "ReferencedRequestSequence",
        items=(
            Row("StudyInstanceUID", _V),
            Row("AccessionNumber", _P),
            Row("IssuerOfAccessionNumberSequence", _P),
            Row("RequestedProcedureID", _P),
            Row("RequestedProcedureDescription", _P),
            Row("RequestedProcedureCodeSequence", _P),
        ),
    ),
    Row("ReplacedProcedureStepSequence", settable=False),
    # Unified Procedure Step Progress Information
    Row("ProcedureStepState", _V, AtEnd.EITHER, settable=False, returned=True),
    Row("ProcedureStepProgressInformationSequence", _E, AtEnd.CANCELED, returned=True, items=_PROGRESS),
    # Unified Procedure Step Performed Procedure Information
    Row("UnifiedProcedureStepPerformedProcedureSequence", _E, AtEnd.COMPLETED, items=_PERFORMED),
)
BY_TAG: Final = {row.tag: row for row in TABLE}
RETURNED: Final = tuple(row for row in TABLE if row.returned)

TERMS: Final = {
    "ScheduledProcedureStepPriority": ("HIGH", "MEDIUM", "LOW"),  # PS3.3 C.30.2
    "InputReadinessState": ("INCOMPLETE", "UNAVAILABLE", "READY"),
}

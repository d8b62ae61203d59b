"""The names an order's attributes have in JSON (docs/orders.md): one table, which reading, showing and
the documentation's test go by. What is not here is given under `dicom`, by tag."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    PLAIN = "plain"
    DATE = "date"  # YYYY-MM-DD may be written
    CODES = "codes"


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    keyword: str
    kind: Kind = Kind.PLAIN


# PS3.4 Table K.6-1, by its modules.
PATIENT: Final = (
    Field("id", "PatientID"),
    Field("name", "PatientName"),
    Field("issuer", "IssuerOfPatientID"),
    Field("other_ids", "OtherPatientIDs"),
    Field("birth_date", "PatientBirthDate", Kind.DATE),
    Field("sex", "PatientSex"),
    Field("size", "PatientSize"),
    Field("weight", "PatientWeight"),
    Field("state", "PatientState"),
    Field("alerts", "MedicalAlerts"),
    Field("allergies", "Allergies"),
    Field("pregnancy", "PregnancyStatus"),
    Field("special_needs", "SpecialNeeds"),
    Field("confidentiality", "ConfidentialityConstraintOnPatientDataDescription"),
    Field("comments", "PatientComments"),
)
ORDER: Final = (
    Field("study_uid", "StudyInstanceUID"),
    Field("accession_number", "AccessionNumber"),
    Field("placer_order_number", "PlacerOrderNumberImagingServiceRequest"),
    Field("filler_order_number", "FillerOrderNumberImagingServiceRequest"),
    Field("referring_physician", "ReferringPhysicianName"),
    Field("requesting_physician", "RequestingPhysician"),
    Field("requesting_service", "RequestingService"),
    Field("admission_id", "AdmissionID"),
    Field("patient_location", "CurrentPatientLocation"),
    Field("comments", "ImagingServiceRequestComments"),
)
PROCEDURE: Final = (
    Field("id", "RequestedProcedureID"),
    Field("description", "RequestedProcedureDescription"),
    Field("codes", "RequestedProcedureCodeSequence", Kind.CODES),
    Field("priority", "RequestedProcedurePriority"),
    Field("reason", "ReasonForTheRequestedProcedure"),
    Field("transport", "PatientTransportArrangements"),
    Field("comments", "RequestedProcedureComments"),
)
STEP: Final = (
    Field("id", "ScheduledProcedureStepID"),
    Field("station_aet", "ScheduledStationAETitle"),
    Field("modality", "Modality"),
    Field("start_date", "ScheduledProcedureStepStartDate", Kind.DATE),
    Field("start_time", "ScheduledProcedureStepStartTime"),
    Field("performing_physician", "ScheduledPerformingPhysicianName"),
    Field("description", "ScheduledProcedureStepDescription"),
    Field("codes", "ScheduledProtocolCodeSequence", Kind.CODES),
    Field("station_name", "ScheduledStationName"),
    Field("location", "ScheduledProcedureStepLocation"),
    Field("pre_medication", "PreMedication"),
    Field("contrast_agent", "RequestedContrastAgent"),
    Field("comments", "CommentsOnTheScheduledProcedureStep"),
    Field("status", "ScheduledProcedureStepStatus"),
)
CODE: Final = (
    Field("value", "CodeValue"),
    Field("scheme", "CodingSchemeDesignator"),
    Field("meaning", "CodeMeaning"),
    Field("version", "CodingSchemeVersion"),
)
SECTIONS: Final = {"": ORDER, "patient": PATIENT, "procedure": PROCEDURE, "steps": STEP}
"""Where in the JSON each group stands; `steps` is a list of such."""

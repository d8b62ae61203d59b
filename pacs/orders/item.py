"""A worklist item as a data set of the DICOM JSON Model: read from bytes, and into types."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from pacs.dicom import header, json, uids
from pacs.dicom.attributes import tag_of
from pacs.errors import Invalid
from pacs.orders.model import Code, DataSet, Patient, Procedure, Step, StepStatus

STEPS: Final = "ScheduledProcedureStepSequence"
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
# What belongs to the message that a data set came in, not to what it says.
_OF_THE_MESSAGE: Final = ("00080005", "00080016", "00080018")


def key(keyword: str) -> str:
    """The name of an attribute in the DICOM JSON Model."""
    return f"{tag_of(keyword):08X}"


def decode(raw: bytes, transfer_syntax: str, offset: int = 0) -> DataSet:
    """The data set at `offset`, its text in Unicode. Raises Invalid."""
    try:
        walk = header.walk(memoryview(raw), transfer_syntax, offset)
    except header.Unreadable as error:
        raise Invalid(f"the data set cannot be read: {error}") from error
    found: DataSet = orjson.loads(json.encode(walk).document().replace(json.BULK_BASE, b""))
    return {tag: element for tag, element in found.items() if tag not in _OF_THE_MESSAGE}


def decode_file(raw: bytes) -> DataSet:
    """A Part 10 file, or a data set without File Meta Information. Raises Invalid."""
    view = memoryview(raw)
    try:
        meta = header.read_meta(view) if header.has_preamble(view) else header.guess_headless(view)
    except header.Unreadable as error:
        raise Invalid(f"this is no DICOM file: {error}") from error
    return decode(raw, meta.transfer_syntax or uids.EXPLICIT_LE, meta.dataset_offset)


def values(dataset: Mapping[str, Any], keyword: str) -> list[Any]:
    return list((dataset.get(key(keyword)) or {}).get("Value") or [])


def items(dataset: Mapping[str, Any], keyword: str) -> list[DataSet]:
    return [item for item in values(dataset, keyword) if isinstance(item, dict)]


def text(dataset: Mapping[str, Any], keyword: str) -> str:
    """The first value as text; empty when there is none."""
    return next(iter(texts(dataset, keyword)), "")


def texts(dataset: Mapping[str, Any], keyword: str) -> tuple[str, ...]:
    return tuple(_text(value) for value in values(dataset, keyword) if value is not None)


def is_empty(dataset: Mapping[str, Any], keyword: str) -> bool:
    return not any(value not in (None, "", {}) for value in values(dataset, keyword))


def put(dataset: DataSet, keyword: str, vr: str, *present: Any) -> None:
    dataset[key(keyword)] = {"vr": vr, "Value": list(present)}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
    return str(value)


def patient_of(dataset: Mapping[str, Any]) -> Patient:
    return Patient(
        id=text(dataset, "PatientID"),
        name=text(dataset, "PatientName"),
        issuer=text(dataset, "IssuerOfPatientID"),
        birth_date=text(dataset, "PatientBirthDate"),
        sex=text(dataset, "PatientSex"),
    )


def procedure_of(dataset: Mapping[str, Any]) -> Procedure:
    return Procedure(
        id=text(dataset, "RequestedProcedureID"),
        description=text(dataset, "RequestedProcedureDescription"),
        codes=codes_of(items(dataset, "RequestedProcedureCodeSequence")),
        priority=text(dataset, "RequestedProcedurePriority"),
    )


def step_of(step: Mapping[str, Any]) -> Step:
    return Step(
        id=text(step, "ScheduledProcedureStepID"),
        station_aets=texts(step, "ScheduledStationAETitle"),
        modality=text(step, "Modality"),
        start_date=text(step, "ScheduledProcedureStepStartDate"),
        start_time=text(step, "ScheduledProcedureStepStartTime"),
        status=StepStatus(text(step, "ScheduledProcedureStepStatus") or StepStatus.SCHEDULED),
        performing_physician=text(step, "ScheduledPerformingPhysicianName"),
        station_name=text(step, "ScheduledStationName"),
        location=text(step, "ScheduledProcedureStepLocation"),
        description=text(step, "ScheduledProcedureStepDescription"),
        codes=codes_of(items(step, "ScheduledProtocolCodeSequence")),
    )


def codes_of(found: Iterable[Mapping[str, Any]]) -> tuple[Code, ...]:
    return tuple(
        Code(
            text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue"),
            text(item, "CodingSchemeDesignator"),
            text(item, "CodeMeaning"),
        )
        for item in found
    )

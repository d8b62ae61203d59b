"""Findings as a DICOM object: Comprehensive SR by TID 1500 (PS3.16), unverified and preliminary.

The same answer of the same run gives the same bytes at any time, so that storing it again is a
duplicate and not a version.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from highdicom import sr
from pydicom import Dataset
from pydicom.sr.coding import Code as Coded

from ai_routing.model import Answer, Code, FindingSaid, Reference, Severity
from pacs.dicom.attributes import Column, at_level, tag_of
from pacs.dicom.level import Level
from pacs.dicom.uids import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION, InstanceKey
from pacs.index.survey import Object

SOP_CLASS: Final = "1.2.840.10008.5.1.4.1.1.88.33"
_PERCENT: Final = Coded("%", "UCUM", "percent")
_CERTAINTY: Final = Coded("111013", "DCM", "Certainty of Finding")
_FINDING: Final = Coded("121071", "DCM", "Finding")
_COMMENT: Final = Coded("121106", "DCM", "Comment")
_PROCEDURE: Final = Coded("363679005", "SCT", "Imaging procedure")
_ABSENT: Final = Coded("373572006", "SCT", "Clinical finding absent")
_SEVERITY: Final = Coded("246112005", "SCT", "Severity")
_SEVERITIES: Final[Mapping[Severity, Coded]] = {
    Severity.MILD: Coded("255604002", "SCT", "Mild"),
    Severity.MODERATE: Coded("6736007", "SCT", "Moderate"),
    Severity.SEVERE: Coded("24484000", "SCT", "Severe"),
    Severity.CRITICAL: Coded("442452003", "SCT", "Life threatening severity"),
}
_OWN_SCHEME: Final = "99HILUM"
_SERIES_NUMBER: Final = 9000


@dataclass(frozen=True, slots=True)
class Told:
    """One answer to be put down. `like` is the DICOM JSON of an object of the study, for patient and
    study; `predecessor` the report that this one takes the place of; `at` the moment of the answer."""

    study_uid: str
    patient_id: str
    model: str
    run: str
    ordinal: int
    at: datetime
    answer: Answer
    like: Mapping[str, Any]
    known: Mapping[str, Object]
    predecessor: str = ""


def key_of(study_uid: str, model: str, run: str) -> InstanceKey:
    """All reports of a model on a study stand in one series."""
    return InstanceKey(study_uid, _uid(study_uid, model), _uid(study_uid, model, run))


def write(told: Told) -> bytes:
    """A Part 10 file, Explicit VR Little Endian."""
    key = key_of(told.study_uid, told.model, told.run)
    document = sr.ComprehensiveSR(
        evidence=list(_evidence(told)),
        content=_content(told),
        series_instance_uid=key.series,
        series_number=_SERIES_NUMBER,
        sop_instance_uid=key.instance,
        instance_number=told.ordinal,
        manufacturer="Hilum",
        manufacturer_model_name=told.model,
        software_versions=told.answer.version,
        series_description=f"AI findings: {told.model}"[:64],
        is_complete=True,
        previous_versions=_predecessors(told),
        specific_character_set="ISO_IR 192",
        content_date=told.at.date(),
        content_time=told.at.time(),
    )
    document.InstanceCreationDate, document.InstanceCreationTime = document.ContentDate, document.ContentTime
    for equipment in document.ContributingEquipmentSequence:
        equipment.ContributionDateTime = told.at.strftime("%Y%m%d%H%M%S")
    _copy_identity(document, told)
    document.TimezoneOffsetFromUTC = "+0000"
    document.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS
    document.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    buffer = io.BytesIO()
    document.save_as(buffer)
    return buffer.getvalue()


def _evidence(told: Told) -> Iterator[Dataset]:
    """What the findings refer to, or else what was read; identity is copied afterwards, since
    what stands in real objects does not always please those who write new ones."""
    for found in told.known.values():
        item = Dataset()
        item.SOPClassUID, item.SOPInstanceUID = found.sop_class, found.uid
        item.StudyInstanceUID, item.SeriesInstanceUID = told.study_uid, found.series_uid
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
            setattr(item, keyword, "")
        for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
            setattr(item, keyword, "")
        yield item


def _content(told: Told) -> Any:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=_uid(told.model, told.answer.version), name=told.model, model_name=told.model
    )
    observer = sr.ObserverContext(
        observer_type=Coded("121007", "DCM", "Device"), observer_identifying_attributes=device
    )
    groups = [_group(told, number, said) for number, said in enumerate(told.answer.findings)]
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_PROCEDURE,
        imaging_measurements=groups or [_nothing(told)],
    )


def _group(told: Told, number: int, said: FindingSaid) -> Any:
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=_uid(told.study_uid, told.model, told.run, str(number)), identifier=f"finding {number + 1}"
        ),
        algorithm_id=_algorithm(told),
        finding_type=_coded(said),
        measurements=[sr.Measurement(name=_CERTAINTY, value=round(said.confidence * 100, 4), unit=_PERCENT)],
        qualitative_evaluations=[sr.QualitativeEvaluation(name=_SEVERITY, value=_SEVERITIES[said.severity])],
        source_images=[_source(reference, told.known) for reference in said.references] or None,
    )
    if said.text:
        group[0].ContentSequence.append(
            sr.TextContentItem(
                name=_COMMENT, value=said.text, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    return group


def _nothing(told: Told) -> Any:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=_uid(told.study_uid, told.model, told.run, "none"), identifier="no finding"
        ),
        algorithm_id=_algorithm(told),
        qualitative_evaluations=[sr.QualitativeEvaluation(name=_FINDING, value=_ABSENT)],
    )


def _algorithm(told: Told) -> Any:
    return sr.AlgorithmIdentification(name=told.model, version=told.answer.version)


def _source(reference: Reference, known: Mapping[str, Object]) -> Any:
    found = known[reference.sop_instance_uid]
    return sr.SourceImageForMeasurementGroup(
        found.sop_class, found.uid, list(reference.frames) if reference.frames and found.frames > 1 else None
    )


def _coded(said: FindingSaid) -> Coded:
    code = said.code or Code(_short(said.name), _OWN_SCHEME, said.name)
    return Coded(code.value, code.scheme, code.meaning)


def _short(name: str) -> str:
    """A code value (SH) of our own scheme: the same name always has the same."""
    return hashlib.sha256(name.casefold().encode()).hexdigest()[:16].upper()


def _predecessors(told: Told) -> Sequence[Dataset] | None:
    if not told.predecessor:
        return None
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = SOP_CLASS, told.predecessor
    item.StudyInstanceUID = told.study_uid
    item.SeriesInstanceUID = key_of(told.study_uid, told.model, "").series
    return [item]


def _copy_identity(document: Dataset, told: Told) -> None:
    """Patient and study as the study's own object has them, value by value as they are."""
    for level in (Level.PATIENT, Level.STUDY):
        for attribute in at_level(level):
            element = told.like.get(f"{tag_of(attribute.keyword):08X}")
            if element is None or attribute.column is Column.COMPUTED:
                continue
            try:
                copied = Dataset.from_json({f"{attribute.tag:08X}": element})
            except (ValueError, TypeError):  # what is no value of its kind is left out
                continue
            document.update(copied)
    document.PatientID = told.patient_id
    document.StudyInstanceUID = told.study_uid


def _uid(*of: str) -> str:
    """A UID of the UUID family (PS3.5 B.2), always the same for the same words."""
    digest = hashlib.sha256("\0".join(of).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"

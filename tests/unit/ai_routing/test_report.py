"""Findings as a DICOM SR, read back by pydicom and by highdicom."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import highdicom.sr
import pydicom

from ai_routing import report
from ai_routing.model import Answer, Code, FindingSaid, Reference, Severity
from pacs.index.survey import Object
from tests.support.factory import ct_series

(ITEM,) = ct_series(1, rows=4, columns=4)
LIKE: dict[str, Any] = pydicom.dcmread(io.BytesIO(ITEM.part10()), stop_before_pixels=True).to_json_dict()
CT = Object(ITEM.series, "CT", ITEM.instance, ITEM.sop_class, 1)
CINE = Object("1.2.9", "US", "1.2.9.1", "1.2.840.10008.5.1.4.1.1.3.1", 30)
BLEED = FindingSaid(
    "Blutung, groß",
    Severity.CRITICAL,
    0.9712345,
    Code("50960005", "SCT", "Hemorrhage"),
    (Reference(ITEM.series, ITEM.instance, (1,)), Reference("1.2.9", "1.2.9.1", (3, 7))),
    "left, 12 mm",
)
NODULE = FindingSaid("nodule", Severity.MILD, 0.5)


def told(*findings: FindingSaid, **changes: Any) -> report.Told:
    moment = datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC)
    known = {one.uid: one for one in (CT, CINE)}
    answer = Answer("2.1", findings)
    first = report.Told(ITEM.study, "SYN-1", "chest", "r1", 2, moment, answer, LIKE, known)
    return replace(first, **changes)


def read(of: report.Told) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(report.write(of)))


def test_the_same_answer_is_the_same_bytes() -> None:
    """Any moment of writing would show: it has microseconds."""
    first = report.write(told(BLEED, NODULE))
    assert report.write(told(BLEED, NODULE)) == first
    assert report.write(told(BLEED, NODULE, run="r2")) != first


def test_patient_and_study_are_the_studys_own() -> None:
    made, like = read(told(BLEED)), pydicom.dcmread(io.BytesIO(ITEM.part10()))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID"):
        assert made[keyword].value == like[keyword].value
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"):
        assert made[keyword].value == like[keyword].value
    key = report.key_of(ITEM.study, "chest", "r1")
    assert (made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID) == (
        report.SOP_CLASS,
        key.instance,
        key.series,
    )
    assert (made.VerificationFlag, made.PreliminaryFlag, made.Modality) == ("UNVERIFIED", "PRELIMINARY", "SR")
    assert (made.ManufacturerModelName, made.SoftwareVersions) == ("chest", "2.1")
    assert (made.ContentDate, made.ContentTime[:6]) == ("20261121", "093005")


def test_findings_are_read_back_by_highdicom() -> None:
    document = highdicom.sr.ComprehensiveSR.from_dataset(read(told(BLEED, NODULE)))
    groups = highdicom.sr.MeasurementReport.from_sequence(document.content).get_image_measurement_groups()
    first, second = groups
    assert (first.finding_type.value, second.finding_type.meaning) == ("50960005", "nodule")
    assert second.finding_type.scheme_designator == "99HILUM"
    (certainty,) = first.get_measurements()
    assert (certainty.value, certainty.unit.value) == (97.1235, "%")
    (severity,) = first.get_qualitative_evaluations()
    assert severity.value.meaning == "Life threatening severity"
    sources = first.source_images
    assert [image.referenced_sop_instance_uid for image in sources] == [ITEM.instance, "1.2.9.1"]
    assert [image.referenced_frame_numbers for image in sources] == [None, [3, 7]]
    assert "left, 12 mm" in str(document)


def test_evidence_and_predecessor() -> None:
    made = read(told(BLEED, predecessor="2.25.7"))
    (evidence,) = made.CurrentRequestedProcedureEvidenceSequence
    named = {
        item.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named == {ITEM.instance, "1.2.9.1"}
    (before,) = made.PredecessorDocumentsSequence
    (series,) = before.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == made.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.7"
    assert "PredecessorDocumentsSequence" not in read(told(BLEED))


def test_no_finding_is_said_too() -> None:
    assert "Clinical finding absent" in str(read(told()))


def test_what_real_objects_hold_does_not_matter() -> None:
    """Wrong dates, sexes and names are copied as they are, or left out; nothing is raised."""
    odd = LIKE | {
        "00100030": {"vr": "DA", "Value": ["19.7.70"]},
        "00100040": {"vr": "CS", "Value": ["UNKNOWN"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen", "Ideographic": "山田^太郎"}]},
        "00080020": {"vr": "DA"},
        "00101010": {"vr": "AS", "Value": ["OLD"]},
        "00100020": {"vr": "LO"},
    }
    made = read(told(BLEED, like=odd))
    assert made.PatientID == "SYN-1"
    assert str(made.PatientName) == "Müller^Jürgen=山田^太郎"
    assert not made.StudyDate
    assert read(told(BLEED, like={})).StudyInstanceUID == ITEM.study

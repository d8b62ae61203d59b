"""What else lies in a study beside its images, about a CT series of `phantoms`: a segmentation, a structure
set, a report of measurements; and a document."""

import io
from collections.abc import Sequence
from typing import Any

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, RTStructureSetStorage

from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, encode, fresh_uid
from tests.support.phantoms import Picture

MAKER = {"manufacturer": "Synthetic", "manufacturer_model_name": "Phantom", "software_versions": "1"}
COPIED = (
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip


def datasets(series: Sequence[Picture]) -> list[Dataset]:
    return [pydicom.dcmread(io.BytesIO(picture.item.part10())) for picture in series]


def of(dataset: Any, name: str) -> DicomObject:
    """Of a data set that a library made, file meta information and all."""
    plain = Dataset()
    plain.update(dataset)
    return DicomObject(
        name, dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID,
        dataset.SOPClassUID, ExplicitVRLittleEndian, encode(plain),
    )  # fmt: skip


def segmentation(series: Sequence[Picture]) -> DicomObject:
    """Two balls of one bit in the middle of the volume."""
    images = datasets(series)
    rows, columns = images[0].Rows, images[0].Columns
    z, y, x = np.mgrid[0 : len(images), 0:rows, 0:columns]
    depth, edge = len(images), min(rows, columns)
    balls = []
    for side in (-1, 1):
        across = (x - columns / 2 - side * edge / 6) / (edge / 10)
        ball = ((z - depth / 2) / (depth / 4)) ** 2 + ((y - rows / 2) / (edge / 10)) ** 2 + across**2 < 1
        balls.append(ball)
    described = [
        highdicom.seg.SegmentDescription(
            number,
            label,
            codes.SCT.Organ,
            codes.SCT.Lung,
            highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in ((1, "Right ball"), (2, "Left ball"))
    ]
    made = highdicom.seg.Segmentation(
        images, np.stack(balls, -1).astype(np.uint8), highdicom.seg.SegmentationTypeValues.BINARY, described,
        series_instance_uid=fresh_uid(), series_number=100, sop_instance_uid=fresh_uid(), instance_number=1,
        device_serial_number="1", **MAKER,
    )  # fmt: skip
    made.SeriesDescription = "Two balls"
    return of(made, "SEG")


def report(series: Sequence[Picture], millimetres: float = 42.0) -> DicomObject:
    """One length on the middle slice (PS3.16 TID 1500 and 1501), called as Cornerstone calls its own."""
    images = datasets(series)
    middle = images[len(images) // 2]
    line = highdicom.sr.CoordinatesForMeasurement(
        graphic_type=highdicom.sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([[0.25, 0.35], [0.75, 0.6]]) * (middle.Columns, middle.Rows),
        source_image=highdicom.sr.SourceImageForRegion.from_source_image(middle),
    )
    length = highdicom.sr.Measurement(
        codes.SCT.Length, millimetres, codes.UCUM.Millimeter, referenced_coordinates=[line]
    )
    group = highdicom.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=highdicom.sr.TrackingIdentifier(fresh_uid(), "Cornerstone3DTools@^0.1.0:Length"),
        finding_type=codes.SCT.Mass,
        measurements=[length],
    )
    observer = highdicom.sr.ObserverContext(
        codes.DCM.Person, highdicom.sr.PersonObserverIdentifyingAttributes("Roe^Richard")
    )
    content = highdicom.sr.MeasurementReport(
        highdicom.sr.ObservationContext(observer_person_context=observer),
        codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    made = highdicom.sr.Comprehensive3DSR(
        [middle], content, series_instance_uid=fresh_uid(), series_number=101, sop_instance_uid=fresh_uid(),
        instance_number=1, manufacturer="Synthetic", is_complete=True,
    )  # fmt: skip
    made.SeriesDescription = "Measured lengths"
    return of(made, "SR")


def structures(series: Sequence[Picture]) -> DicomObject:
    """A structure set with one region of interest: a square on every slice of the middle third."""
    images = datasets(series)
    first = images[0]
    ds = Dataset()
    for keyword in COPIED:
        setattr(ds, keyword, first.get(keyword))
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = RTStructureSetStorage, fresh_uid(), fresh_uid()
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber, ds.Manufacturer = "RTSTRUCT", 102, 1, "Synthetic"
    ds.SeriesDescription, ds.StructureSetLabel = "A square", "SQUARE"
    ds.StructureSetDate, ds.StructureSetTime = first.StudyDate, first.StudyTime
    ds.ApprovalStatus, ds.OperatorsName = "UNAPPROVED", ""
    ds.FrameOfReferenceUID = first.FrameOfReferenceUID
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(images)]
    ds.StructureSetROISequence = [
        _item(
            ROINumber=1, ROIName="Square", ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
            ROIGenerationAlgorithm="MANUAL",
        )
    ]  # fmt: skip
    third = len(images) // 3
    contours = [_square(image) for image in images[third : 2 * third]]
    ds.ROIContourSequence = [
        _item(ROIDisplayColor=[255, 64, 64], ReferencedROINumber=1, ContourSequence=contours)
    ]
    ds.RTROIObservationsSequence = [
        _item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN", ROIInterpreter="")
    ]
    return as_object(ds, "RTSTRUCT")


def document(patient: Patient) -> DicomObject:
    """A page of PDF with a large red square, in a study of its own."""
    ds = ct_dataset(fresh_uid(), fresh_uid(), 1, patient=patient, rows=0, columns=0, pixels=b"")
    for keyword in (
        "PixelData", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
        "BitsStored", "HighBit", "PixelRepresentation", "ImageType",
    ):  # fmt: skip
        delattr(ds, keyword)
    ds.SOPClassUID, ds.Modality = EncapsulatedPDFStorage, "DOC"
    ds.StudyDescription, ds.SeriesDescription = "Letter", "Letter to the referrer"
    ds.ConversionType, ds.BurnedInAnnotation = "WSD", "YES"
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Letter", "application/pdf"
    pdf = red_page()
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return as_object(ds, "PDF")


def red_page() -> bytes:
    """The smallest PDF that shows something: 300 x 300 points, a red square amid."""
    drawing = b"0.9 0.1 0.1 rg 50 50 200 200 re f"
    bodies = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources << >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
    )
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(bodies, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    entries = b"".join(b"%010d 00000 n \n" % place for place in places)
    out.write(b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, entries))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start))
    return out.getvalue()


def _item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def _reference(image: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)


def _frame_of_reference(images: Sequence[Dataset]) -> Dataset:
    first = images[0]
    series = _item(
        SeriesInstanceUID=first.SeriesInstanceUID,
        ContourImageSequence=[_reference(image) for image in images],
    )
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )  # fmt: skip
    return _item(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _square(image: Dataset) -> Dataset:
    left, top, level = (float(value) for value in image.ImagePositionPatient)
    across, down = image.Columns * image.PixelSpacing[1], image.Rows * image.PixelSpacing[0]
    corners = [(0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7)]
    points = [v for x, y in corners for v in (round(left + x * across, 3), round(top + y * down, 3), level)]
    return _item(
        ContourImageSequence=[_reference(image)], ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=len(corners), ContourData=points,
    )  # fmt: skip

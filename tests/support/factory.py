"""Synthetic objects of any number and size, with fresh UIDs, made quickly."""

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    generate_uid,
)

from tests.support.dicom_object import DicomObject, part10_prefix

ROOT = "1.2.826.0.1.3680043.10.1337."


def fresh_uid() -> str:
    return str(generate_uid(prefix=ROOT))


@dataclass(frozen=True, slots=True)
class Patient:
    name: str = "Doe^Jane"
    id: str = "SYN-1"
    birth_date: str = "19700102"
    sex: str = "F"


def encode(dataset: Dataset) -> bytes:
    """A data set in Explicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def ct_dataset(
    study: str, series: str, number: int, *, patient: Patient, rows: int, columns: int, pixels: bytes
) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = fresh_uid()
    ds.StudyDate = "20260102"
    ds.StudyTime = "101112"
    ds.AccessionNumber = "A-1"
    ds.Modality = "CT"
    ds.Manufacturer = "Synthetic"
    ds.ReferringPhysicianName = "Roe^Richard"
    ds.StudyDescription = "Synthetic study"
    ds.SeriesDescription = "Synthetic series"
    ds.PatientName = patient.name
    ds.PatientID = patient.id
    ds.PatientBirthDate = patient.birth_date
    ds.PatientSex = patient.sex
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = series
    ds.StudyID = "1"
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = rows
    ds.Columns = columns
    ds.BitsAllocated = 16
    ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 1
    ds.add_new(0x7FE00010, "OW", pixels)
    return ds


def as_object(dataset: Dataset, name: str = "") -> DicomObject:
    return DicomObject(
        name or f"{dataset.Modality} {dataset.get('InstanceNumber', '')}",
        dataset.StudyInstanceUID,
        dataset.SeriesInstanceUID,
        dataset.SOPInstanceUID,
        dataset.SOPClassUID,
        ExplicitVRLittleEndian,
        encode(dataset),
    )


def ct_series(
    count: int,
    *,
    rows: int = 64,
    columns: int = 64,
    study: str = "",
    series: str = "",
    patient: Patient = Patient(),
) -> tuple[DicomObject, ...]:
    """A CT series of random pixels, so that no two objects share bytes."""
    study, series = study or fresh_uid(), series or fresh_uid()
    return tuple(
        as_object(
            ct_dataset(
                study, series, number, patient=patient, rows=rows, columns=columns,
                pixels=os.urandom(rows * columns * 2),
            )
        )
        for number in range(1, count + 1)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A multi-frame object on disk, too large to hold in memory."""

    path: Path
    study: str
    series: str
    instance: str
    sop_class: str
    dataset_offset: int
    size: int
    frames: int
    frame_size: int


def large_file(folder: Path, *, frames: int, rows: int = 1024, columns: int = 1024) -> LargeFile:
    """A multi-frame secondary capture whose frames are distinct, written frame by frame."""
    frame_size = rows * columns * 2
    length = frames * frame_size
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(id="BIG"), rows=rows, columns=columns, pixels=b""
    )
    ds.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    ds.Modality = "OT"
    ds.NumberOfFrames = frames
    del ds[0x7FE00010]
    head = part10_prefix(ds.SOPClassUID, ds.SOPInstanceUID, ExplicitVRLittleEndian)
    element = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, length)
    path = folder / "large.dcm"
    noise = os.urandom(frame_size - 8)
    with path.open("wb") as out:
        out.write(head + encode(ds) + element)
        for number in range(frames):
            out.write(struct.pack("<Q", number) + noise)
        size = out.tell()
    return LargeFile(
        path, ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SOPClassUID,
        len(head), size, frames, frame_size,
    )  # fmt: skip


def chunks(path: Path, size: int = 1 << 20) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(size):
            yield piece


def with_changes(item: DicomObject, **values: object) -> DicomObject:
    """The same object with other attribute values, re-encoded; UIDs follow the data set."""
    ds = dcmread(io.BytesIO(item.part10()))
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    plain = Dataset()
    plain.update(ds)
    uids = [
        str(ds.get(keyword, ""))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    ]
    study, series, instance, sop_class = uids
    dataset = encode(plain)
    # The file meta information keeps what the data set may have lost.
    prefix = part10_prefix(sop_class or item.sop_class, instance or item.instance, ExplicitVRLittleEndian)
    return DicomObject(
        item.name, study, series, instance or item.instance, sop_class or item.sop_class,
        ExplicitVRLittleEndian, dataset, prefix + dataset,
    )  # fmt: skip

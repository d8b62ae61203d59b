"""Objects with pictures in any transfer syntax, made by pydicom and, where it cannot, by this archive's
own encoders; and what pydicom reads of them."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs.pixels.transcode import plan
from tests.support.dicom_object import DicomObject, dataset_offset
from tests.support.factory import fresh_uid
from tests.unit.pixels.stored_objects import stored, written

Samples = NDArray[Any]
CLASS = "1.2.840.10008.5.1.4.1.1.7.2"  # Multi-frame Grayscale Byte Secondary Capture


@dataclass(frozen=True, slots=True)
class Kind:
    """What the samples are."""

    bits: int = 12
    photometric: str = "MONOCHROME2"
    planar: int = 0

    def dataset(self, frames: Samples) -> Dataset:
        """`frames` are (frames, rows, columns) or (frames, rows, columns, 3); colour by pixel."""
        ds = Dataset()
        ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape[:3]
        ds.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
        ds.PhotometricInterpretation = self.photometric
        if frames.ndim == 4:
            ds.PlanarConfiguration = self.planar
        ds.BitsAllocated = 8 * frames.dtype.itemsize
        ds.BitsStored, ds.HighBit = self.bits, self.bits - 1
        ds.PixelRepresentation = int(frames.dtype.kind == "i")
        if self.planar:
            frames = frames.transpose(0, 3, 1, 2)
        value = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
        ds.add_new(0x7FE00010, "OB" if frames.dtype.itemsize == 1 else "OW", value + bytes(len(value) % 2))
        return ds


def picture(
    frames: Samples, kind: Kind = Kind(), *, syntax: str = ExplicitVRLittleEndian, **values: object
) -> DicomObject:
    """An object of these frames in this transfer syntax."""
    ds = kind.dataset(frames)
    ds.SOPClassUID, ds.SOPInstanceUID = CLASS, fresh_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = fresh_uid(), fresh_uid()
    ds.PatientID, ds.PatientName, ds.Modality = "PIC-1", "Picture^Made", "OT"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(ds.SOPClassUID)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return as_object(recoded(buffer.getvalue(), syntax))


def recoded(file: bytes, syntax: str) -> bytes:
    source = stored(file)
    return file if source.transfer_syntax == syntax else written(file, plan(source, syntax))


def as_object(file: bytes) -> DicomObject:
    ds = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
    return DicomObject(
        "picture",
        ds.StudyInstanceUID,
        ds.SeriesInstanceUID,
        ds.SOPInstanceUID,
        ds.SOPClassUID,
        str(ds.file_meta.TransferSyntaxUID),
        file[dataset_offset(file) :],
        file,
    )


def noise(*shape: int, bits: int = 12, signed: bool = False, seed: int = 1) -> Samples:
    """Every value that the bits can hold, everywhere."""
    low = -(1 << (bits - 1)) if signed else 0
    kind = ("i" if signed else "u") + ("1" if bits <= 8 else "2")
    found: Samples = np.random.default_rng(seed).integers(low, low + (1 << bits), shape).astype(kind)
    return found


def waves(*shape: int, bits: int = 12, signed: bool = False) -> Samples:
    """Smooth and far from the ends of the range: no wavelet overshoots it."""
    frames, rows, columns = shape[:3]
    down, across = np.mgrid[0:rows, 0:columns]
    whole = (1 << bits) * (0.5 + 0.2 * np.sin(down / 7) * np.cos(across / 11))
    stack = np.stack([whole + frame for frame in range(frames)])
    if len(shape) == 4:
        stack = np.stack([stack, stack[:, ::-1], stack[:, :, ::-1]], axis=-1)
    kind = ("i" if signed else "u") + ("1" if bits <= 8 else "2")
    found: Samples = (stack - (1 << (bits - 1)) * signed).astype(kind)
    return found


def samples_of(file: bytes, *, raw: bool = True) -> Samples:
    """What pydicom decodes, always (frames, rows, columns[, samples])."""
    ds = read(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Samples = pixel_array(ds, raw=raw)
    return found if int(ds.get("NumberOfFrames", 1) or 1) > 1 else found[None]


def read(file: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(file))

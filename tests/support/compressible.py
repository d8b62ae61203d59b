"""Objects with pictures in them, smooth with some noise, as scanners make them: they can be compressed,
which random bytes cannot."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_dataset, fresh_uid


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture is like; `pixel_vr` is how its pixel data is written in Explicit VR."""

    rows: int = 96
    columns: int = 80
    stored: int = 12
    allocated: int = 16
    signed: bool = False
    samples: int = 1
    frames: int = 1
    syntax: str = str(ExplicitVRLittleEndian)
    pixel_vr: str = ""
    photometric: str = ""

    def __str__(self) -> str:
        sign = "s" if self.signed else "u"
        kind = "implicit" if self.syntax == ImplicitVRLittleEndian else f"explicit-{self.vr}"
        size = f"{self.frames}x{self.rows}x{self.columns}x{self.samples}"
        return f"{size}-{sign}{self.stored}of{self.allocated}-{kind}"

    @property
    def vr(self) -> str:
        return self.pixel_vr or ("OB" if self.allocated == 8 else "OW")


def cells(like: Picture, seed: int = 0) -> NDArray[np.int64]:
    """Samples within the range of Bits Stored, both ends of it among them."""
    rng = np.random.default_rng(seed)
    low = -(1 << (like.stored - 1)) if like.signed else 0
    high = low + (1 << like.stored) - 1
    y, x = np.mgrid[0 : like.rows, 0 : like.columns]
    waves = [
        0.5 + 0.35 * np.sin((x * (1 + s) + 3 * f) / 17) * np.cos(y / 23 + s)
        for f, s in itertools.product(range(like.frames), range(like.samples))
    ]
    smooth = np.stack(waves).reshape(like.frames, like.samples, like.rows, like.columns)
    noise = rng.normal(0, 0.002, smooth.shape)
    made = np.clip(np.rint(low + (smooth + noise) * (high - low)), low, high).astype(np.int64)
    made[0, 0, 0, 0], made[-1, -1, -1, -1] = low, high
    return made.transpose(0, 2, 3, 1)


def dataset(like: Picture, *, study: str = "", series: str = "", number: int = 1) -> Dataset:
    pixels = cells(like, number).astype(f"<{'i' if like.signed else 'u'}{like.allocated // 8}").tobytes()
    patient = Patient(id="PICTURE")
    ds = ct_dataset(
        study or fresh_uid(), series or fresh_uid(), number,
        patient=patient, rows=like.rows, columns=like.columns, pixels=b"",
    )  # fmt: skip
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SamplesPerPixel = like.samples
    ds.PhotometricInterpretation = like.photometric or ("RGB" if like.samples == 3 else "MONOCHROME2")
    if like.samples == 3:
        ds.PlanarConfiguration = 0
    if like.frames > 1:
        ds.NumberOfFrames = like.frames
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = like.allocated, like.stored, like.stored - 1
    ds.PixelRepresentation = int(like.signed)
    ds.ReferencedImageSequence = Sequence([_reference(), _reference()])
    ds.add_new(0x7FE00010, like.vr, pixels + bytes(len(pixels) % 2))
    return ds


def _reference() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = SecondaryCaptureImageStorage, fresh_uid()
    item.PurposeOfReferenceCodeSequence = Sequence([])
    return item


def picture(like: Picture = Picture(), **where: str | int) -> DicomObject:
    ds = dataset(like, **where)  # type: ignore[arg-type]
    return DicomObject(
        str(like), ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SOPClassUID,
        like.syntax, _encoded(ds, implicit=like.syntax == ImplicitVRLittleEndian),
    )  # fmt: skip


def pictures(count: int, like: Picture = Picture()) -> tuple[DicomObject, ...]:
    """A series."""
    study, series = fresh_uid(), fresh_uid()
    return tuple(picture(like, study=study, series=series, number=n) for n in range(1, count + 1))


def population() -> Iterator[Picture]:
    """Every number of bits stored in 8 and 16, signed and unsigned, in Explicit and Implicit VR; gray
    and colour, odd sizes, one frame and more dealt out among them, always alike."""
    deal = random.Random(7)
    for stored, signed, allocated, syntax in itertools.product(
        range(1, 17), (False, True), (8, 16), (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    ):
        if stored > allocated:
            continue
        rows, columns = deal.choice([(96, 80), (65, 63), (131, 77), (64, 129)])
        yield Picture(
            rows,
            columns,
            stored,
            allocated,
            signed,
            samples=deal.choice([1, 1, 3]),
            frames=deal.choice([1, 1, 3]),
            syntax=str(syntax),
            pixel_vr=deal.choice(["OB", "OW"]) if allocated == 8 else "OW",
        )


def _encoded(ds: Dataset, *, implicit: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_dataset(buffer, ds)
    return buffer.getvalue()

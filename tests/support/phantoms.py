"""Images whose every sample is known: gradients, discs and noise, in each photometric interpretation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    UltrasoundMultiFrameImageStorage,
)

from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid

Samples = NDArray[Any]
SOMEBODY = Patient()


@dataclass(frozen=True, slots=True)
class Picture:
    """An object and the samples in it: rows x columns, or frames x rows x columns x 3."""

    item: DicomObject
    samples: Samples


def phantom(rows: int, columns: int, number: int = 0) -> Samples:
    """Hounsfield units of a body in air with a spine, lungs and something bright that wanders."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    hu = np.full((rows, columns), -1000, np.int16)
    hu[(x / 0.85) ** 2 + (y / 0.62) ** 2 < 1] = 40
    for side in (-0.4, 0.4):
        hu[((x - side) / 0.28) ** 2 + ((y + 0.05) / 0.4) ** 2 < 1] = -820
    hu[(x / 0.11) ** 2 + ((y - 0.42) / 0.12) ** 2 < 1] = 700
    place = -0.4 + 0.02 * number
    hu[(x - place) ** 2 + (y + 0.1) ** 2 < 0.004] = 60
    grain = np.random.default_rng(number).normal(0, 12, hu.shape)
    return (hu + grain).astype(np.int16)


def ct(count: int, *, rows: int = 256, columns: int = 256, patient: Patient = SOMEBODY) -> list[Picture]:
    """A CT series: signed, rescaled by -1024, with a window and a place in space."""
    study, series, place = fresh_uid(), fresh_uid(), fresh_uid()
    made = []
    for number in range(1, count + 1):
        stored = phantom(rows, columns, number) + 1024
        ds = ct_dataset(
            study, series, number, patient=patient, rows=rows, columns=columns,
            pixels=stored.astype("<i2").tobytes(),
        )  # fmt: skip
        ds.StudyDescription = "CT chest"
        ds.SeriesDescription = "Axial 2.0"
        ds.BodyPartExamined = "CHEST"
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = place, ""
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.WindowCenter, ds.WindowWidth = 40, 400
        ds.PixelSpacing = [0.7, 0.7]
        ds.SliceThickness = 2
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-90, -90, -2.0 * number]
        made.append(Picture(as_object(ds), stored))
    return made


def projection(
    rows: int, columns: int, *, patient: Patient = SOMEBODY, inverse: bool = True, mammogram: bool = False
) -> Picture:
    """One large unsigned image of 12 stored bits; MONOCHROME1 when `inverse`."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    ramp = 600 + 2600 * np.clip(1.1 - np.hypot(x / 0.75, (y - 0.5) / 0.48), 0, 1)
    grain = np.random.default_rng(7).normal(0, 20, ramp.shape)
    stored = np.clip(ramp + grain, 0, 4095).astype(np.uint16)
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=patient, rows=rows, columns=columns,
        pixels=stored.astype("<u2").tobytes(),
    )  # fmt: skip
    ds.SOPClassUID = (
        DigitalMammographyXRayImageStorageForPresentation if mammogram else ComputedRadiographyImageStorage
    )
    ds.Modality = "MG" if mammogram else "CR"
    ds.StudyDescription = "Mammography screening" if mammogram else "Chest PA"
    ds.SeriesDescription = "L CC" if mammogram else "PA"
    ds.BodyPartExamined = "BREAST" if mammogram else "CHEST"
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    ds.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
    ds.WindowCenter, ds.WindowWidth = 2000, 3000
    ds.ImagerPixelSpacing = [0.1, 0.1]
    return Picture(as_object(ds), stored)


def colour_clip(
    frames: int, *, rows: int = 120, columns: int = 160, photometric: str = "RGB", planar: int = 0,
    patient: Patient = SOMEBODY,
) -> Picture:  # fmt: skip
    """An ultrasound clip of 8-bit samples. The samples given back are RGB, whatever is stored."""
    y, x = np.mgrid[0:rows, 0:columns]
    shots = [
        np.stack([(x * 2 + 9 * number) % 256, (y * 2) % 256, (x + y + 5 * number) % 256], -1)
        for number in range(frames)
    ]
    rgb = np.stack(shots).astype(np.uint8)
    stored = rgb if photometric == "RGB" else ybr_of(rgb)
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=patient, rows=rows, columns=columns,
        pixels=(stored.transpose(0, 3, 1, 2) if planar else stored).tobytes(),
    )  # fmt: skip
    ds.SOPClassUID, ds.Modality = UltrasoundMultiFrameImageStorage, "US"
    ds.StudyDescription, ds.SeriesDescription = "Echocardiography", "Four chambers"
    ds.SamplesPerPixel, ds.PlanarConfiguration = 3, planar
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.NumberOfFrames = frames
    ds.FrameTime = 40
    return Picture(as_object(ds), rgb)


def indexed(rows: int = 90, columns: int = 130) -> Picture:
    """PALETTE COLOR; the samples given back are RGB."""
    index = np.random.default_rng(3).integers(0, 256, (rows, columns), np.uint8)
    colours = np.random.default_rng(4).integers(0, 256, (256, 3), np.uint8)
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=rows, columns=columns, pixels=index.tobytes()
    )
    ds.SOPClassUID, ds.Modality = UltrasoundMultiFrameImageStorage, "US"
    ds.PhotometricInterpretation = "PALETTE COLOR"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        wide = (colours[:, channel].astype("<u2") * 257).tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", wide)
    return Picture(as_object(ds), colours[index])


def ybr_of(rgb: Samples) -> Samples:
    """YBR_FULL (PS3.3 C.7.6.3.1.2)."""
    matrix = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    shifted = rgb @ matrix.T + np.array([0, 128, 128])
    ybr: Samples = np.clip(np.rint(shifted), 0, 255).astype(np.uint8)
    return ybr


def windowed(stored: Samples, *, slope: float, intercept: float, centre: float, width: float) -> Samples:
    """What a linear window makes of stored values, 0..255 (PS3.3 C.11.2.1.2.1)."""
    modality = stored.astype(np.float64) * slope + intercept
    share = (modality - (centre - 0.5)) / (width - 1) + 0.5
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)

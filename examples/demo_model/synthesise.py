"""Draws synthetic radiographs and writes each as a DICOM study of its own.

    python -m examples.demo_model.synthesise drawn --count 10

Beside the files it writes truth.csv: what each one shows. The objects themselves do not say it.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from examples.demo_model.drawing import FINDINGS, Map, draw

SIZE: Final = 1024  # pixels a side
WIDTH_MM: Final = 400.0

_BITS: Final = 12
_MOST: Final = (1 << _BITS) - 1
_BEGIN: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
_NOTE: Final = "SYNTHETIC, drawn by a program; not for clinical use"


@dataclass(frozen=True, slots=True)
class Radiograph:
    """One study. `finding` is one of FINDINGS or empty."""

    dataset: Dataset
    finding: str


def radiographs(count: int, seed: int = 0, size: int = SIZE) -> Iterator[Radiograph]:
    """The same seed draws the same ones, to the bit. Half show a finding, in no order."""
    kinds = [("", FINDINGS[0], "", FINDINGS[1])[number % 4] for number in range(count)]
    np.random.default_rng([seed, count]).shuffle(kinds)
    for number, finding in enumerate(kinds, 1):
        random = np.random.default_rng([seed, count, number])
        picture = draw(random, finding, size)
        dark = bool(random.random() < 0.3)  # MONOCHROME1 still comes from real machines
        yield Radiograph(_dataset(picture, (seed, count, number), monochrome1=dark), finding)


def write(folder: Path, count: int, seed: int = 0, size: int = SIZE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "truth.csv").open("w", newline="") as file:
        truth = csv.writer(file)
        truth.writerow(("file", "study", "finding"))
        for number, one in enumerate(radiographs(count, seed, size), 1):
            name = f"synthetic-{number:04}.dcm"
            dcmwrite(folder / name, one.dataset, enforce_file_format=True)
            truth.writerow((name, one.dataset.StudyInstanceUID, one.finding))


def _dataset(picture: Map, source: tuple[int, int, int], *, monochrome1: bool) -> Dataset:
    """Digital X-Ray Image, for presentation (PS3.3 A.26)."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _identify(ds, source)
    _describe(ds)
    _add_pixels(ds, picture, monochrome1=monochrome1)
    return ds


def _identify(ds: Dataset, source: tuple[int, int, int]) -> None:
    """Patient, General Study, General Series, SOP Common. UIDs follow from the source (PS3.5 B.2)."""
    taken = _BEGIN + timedelta(minutes=7 * source[2])
    ds.PatientName, ds.PatientID = f"SYNTHETIC^{source[2]:04}", f"SYN-{source[0]}-{source[1]}-{source[2]:04}"
    ds.PatientBirthDate, ds.PatientSex = "", ""
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{taken:%Y%m%d}"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = f"{taken:%H%M%S}"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "", str(source[2]), ""
    ds.StudyDescription, ds.SeriesDescription = "Chest, synthetic", _NOTE
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "DX", 1, 1
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    levels = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    for level in levels:
        setattr(ds, level, generate_uid(None, ["hilum demonstration", level, *map(str, source)]))


def _describe(ds: Dataset) -> None:
    """General Equipment, DX Series, DX Anatomy Imaged, DX Image, DX Detector, DX Positioning."""
    ds.Manufacturer, ds.ManufacturerModelName = "Hilum examples", "synthesise.py"
    ds.SoftwareVersions = "1.0"
    ds.PresentationIntentType, ds.BodyPartExamined, ds.ImageLaterality = "FOR PRESENTATION", "CHEST", "U"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.PatientOrientation, ds.ViewPosition = ["L", "F"], "PA"
    ds.AnatomicRegionSequence = [_code("816094009", "SCT", "Chest")]
    ds.ViewCodeSequence = [_code("272479007", "SCT", "postero-anterior")]
    ds.AcquisitionContextSequence = []
    ds.DetectorType, ds.PositionerType = "DIRECT", ""
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.ImageComments = _NOTE


def _add_pixels(ds: Dataset, picture: Map, *, monochrome1: bool) -> None:
    """12 of 16 bits; great values are dark in MONOCHROME1 (PS3.3 C.7.6.3.1.2)."""
    values = np.round(picture * _MOST).astype("<u2")
    low, high = (int(v) for v in np.percentile(values, (1, 99)))
    if monochrome1:
        values, low, high = _MOST - values, _MOST - high, _MOST - low
    ds.PhotometricInterpretation = "MONOCHROME1" if monochrome1 else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if monochrome1 else "IDENTITY"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if monochrome1 else -1
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.Rows, ds.Columns = values.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, _BITS, _BITS - 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.WindowCenter, ds.WindowWidth = (low + high) / 2, high - low
    ds.ImagerPixelSpacing = [round(WIDTH_MM / ds.Columns, 6)] * 2
    ds.add_new("PixelData", "OW", values.tobytes())


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--count", type=int, default=10, help="studies to draw")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same studies")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels a side")
    given = parser.parse_args(arguments)
    write(given.folder, given.count, given.seed, given.size)
    print(f"{given.count} studies in {given.folder}; what they show is in {given.folder / 'truth.csv'}")


if __name__ == "__main__":
    main()

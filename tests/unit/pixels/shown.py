"""Objects shown as the archive shows them, and as pydicom's own functions would."""

import io
import warnings
from typing import Any

import numpy as np
import orjson
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

from pacs.dicom import json as dicom_json
from pacs.pixels import appearance, smallest
from pacs.pixels.appearance import Appearance
from pacs.pixels.render import Look, Screen, render
from pacs.pixels.smallest import FrameBytes
from pacs.pixels.voi import Window
from tests.support.dicom_object import part10_prefix
from tests.support.factory import Patient, ct_dataset, encode, fresh_uid
from tests.unit.pixels.stored_objects import stored


def grey(pixels: NDArray[Any], **values: Any) -> Dataset:
    """An object of one sample a pixel, one frame or (frames, rows, columns)."""
    frames = pixels if pixels.ndim == 3 else pixels[None]
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=frames.shape[1], columns=frames.shape[2],
        pixels=pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(),
    )  # fmt: skip
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    return changed(ds, values)


def colour(pixels: NDArray[Any], photometric: str, **values: Any) -> Dataset:
    """An object of three samples a pixel, colour by pixel."""
    ds = grey(pixels[..., 0], PhotometricInterpretation=photometric, SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PixelData = pixels.tobytes()
    return changed(ds, values)


def changed(ds: Dataset, values: dict[str, Any]) -> Dataset:
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    if "BitsStored" in values and "HighBit" not in values:
        ds.HighBit = ds.BitsStored - 1
    return ds


def file_of(ds: Dataset) -> bytes:
    return part10_prefix(ds.SOPClassUID, ds.SOPInstanceUID, ExplicitVRLittleEndian) + encode(ds)


def appearance_of(file: bytes) -> Appearance:
    each = stored(file)
    document = dicom_json.encode(each.walk).document().replace(dicom_json.BULK_BASE, b"")
    item = orjson.loads(document)
    if each.table is not None and not {"7FE00008", "7FE00009"} & item.keys():
        item["7FE00010"] = {"vr": "OW"}  # `stored` takes it out of the walk
    return appearance.read(item)


def show(file: bytes, window: Window | None = None, *, number: int = 1) -> Screen:
    """The whole frame as the archive shows it."""
    each, look = stored(file), appearance_of(file)
    assert each.table is not None
    frame = FrameBytes(each.table, number - 1, each.read)
    whole = (look.shape.columns, look.shape.rows)
    picture = smallest.decode(frame, look, each.transfer_syntax, whole)
    return render(picture, Look(look, number, lambda path: bulk(file, path), window))


def bulk(file: bytes, path: str) -> bytes:
    """What lies at a path of bulk data, read by pydicom."""
    words = path.split("/")
    here = pydicom.dcmread(io.BytesIO(file))
    for sequence, item in zip(words[:-1:2], words[1::2], strict=True):
        here = here[int(sequence, 16)].value[int(item) - 1]
    value = here[int(words[-1], 16)].value
    return value if isinstance(value, bytes) else np.array(value, "<u2").tobytes()


def by_pydicom(file: bytes, *, prefer_lut: bool = False) -> NDArray[Any]:
    """The first frame: the grey scale from pydicom's modality and VOI functions, colours from its
    decoder and palette; spread over 8 bits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(io.BytesIO(file))
        frame = ds.pixel_array[0] if ds.get("NumberOfFrames", 1) > 1 else ds.pixel_array
        if ds.PhotometricInterpretation.startswith("MONOCHROME"):
            return _grey(frame, ds, prefer_lut=prefer_lut)
        if ds.PhotometricInterpretation == "PALETTE COLOR":
            coloured = apply_color_lut(frame, ds)
            return np.rint(coloured / 257) if coloured.dtype == np.uint16 else coloured
        return frame if ds.BitsStored <= 8 else np.rint(frame * 255.0 / (2**ds.BitsStored - 1))


def _grey(frame: NDArray[Any], ds: Dataset, *, prefer_lut: bool) -> NDArray[Any]:
    values = apply_voi_lut(apply_modality_lut(frame, ds), ds, prefer_lut=prefer_lut).astype(float)
    low, high = _output_range(values, ds, prefer_lut=prefer_lut)
    level = np.clip((values - low) / ((high - low) or 1), 0, 1)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        level = 1 - level
    return np.rint(level * 255)


def _output_range(values: NDArray[Any], ds: Dataset, *, prefer_lut: bool) -> tuple[float, float]:
    """What pydicom's windowing spreads its output over."""
    if "VOILUTSequence" in ds and (prefer_lut or "WindowWidth" not in ds):
        return 0, 2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    if "WindowWidth" not in ds and ds.BitsStored > 8:
        return values.min(), values.max()
    if "ModalityLUTSequence" in ds:
        return 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    ends = [value * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
            for value in (low, low + 2**ds.BitsStored - 1)]  # fmt: skip
    return min(ends), max(ends)

"""Stored samples as the numbers they stand for: the modality LUT (PS3.3 C.11.1), frame by frame
(C.7.6.16.2.9). What describes them is read from the object's DICOM JSON (PS3.18 Annex F)."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pacs.dicom.attributes import tag_of
from pacs.errors import NotAcceptable
from pacs.pixels.convert import Picture
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

Item = Mapping[str, Any]
"""A data set as DICOM JSON."""
Values = NDArray[np.float32]

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_MOST_ENTRIES: Final = 1 << 16


def first(item: Item, keyword: str) -> Any:
    """First value of an attribute; None when there is none."""
    values = item.get(f"{tag_of(keyword):08X}", {}).get("Value")
    return values[0] if values else None


def text(item: Item, keyword: str) -> str:
    value = first(item, keyword)
    return value if isinstance(value, str) else ""


def shape_of(item: Item) -> FrameShape:
    """As `FrameShape.of` has it, from the JSON."""

    def number(keyword: str, default: int) -> int:
        value = first(item, keyword)
        return value if isinstance(value, int) else default

    allocated = number("BitsAllocated", 0)
    stored = number("BitsStored", allocated)
    return FrameShape(
        rows=number("Rows", 0),
        columns=number("Columns", 0),
        samples=number("SamplesPerPixel", 1),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=number("HighBit", stored - 1),
        signed=number("PixelRepresentation", 0) == 1,
        planar=number("PlanarConfiguration", 0),
        photometric=text(item, "PhotometricInterpretation"),
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Rescale Slope and Intercept."""

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def of(cls, item: Item) -> "Scale | None":
        slope, intercept = first(item, "RescaleSlope"), first(item, "RescaleIntercept")
        if not isinstance(slope, int | float) or not isinstance(intercept, int | float):
            return None
        return cls(slope, intercept)


def scales(item: Item) -> tuple[Scale, tuple[Scale, ...]]:
    """For frames that say nothing of their own, and for each frame, if any does: Per-Frame
    Functional Groups win over Shared ones, and these over the top level (C.7.6.16)."""
    shared = first(item, "SharedFunctionalGroupsSequence") or {}
    common = _transformation(shared) or Scale.of(item) or Scale()
    groups = item.get(f"{tag_of('PerFrameFunctionalGroupsSequence'):08X}", {}).get("Value") or []
    own = [_transformation(group or {}) for group in groups]
    return common, tuple(one or common for one in own) if any(own) else ()


def _transformation(group: Item) -> Scale | None:
    return Scale.of(first(group, "PixelValueTransformationSequence") or {})


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A modality LUT: `entries[0]` belongs to `first` and to all below it (C.11.1.1.1)."""

    first: int
    entries: Values

    @classmethod
    def of(cls, descriptor: list[int], data: bytes, *, signed: bool) -> Self:
        """`data` little endian, two bytes an entry, or one where there are only so many. Raises
        NotAcceptable."""
        if len(descriptor) != 3 or not all(isinstance(one, int) for one in descriptor):
            raise NotAcceptable("the modality LUT of this object has no descriptor")
        count, begin = (descriptor[0] & 0xFFFF) or _MOST_ENTRIES, descriptor[1] & 0xFFFF
        cell = "<u2" if len(data) >= 2 * count else "u1"
        if len(data) < count:
            raise NotAcceptable("the modality LUT of this object is shorter than its descriptor says")
        entries = np.frombuffer(data, cell, count).astype(np.float32)
        return cls(begin - (begin >> 15 << 16) * signed, entries)

    def look_up(self, stored: Cells) -> Values:
        at = np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[at]


def lut_data(item: Item) -> tuple[list[int], bytes, str] | None:
    """Descriptor and data of the modality LUT, or where the data lie below the instance's bulk data."""
    table = first(item, "ModalityLUTSequence")
    if not table:
        return None
    descriptor = table.get(f"{tag_of('LUTDescriptor'):08X}", {}).get("Value") or []
    element = table.get(f"{tag_of('LUTData'):08X}", {})
    if "BulkDataURI" in element:
        return descriptor, b"", element["BulkDataURI"].lstrip("/")
    if "InlineBinary" in element:
        try:
            return descriptor, base64.b64decode(element["InlineBinary"]), ""
        except binascii.Error:
            return descriptor, b"", ""
    return descriptor, np.array(element.get("Value") or [], np.int64).astype("<u2").tobytes(), ""


def values(picture: Picture, scale: Scale, table: Table | None) -> Values:
    """(rows, columns). Of colours their luminance. Raises NotAcceptable for a palette."""
    shape = picture.shape
    stored = _stored(picture.cells, shape)
    if shape.samples == 3:
        if shape.photometric.startswith("YBR"):
            return stored[..., 0].astype(np.float32)
        return np.asarray(stored.astype(np.float32) @ _LUMINANCE)
    if shape.photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise NotAcceptable("the samples of this object are no quantity")
    if table is not None:
        return table.look_up(stored)
    return stored.astype(np.float32) * np.float32(scale.slope) + np.float32(scale.intercept)


def _stored(cells: Cells, shape: FrameShape) -> Cells:
    """Without what lies around the bits stored: an overlay above them in old objects, or nothing."""
    above = shape.bits_allocated - 1 - shape.high_bit
    below = shape.high_bit + 1 - shape.bits_stored
    if above < 0 or below < 0 or shape.bits_stored < 1:
        raise NotAcceptable("bits stored, bits allocated and high bit of this object contradict each other")
    if not above and not below:
        return cells
    return (cells << above) >> (above + below)  # with the sign, where the cell has one

"""What a data set says about how its frames are to look, taken from its DICOM JSON (PS3.18 Annex F).

Of an enhanced multi-frame object each frame has its own say: the Per-Frame Functional Groups win over
the Shared ones, and these over the top level (PS3.3 C.7.6.16). Tables are only pointed at: most
pictures need none.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pacs.dicom.attributes import tag_of
from pacs.pixels import lut, voi
from pacs.pixels.frames import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA
from pacs.pixels.lut import Descriptor, Lut
from pacs.pixels.shape import FrameShape
from pacs.pixels.voi import Window

Item = Mapping[str, Any]
"""A data set as DICOM JSON; a BulkDataURI is relative to the instance's bulk data."""
_COLOURS: Final = ("Red", "Green", "Blue")
_FLOATS: Final = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table of the object: its data are here, or at `path` below the instance's bulk data."""

    descriptor: tuple[int, ...]
    signed: bool
    numbers: tuple[int, ...] = ()
    data: bytes = b""
    path: str = ""
    segmented: bool = False

    def read(self, bulk: bytes) -> Lut:
        """`bulk` is what lies at `path`. Raises NotAcceptable."""
        descriptor = Descriptor.of(self.descriptor, signed=self.signed)
        if self.numbers and not self.segmented:
            return lut.from_numbers(descriptor, np.array(self.numbers, np.int64).astype(np.uint16))
        data = bulk if self.path else self.data or np.array(self.numbers, "<u2").tobytes()
        return lut.from_segments(descriptor, data) if self.segmented else lut.from_bytes(descriptor, data)


@dataclass(frozen=True, slots=True)
class Grey:
    """From stored values to a window, of one frame. `window` None: the object names none."""

    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The ICC profile of an object's colours (C.11.15): here, or at `path` below its bulk data."""

    data: bytes
    path: str

    def read(self, fetch: Callable[[str], bytes]) -> bytes:
        return fetch(self.path) if self.path else self.data


@dataclass(frozen=True, slots=True)
class Appearance:
    """`shape` is that of a frame as stored; `element` the tag of the pixel data, 0 for none.

    `padding` are the stored values, both included, that are no picture (C.7.5.1.1.2). `full_scale`
    is the stored value of certainty in a fractional segmentation, else 0. `labels`: values are
    names of things, and nothing lies between two of them. `representative` is 0 where none is named.
    `frame_ms` is how long a frame is shown when they follow one another."""

    shape: FrameShape
    element: int
    modality: str
    representative: int
    common: Grey
    frames: tuple[Grey, ...]
    padding: tuple[int, int] | None
    modality_lut: Table | None
    voi_lut: Table | None
    palette: tuple[Table, ...]
    full_scale: int = 0
    labels: bool = False
    profile: "Profile | None" = None
    frame_ms: int = 100

    def grey(self, number: int) -> Grey:
        """Of frame `number`, counted from 1."""
        return self.frames[number - 1] if number <= len(self.frames) else self.common

    @property
    def float_bits(self) -> int:
        """32 or 64 when the samples are floating point numbers (C.7.6.24, C.7.6.25), else 0."""
        return _FLOATS.get(self.element, 0)

    @property
    def indexed(self) -> bool:
        """Samples stand for something else and must not be mixed with their neighbours."""
        return self.labels or self.shape.photometric == "PALETTE COLOR"


def read(item: Item) -> Appearance:
    """Never raises for what is in the object: what does not make sense is left out."""
    shape = _shape(item)
    shared = _first_item(item, "SharedFunctionalGroupsSequence")
    common = _grey(shared, _top_grey(item))
    segmentation = text(item, "SegmentationType")
    return Appearance(
        shape=shape,
        element=next((tag for tag in (PIXEL_DATA, *_FLOATS) if f"{tag:08X}" in item), 0),
        modality=text(item, "Modality"),
        representative=max(0, _integer(item, "RepresentativeFrameNumber", 0)),
        common=common,
        frames=_per_frame(item, common),
        padding=_padding(item),
        modality_lut=_table(_first_item(item, "ModalityLUTSequence"), "LUT", signed=shape.signed),
        voi_lut=_table(_first_item(item, "VOILUTSequence"), "LUT", signed=_voi_input_signed(item, common)),
        palette=_palette(item, shape),
        full_scale=_integer(item, "MaximumFractionalValue", 0) if segmentation == "FRACTIONAL" else 0,
        labels=segmentation == "LABELMAP",
        profile=_profile(item),
        frame_ms=_frame_ms(item),
    )


def text(item: Item, keyword: str) -> str:
    """The first value of a text; empty when there is none."""
    value = next(iter(_values(item, keyword)), None)
    return value if isinstance(value, str) else ""


def _profile(item: Item) -> Profile | None:
    """Of the image, or of the first optical path of a slide (C.8.12.5)."""
    for holder in (item, _first_item(item, "OpticalPathSequence")):
        element = _element(holder, "ICCProfile")
        profile = Profile(_inline(element), str(element.get("BulkDataURI", "")).lstrip("/"))
        if profile.data or profile.path:
            return profile
    return None


def _frame_ms(item: Item) -> int:
    """Frame Time, or what a recommended rate comes to (C.7.6.5)."""
    rate = _number(item, "RecommendedDisplayFrameRate", 0.0) or _number(item, "CineRate", 0.0)
    time = _number(item, "FrameTime", 0.0) or (1000 / rate if rate > 0 else 0.0)
    return min(max(round(time), 10), 10_000) if time > 0 else 100


def _shape(item: Item) -> FrameShape:
    shape = FrameShape.of_json(item)
    if 1 <= shape.bits_stored <= shape.bits_allocated:
        return shape
    allocated = shape.bits_allocated
    return replace(shape, bits_stored=allocated, high_bit=_integer(item, "HighBit", allocated - 1))


def _top_grey(item: Item) -> Grey:
    return Grey(
        slope=_number(item, "RescaleSlope", 1.0),
        intercept=_number(item, "RescaleIntercept", 0.0),
        window=_window(item),
    )


def _grey(groups: Item, otherwise: Grey) -> Grey:
    """Pixel Value Transformation and Frame VOI LUT (C.7.6.16.2.9, C.7.6.16.2.10)."""
    rescale = _first_item(groups, "PixelValueTransformationSequence")
    frame_voi = _first_item(groups, "FrameVOILUTSequence")
    if not rescale and not frame_voi:
        return otherwise
    return replace(
        otherwise,
        slope=_number(rescale, "RescaleSlope", otherwise.slope),
        intercept=_number(rescale, "RescaleIntercept", otherwise.intercept),
        window=_window(frame_voi) or otherwise.window,
    )


def _per_frame(item: Item, common: Grey) -> tuple[Grey, ...]:
    known: dict[Grey, Grey] = {}  # most frames look alike: keep one of each
    found = (_grey(groups, common) for groups in _items(item, "PerFrameFunctionalGroupsSequence"))
    greys = tuple(known.setdefault(grey, grey) for grey in found)
    return () if len(known) == 1 and common in known else greys


def _window(item: Item) -> Window | None:
    """The first that is stated (C.11.2.1.2)."""
    center, width = _number(item, "WindowCenter", math.nan), _number(item, "WindowWidth", math.nan)
    if math.isnan(center) or math.isnan(width):
        return None
    return voi.lenient(center, width, text(item, "VOILUTFunction"))


def _padding(item: Item) -> tuple[int, int] | None:
    value = _values(item, "PixelPaddingValue")
    if not value or not isinstance(value[0], int):
        return None
    limit = _integer(item, "PixelPaddingRangeLimit", value[0])
    return min(value[0], limit), max(value[0], limit)


def _voi_input_signed(item: Item, common: Grey) -> bool:
    """The input of a VOI LUT is what the modality LUT puts out (C.11.2.1.1)."""
    if _first_item(item, "ModalityLUTSequence"):
        return False
    return _integer(item, "PixelRepresentation", 0) == 1 or common.intercept < 0


def _palette(item: Item, shape: FrameShape) -> tuple[Table, ...]:
    if shape.photometric != "PALETTE COLOR":
        return ()
    found = [_table(item, f"{colour}PaletteColorLookupTable", signed=shape.signed) for colour in _COLOURS]
    return tuple(table for table in found if table is not None)


def _table(item: Item, name: str, *, signed: bool) -> Table | None:
    descriptor = tuple(v for v in _values(item, f"{name}Descriptor") if isinstance(v, int))
    plain = _element(item, f"{name}Data")
    segmented = _element(item, f"Segmented{name}Data") if not plain and name != "LUT" else {}
    element = plain or segmented
    if not element:
        return None
    numbers = tuple(v for v in element.get("Value", ()) if isinstance(v, int))
    path = str(element.get("BulkDataURI", "")).lstrip("/")
    return Table(descriptor, signed, numbers, _inline(element), path, segmented=bool(segmented))


def _inline(element: Item) -> bytes:
    try:
        return base64.b64decode(str(element.get("InlineBinary", "")))
    except binascii.Error:
        return b""  # too short for any descriptor, which is what the table is refused for


def _element(item: Item, keyword: str) -> Item:
    found: Item = item.get(f"{tag_of(keyword):08X}", {})
    return found


def _values(item: Item, keyword: str) -> Sequence[Any]:
    found: Sequence[Any] = _element(item, keyword).get("Value", ())
    return found


def _items(item: Item, keyword: str) -> list[Item]:
    return [one for one in _values(item, keyword) if isinstance(one, Mapping)]


def _first_item(item: Item, keyword: str) -> Item:
    return next(iter(_items(item, keyword)), {})


_LARGEST: Final = 1e30  # a slope beyond that is a mistake, and what it makes of a sample no number


def _number(item: Item, keyword: str, default: float) -> float:
    try:
        value = float(next(iter(_values(item, keyword)), default))
    except (TypeError, ValueError):
        return default
    return value if abs(value) <= _LARGEST else default


def _integer(item: Item, keyword: str, default: int) -> int:
    value = next(iter(_values(item, keyword)), default)
    return value if isinstance(value, int) else default

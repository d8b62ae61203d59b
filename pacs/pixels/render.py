"""Decoded samples to what a screen shows: 8 bits of grey or of red, green and blue.

The order is the standard's (PS3.4 N.2): modality LUT, VOI, and the inversion of MONOCHROME1; or for
colour the palette or the colour space (PS3.3 C.7.6.3.1.2). Grey is worked out once for each value
that a cell can have, not for each pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotAcceptable
from pacs.pixels import voi
from pacs.pixels.appearance import Appearance, Grey, Table
from pacs.pixels.codecs import pillow
from pacs.pixels.convert import Picture
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.voi import Values, Window

Screen = NDArray[np.uint8]
"""(rows, columns) of grey, or (rows, columns, 3) of red, green and blue."""
Fetch = Callable[[str], bytes]
"""Gives the bulk data at a path of the object."""
_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_YCC: Final = frozenset({"YBR_FULL", "YBR_FULL_422"})
_BYTE: Final = 8
_STRETCH: Final = 1 << 18  # cells


@dataclass(frozen=True, slots=True)
class Look:
    """How one frame is to be shown. `window` wins over what the object says."""

    appearance: Appearance
    number: int
    fetch: Fetch
    window: Window | None = None

    @property
    def grey(self) -> Grey:
        return self.appearance.grey(self.number)

    def table(self, table: Table) -> Any:
        return table.read(self.fetch(table.path) if table.path else b"")


def render(picture: Picture, look: Look) -> Screen:
    """Raises NotAcceptable for colours that are not known."""
    shape, cells = picture.shape, picture.cells
    if shape.samples == 1:
        if shape.photometric == "PALETTE COLOR":
            return _palette(cells, look)
        if shape.photometric in _GREY:
            return _grey(cells, shape, look)
    elif shape.photometric == "RGB":
        return _bytes(cells, shape)
    elif shape.photometric in _YCC:
        return pillow.ycc_to_rgb(_bytes(cells, shape))
    raise NotAcceptable(f"pixels of {shape.photometric or 'no known'} colours are kept but not shown")


def _grey(cells: Cells, shape: FrameShape, look: Look) -> Screen:
    if cells.dtype.kind == "f" or cells.itemsize > 2:
        return _greys_of(cells, shape, look)
    unsigned = np.dtype(f"<u{cells.itemsize}")
    raw = np.ascontiguousarray(cells).view(unsigned)
    present = _present(raw, cells, shape, look)
    table = np.zeros(1 << (_BYTE * cells.itemsize), np.uint8)
    table[present.view(unsigned)] = _greys_of(present, shape, look)
    return _through(table, raw)


def _present(raw: NDArray[Any], cells: Cells, shape: FrameShape, look: Look) -> Cells:
    """Cell values to work out: the range of the frame when the window is known; else exactly those
    that are there, since they decide on the window."""
    if _window(shape, look) is None and _voi_table(look) is None:
        there = np.zeros(1 << (_BYTE * raw.itemsize), np.bool_)
        flat = raw.ravel()
        for at in range(0, flat.size, _STRETCH):
            there[flat[at : at + _STRETCH]] = True
        return np.flatnonzero(there).astype(raw.dtype).view(cells.dtype)
    low, high = int(cells.min()), int(cells.max())
    return np.arange(low, high + 1).astype(cells.dtype)


def _through(table: Screen, raw: NDArray[Any]) -> Screen:
    """`table[raw]`, in stretches: numpy widens what it takes by to 8 bytes."""
    made = np.empty(raw.shape, np.uint8)
    source, target = raw.ravel(), made.ravel()
    for at in range(0, source.size, _STRETCH):
        np.take(table, source[at : at + _STRETCH], out=target[at : at + _STRETCH], mode="clip")
    return made


def _greys_of(cells: Cells, shape: FrameShape, look: Look) -> Screen:
    stored = _stored_values(cells, shape)
    values = _modality(stored, look)
    outside = _outside(stored, look.appearance)
    level = _level(values, outside, shape, look)
    if shape.photometric == "MONOCHROME1":
        level = 1.0 - level
    level[outside] = 0.0  # what is no picture is dark, like the room (C.7.5.1.1.2)
    return np.rint(level * 255.0).astype(np.uint8)


def _stored_values(cells: Cells, shape: FrameShape) -> Cells:
    """The sample inside its cell, freed of what lies in the other bits (C.7.6.3.1.4)."""
    width, lost = 8 * cells.itemsize, shape.high_bit + 1 - shape.bits_stored
    if cells.dtype.kind == "f" or shape.bits_stored >= width or shape.bits_stored < 1:
        return cells
    if not 0 <= lost <= width - shape.bits_stored:
        return cells
    above = width - shape.bits_stored - lost
    return (cells << above) >> (above + lost)  # with the sign, where the cell has one


def _modality(stored: Cells, look: Look) -> Values:
    table = look.appearance.modality_lut
    if table is not None:
        return np.asarray(look.table(table).look_up(stored), np.float64)
    grey = look.grey
    return stored * np.float64(grey.slope) + grey.intercept


def _outside(stored: Cells, appearance: Appearance) -> NDArray[np.bool_]:
    if stored.dtype.kind == "f":
        return ~np.isfinite(stored)
    if appearance.padding is None:
        return np.zeros(stored.shape, np.bool_)
    low, high = (_as_stored(value, appearance.shape) for value in appearance.padding)
    return np.asarray((stored >= low) & (stored <= high))


def _as_stored(value: int, shape: FrameShape) -> int:
    """Padding values are written with the wrong sign as often as not."""
    bits = max(1, min(shape.bits_stored, 64))
    if shape.signed and value >= 1 << (bits - 1):
        return value - (1 << bits)
    if not shape.signed and value < 0:
        return value & ((1 << bits) - 1)
    return value


def _level(values: Values, outside: NDArray[np.bool_], shape: FrameShape, look: Look) -> Values:
    window = _window(shape, look)
    table = None if window else _voi_table(look)
    if table is not None:
        found = look.table(table)
        return np.asarray(found.look_up(values) / np.float64(found.top))
    window = window or _spread(values[~outside])
    if window is None:
        return np.zeros(values.shape)
    with np.errstate(invalid="ignore"):
        return voi.windowed(values, window)


def _window(shape: FrameShape, look: Look) -> Window | None:
    """The one asked for, the object's, or the whole range of what can have no other: 8 bits and less
    are mostly pictures that are ready to be seen."""
    window = look.window or look.grey.window
    if window is not None or _voi_table(look) is not None or look.appearance.float_bits:
        return window
    if look.appearance.full_scale:
        return voi.between(0, look.appearance.full_scale)
    if shape.bits_stored > _BYTE or look.appearance.modality_lut is not None or look.appearance.labels:
        return None
    low = -(1 << (shape.bits_stored - 1)) if shape.signed else 0
    ends = (low, low + (1 << shape.bits_stored) - 1)
    darkest, brightest = sorted(end * look.grey.slope + look.grey.intercept for end in ends)
    return voi.between(darkest, brightest) if darkest < brightest else None


def _voi_table(look: Look) -> Table | None:
    """Used when no window is asked for and the object names none."""
    return None if look.window or look.grey.window else look.appearance.voi_lut


def _spread(values: Values) -> Window | None:
    """From the darkest to the brightest; None when all are the same."""
    if not values.size or values.min() == values.max():
        return None
    return voi.between(float(values.min()), float(values.max()))


def _palette(cells: Cells, look: Look) -> Screen:
    tables = [look.table(table) for table in look.appearance.palette]
    if len(tables) != 3:
        raise NotAcceptable("the object lacks the palette of its colours")
    stored = _stored_values(cells, look.appearance.shape)
    # Tables called 16 bits wide whose entries all stay within 8 are met, and meant as 8.
    widest = max(int(table.entries.max()).bit_length() for table in tables)
    bits = _BYTE if widest <= _BYTE else max(table.bits for table in tables)
    entries = np.stack([_to_byte(table.entries, bits) for table in tables], axis=-1)
    return np.asarray(entries[np.clip(stored.astype(np.int64) - tables[0].first, 0, len(entries) - 1)])


def _bytes(cells: Cells, shape: FrameShape) -> Screen:
    """Colour samples of any depth to 8 bits."""
    stored = _stored_values(cells, shape)
    if shape.signed:
        stored = np.maximum(stored, 0)
    if stored.itemsize == 1 and shape.bits_stored == _BYTE:
        return stored.view(np.uint8)
    return _to_byte(stored, shape.bits_stored)


def _to_byte(values: NDArray[Any], bits: int) -> Screen:
    if bits == _BYTE:
        return values.astype(np.uint8)
    return np.rint(values * (255.0 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)

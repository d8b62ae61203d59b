"""Stored samples as the numbers they stand for: the modality LUT (PS3.3 C.11.1), frame by frame
(C.7.6.16.2.9)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotAcceptable
from pacs.pixels.appearance import Grey
from pacs.pixels.convert import Picture
from pacs.pixels.lut import Lut
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

Values = NDArray[np.float32]

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def values(picture: Picture, grey: Grey, table: Lut | None) -> Values:
    """(rows, columns). Of colours their luminance. Raises NotAcceptable for a palette."""
    shape = picture.shape
    if shape.bits_allocated == 1:
        raise NotAcceptable("pixels of one bit are no quantity")
    stored = _stored(picture.cells, shape)
    if shape.samples == 3:
        if shape.photometric.startswith("YBR"):
            return stored[..., 0].astype(np.float32)
        return np.asarray(stored.astype(np.float32) @ _LUMINANCE)
    if shape.photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise NotAcceptable("the samples of this object are no quantity")
    if table is not None:
        return table.look_up(stored).astype(np.float32)
    return stored.astype(np.float32) * np.float32(grey.slope) + np.float32(grey.intercept)


def _stored(cells: Cells, shape: FrameShape) -> Cells:
    """Without what lies around the bits stored: an overlay above them in old objects, or nothing."""
    above = shape.bits_allocated - 1 - shape.high_bit
    below = shape.high_bit + 1 - shape.bits_stored
    if above < 0 or below < 0 or shape.bits_stored < 1:
        raise NotAcceptable("bits stored, bits allocated and high bit of this object contradict each other")
    if (not above and not below) or cells.dtype.kind == "f":
        return cells
    return (cells << above) >> (above + below)  # with the sign, where the cell has one

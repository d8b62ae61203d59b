"""Small pictures straight from an HTJ2K code stream, without decoding the large one."""

import numpy as np

from pacs.errors import NotAcceptable
from pacs.pixels import codestream, samples
from pacs.pixels.codecs.openjph import OpenJPH, widened
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

_OPENJPH = OpenJPH()


def decode_reduced(data: bytes, factor: int, shape: FrameShape) -> Cells:
    """The picture at 1/`factor` of its size (1, 2, 4, ...), sides rounded up; `data` may end behind
    the tile-part that holds this resolution.

    `shape` is that of the whole frame. Values are clamped to what Bits Stored can hold: a wavelet
    overshoots at edges. Raises NotAcceptable.
    """
    samples.dimensions(shape)
    stream = codestream.read(data)
    skipped = factor.bit_length() - 1
    if factor < 1 or factor != 1 << skipped or skipped > stream.levels:
        raise NotAcceptable(f"the frame has no resolution of 1/{factor}")
    if (stream.rows, stream.columns, stream.components) != (shape.rows, shape.columns, shape.samples):
        raise NotAcceptable("the compressed frame is not of the size that the data set says")
    cells = widened(_OPENJPH, data, stream, skipped)
    if (stored := min(shape.bits_stored, stream.precision)) > 0:
        low = -(1 << (stored - 1)) if stream.signed else 0
        np.clip(cells, low, low + (1 << stored) - 1, out=cells)
    return cells.astype(samples.dtype_of(shape))

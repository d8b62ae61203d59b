"""Small pictures of frames that no small picture can be cut from (PS3.3 C.7.6.3)."""

import numpy as np

from pacs.errors import NotAcceptable
from pacs.pixels import samples
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

PALETTE = "PALETTE COLOR"


def sides(shape: FrameShape, factor: int) -> tuple[int, int]:
    """Rows and columns at 1/`factor` of the size, rounded up."""
    return -(-shape.rows // factor), -(-shape.columns // factor)


def shrunk(cells: Cells, factor: int, shape: FrameShape) -> Cells:
    """Each `factor` x `factor` box of pixels as one: the mean of its samples, a half rounded up. Boxes at
    the right and at the bottom can have fewer pixels. Of indices into a palette the box's middle one."""
    if factor == 1:
        return cells
    if shape.photometric == PALETTE:
        return _middle(cells, factor)
    spare = shape.bits_allocated - shape.high_bit - 1
    unused = shape.bits_allocated - shape.bits_stored
    if not 0 <= spare <= unused:
        raise NotAcceptable("the data set does not say which bits of its cells are the sample (PS3.5 8.1.1)")
    means = _means(cells << spare >> unused, factor).astype(cells.dtype)
    means <<= unused - spare
    return means


def full_422(frame: bytes, shape: FrameShape) -> Cells:
    """A native frame of YBR_FULL_422 with the chroma that every second pixel has given to its neighbour
    too (PS3.3 C.7.6.3.1.2): luminance, luminance, blue, red. Raises NotAcceptable."""
    samples.dimensions(shape)
    if shape.bits_allocated != 8 or shape.columns % 2 or len(frame) != shape.bytes // 3 * 2:
        raise NotAcceptable("the frame is not what YBR_FULL_422 says")
    pairs = np.frombuffer(frame, np.uint8).reshape(shape.rows, shape.columns // 2, 4)
    cells = np.empty((shape.rows, shape.columns, 3), np.uint8)
    cells[..., 0] = pairs[..., :2].reshape(shape.rows, shape.columns)
    cells[..., 1:] = np.repeat(pairs[..., 2:], 2, axis=1)
    return cells


def shrunk_bits(frame: bytes, factor: int, shape: FrameShape) -> bytes:
    """Of pixels of one bit, packed as PS3.5 8.1.1 has them: the middle one of every box."""
    if shape.bits_allocated != 1 or shape.samples != 1:
        raise NotAcceptable(f"{shape.samples} samples of one bit each are kept but not converted")
    bits = np.unpackbits(np.frombuffer(frame, np.uint8), count=shape.cells, bitorder="little")
    picture = bits.reshape(shape.rows, shape.columns)
    return np.packbits(_middle(picture, factor), bitorder="little").tobytes()


def _means(values: Cells, factor: int) -> Cells:
    rows, columns = values.shape[:2]
    down, across = np.arange(0, rows, factor), np.arange(0, columns, factor)
    sums = np.add.reduceat(values, down, axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, across, axis=1)
    counts = np.outer(np.diff(down, append=rows), np.diff(across, append=columns))
    counts = counts.reshape(counts.shape + (1,) * (values.ndim - 2))
    means: Cells = (2 * sums + counts) // (2 * counts)
    return means


def _middle(cells: Cells, factor: int) -> Cells:
    rows, columns = (
        np.minimum(np.arange(0, side, factor) + factor // 2, side - 1) for side in cells.shape[:2]
    )
    few: Cells = cells[np.ix_(rows, columns)]
    return few

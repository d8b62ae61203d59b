"""Native frames to arrays of cells and back, and what a decoder delivers fitted into cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotAcceptable
from pacs.pixels.shape import SUBSAMPLED, FrameShape

Cells = NDArray[Any]
"""(rows, columns) or, of more than one sample, (rows, columns, samples); little endian cells."""

_TYPES = {8: "1", 16: "2", 32: "4"}


def dtype_of(shape: FrameShape) -> "np.dtype[Any]":
    """The cell as a number: signed where Pixel Representation says so. Raises NotAcceptable."""
    width = _TYPES.get(shape.bits_allocated)
    if width is None:
        raise NotAcceptable(f"pixels of {shape.bits_allocated} bits allocated are kept but not converted")
    return np.dtype(("<i" if shape.signed else "<u") + width)


def dimensions(shape: FrameShape) -> tuple[int, ...]:
    """Of an array of cells. Raises NotAcceptable when there is no pixel or the samples are not 1 or 3."""
    if shape.samples not in {1, 3} or shape.rows < 1 or shape.columns < 1:
        raise NotAcceptable(
            f"{shape.rows} x {shape.columns} pixels of {shape.samples} samples are not converted"
        )
    base = (shape.rows, shape.columns)
    return base if shape.samples == 1 else (*base, shape.samples)


def from_native(frame: bytes, shape: FrameShape) -> Cells:
    """Cells of a little endian native frame, read-only. Raises NotAcceptable."""
    where, cell = dimensions(shape), dtype_of(shape)
    if shape.photometric in SUBSAMPLED and shape.samples == 3:
        raise NotAcceptable(f"native {shape.photometric} is kept but not converted")
    if len(frame) not in {shape.bytes, shape.bytes + shape.bytes % 2}:
        raise NotAcceptable(f"a native frame of {shape.bytes} bytes has {len(frame)}")
    flat = np.frombuffer(frame, cell, count=shape.cells)
    if shape.samples > 1 and shape.planar == 1:
        planes = flat.reshape(shape.samples, shape.rows, shape.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return flat.reshape(where)


def to_native(cells: Cells) -> bytes:
    """A little endian native frame, colour by pixel, without padding."""
    return cells.astype(cells.dtype.newbyteorder("<"), copy=False).tobytes()


def fit(decoded: Cells, shape: FrameShape, *, precision: int, signed: bool) -> Cells:
    """What a decoder delivers, as cells of `shape`.

    `precision` and `signed` are the code stream's. A stream that says unsigned of samples that the
    data set calls signed holds two's complement of `precision` bits (JPEG and JPEG-LS know no
    sign; some JPEG 2000 encoders do not tell it). Raises NotAcceptable when the cells cannot hold it.
    """
    cell = dtype_of(shape)
    if decoded.size != shape.cells:
        raise NotAcceptable("the compressed frame is not of the size that the data set says")
    if precision > shape.bits_allocated:
        raise NotAcceptable(f"{precision} bits a sample do not fit {shape.bits_allocated} bits allocated")
    spare = shape.bits_allocated - precision
    raw = decoded.astype(np.dtype(f"<u{cell.itemsize}"), copy=False).reshape(dimensions(shape))
    if spare and signed != shape.signed:
        if shape.signed:
            return (raw << spare).view(cell) >> spare
        raw = raw & ((1 << precision) - 1)
    return raw.view(cell)

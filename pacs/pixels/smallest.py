"""The smallest resolution of a frame that suffices, of as few bytes as hold it."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pacs.errors import NotAcceptable
from pacs.pixels import colour, reduced, resolutions, smaller
from pacs.pixels.appearance import Appearance
from pacs.pixels.convert import Picture, decode_frame
from pacs.pixels.frames import FrameTable, Read
from pacs.pixels.samples import Cells
from pacs.pixels.shape import SUBSAMPLED, FrameShape
from pacs.pixels.syntaxes import HTJ2K_FAMILY, NATIVE

_LARGEST: Final = 1 << 27
"""Bytes of a frame's samples; a larger one is no picture to be sent in one piece."""


@dataclass(frozen=True, slots=True)
class FrameBytes:
    """One stored frame, counted from 0."""

    table: FrameTable
    number: int
    read: Read

    @property
    def size(self) -> int:
        return self.table.length(self.number)

    def whole(self) -> bytes:
        """As Explicit VR Little Endian or its transfer syntax has it; one read, whatever its fragments."""
        ranges = self.table.ranges(self.number)
        begin = ranges[0][0]
        stretch = self.read(begin, ranges[-1][0] + ranges[-1][1] - begin)
        pieces = (stretch[at - begin : at - begin + length] for at, length in ranges)
        return self.table.deliver(self.number, b"".join(pieces))

    def part(self, offset: int, length: int) -> bytes:
        """Of an encapsulated one, fewer only at its end."""
        found, position = b"", 0
        for at, size in self.table.ranges(self.number):
            begin, end = max(offset, position), min(offset + length, position + size)
            if begin < end:
                found += self.read(at + begin - position, end - begin)
            position += size
        return found


def decode(frame: FrameBytes, appearance: Appearance, syntax: str, wanted: tuple[int, int]) -> Picture:
    """The picture in at least `wanted` columns and rows, or in its full size. Raises NotAcceptable."""
    shape = appearance.shape
    if syntax in HTJ2K_FAMILY and not appearance.indexed:
        picture = _reduced(frame, shape, syntax, wanted)
        if picture is not None:
            return picture
    _check_size(shape)
    return _whole(frame.whole(), appearance, syntax)


def _reduced(frame: FrameBytes, shape: FrameShape, syntax: str, wanted: tuple[int, int]) -> Picture | None:
    """None when the stream does not tell its resolutions, or only the full one will do."""
    begun = resolutions.begin(frame.part, frame.size)
    found = begun.told
    if found is None or found.stream.signed != shape.signed:
        return None
    fitting = [
        factor for factor in map(found.factor, range(len(found.ends))) if _suffices(shape, factor, wanted)
    ]
    factor = max(fitting, default=1)
    end = found.end_of(factor)
    if factor == 1 or end is None:
        return None
    rows, columns = smaller.sides(shape, factor)
    _check_size(replace(shape, rows=rows, columns=columns))
    cells = reduced.decode_reduced(begun.upto(end), factor, shape)
    return Picture(cells, replace(shape, planar=0, photometric=colour.delivered(syntax, shape)))


def _check_size(shape: FrameShape) -> None:
    if shape.bytes > _LARGEST:
        raise NotAcceptable("a frame of this size is not made into one picture")


def _suffices(shape: FrameShape, factor: int, wanted: tuple[int, int]) -> bool:
    rows, columns = smaller.sides(shape, factor)
    return columns >= wanted[0] and rows >= wanted[1]


def _whole(data: bytes, appearance: Appearance, syntax: str) -> Picture:
    shape = appearance.shape
    if syntax in NATIVE:
        special = _special(data, appearance)
        if special is not None:
            return Picture(special, replace(shape, planar=0))
    return decode_frame(data, shape, syntax)


def _special(data: bytes, appearance: Appearance) -> Cells | None:
    """Native frames that no codec encodes: bits, floating point numbers, subsampled colours."""
    shape = appearance.shape
    if appearance.float_bits and shape.samples == 1:
        floats = np.frombuffer(data, f"<f{appearance.float_bits // 8}")
        return _flat(floats, shape)
    if shape.bits_allocated == 1 and shape.samples == 1:
        return _flat(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"), shape)
    if shape.photometric in SUBSAMPLED and shape.samples == 3 and shape.bits_allocated == 8:
        return _from_422(data, shape)
    return None


def _flat(values: Cells, shape: FrameShape) -> Cells:
    if values.size < shape.cells or not shape.cells:
        raise NotAcceptable("a native frame is shorter than its size says")
    return values[: shape.cells].reshape(shape.rows, shape.columns)


def _from_422(data: bytes, shape: FrameShape) -> Cells:
    """Y Y Cb Cr of each two pixels beside each other (PS3.3 C.7.6.3.1.2), or every sample where the
    frame is as long as that. Raises NotAcceptable."""
    if shape.photometric != "YBR_FULL_422":
        raise NotAcceptable(f"{shape.photometric} is kept but not shown")
    if len(data) in {shape.bytes, shape.bytes + shape.bytes % 2}:
        flat = np.frombuffer(data, np.uint8, shape.cells)
        if shape.planar == 1:
            return flat.reshape(3, shape.rows, shape.columns).transpose(1, 2, 0)
        return flat.reshape(shape.rows, shape.columns, 3)
    if len(data) % 2 and len(data) > shape.bytes // 3 * 2:
        data = data[:-1]  # padded
    return smaller.full_422(data, shape)

"""Where frame `i` of a stored object begins and ends.

Found out once, when the object arrives, and kept in the index as a small blob; afterwards frame
2000 costs what frame 1 costs. Frames are counted from 0 here.
"""

import struct
from dataclasses import dataclass
from typing import Self

from pacs.dicom import uids
from pacs.dicom.words import swap
from pacs.pixels.bits import extract_bits, swap16, swap32
from pacs.pixels.boundaries import Edges, divide, is_video
from pacs.pixels.items import Chain, Read, walk
from pacs.pixels.layout import Fragmented, Ranges, Strided

__all__ = ["FrameTable", "PixelShape", "Ranges", "Read", "build", "extract_bits", "swap", "swap16", "swap32"]

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009

_FLOAT_BITS = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}
_HEADER = struct.Struct("<BBQ")
_VERSION = 1
_NATIVE, _COMPLETE, _STREAM = 1, 2, 4
_ITEM_TAG = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, slots=True)
class PixelShape:
    """What the data set says about its pixels; absent numbers are 0."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    number_of_frames: int = 1
    photometric: str = ""
    element: int = PIXEL_DATA
    vr: str = ""
    """VR the pixel data is stored with. It matters in big endian only, where OW reverses pairs of bytes
    even when a sample has 8 bits or 1 (PS3.5 8.1.1, Annex D)."""

    @property
    def frames(self) -> int:
        return max(1, self.number_of_frames)

    @property
    def full_frame_bits(self) -> int:
        """Bits of a native frame with every sample of every pixel."""
        bits = _FLOAT_BITS.get(self.element, self.bits_allocated)
        return max(0, self.rows * self.columns * self.samples * bits)

    @property
    def frame_bits(self) -> int:
        """Bits of a native frame. YBR_FULL_422 stores 2 of 3 samples a pixel (PS3.3 C.7.6.3.1.2)."""
        if self.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"} and self.samples == 3:
            return self.full_frame_bits // 3 * 2
        return self.full_frame_bits

    @property
    def word(self) -> int:
        """Bytes in the unit that Explicit VR Big Endian reverses."""
        bits = _FLOAT_BITS.get(self.element, self.bits_allocated)
        if bits in {16, 32, 64}:
            return bits // 8
        return 2 if self.vr == "OW" else 1


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of one pixel data element that are there whole.

    `count` can be less than Number of Frames: the value can be short, the file can end early
    (then frames that are not whole are absent), and fragments that no rule divides with
    certainty give a table of no frames. The object itself is stored all the same.
    """

    layout: Strided | Fragmented
    end: int
    """File position behind the element, where parsing goes on."""
    complete: bool
    """False when the file ends inside the element or the sequence delimiter is missing."""
    stream: bool = False
    """A video: frame 0 stands for the whole stream, whatever Number of Frames says."""

    @property
    def count(self) -> int:
        return self.layout.count

    @property
    def native(self) -> bool:
        return isinstance(self.layout, Strided)

    @property
    def frame_bits(self) -> int:
        """Bits of a frame as delivered; 0 when encapsulated."""
        return self.layout.frame_bits if isinstance(self.layout, Strided) else 0

    @property
    def verbatim(self) -> bool:
        """Whether the bytes at `ranges` are the frame; otherwise `deliver` has to make it of them."""
        layout = self.layout
        return isinstance(layout, Fragmented) or (layout.word == 1 and layout.frame_bits % 8 == 0)

    def ranges(self, frame: int) -> Ranges:
        """(file position, length) of each piece of the frame, in order, without item headers.

        Of a native frame that does not begin and end at the edges of bytes (or, in big endian, of
        words) these are all bytes it has a part in. Raises IndexError when there is no such frame.
        """
        self._check(frame)
        return self.layout.ranges(frame)

    def bit_offset(self, frame: int) -> int:
        """Where in the bytes at `ranges`, after `swap`, the frame begins; 0 when encapsulated."""
        self._check(frame)
        return self.layout.bit_offset(frame)

    def length(self, frame: int) -> int:
        """Bytes of the frame as delivered. A byte that pads an encapsulated frame counts."""
        self._check(frame)
        return self.layout.length(frame)

    def deliver(self, frame: int, stored: bytes) -> bytes:
        """The frame as Explicit VR Little Endian has it, from the bytes at its `ranges`."""
        layout = self.layout
        if isinstance(layout, Fragmented) or self.verbatim:
            return stored
        first = self.bit_offset(frame)
        little = swap(stored, layout.word)
        if first % 8 == 0 and layout.frame_bits % 8 == 0:
            return little[first // 8 : (first + layout.frame_bits) // 8]
        return extract_bits(little, first, layout.frame_bits)

    def to_bytes(self) -> bytes:
        flags = _NATIVE * self.native | _COMPLETE * self.complete | _STREAM * self.stream
        return _HEADER.pack(_VERSION, flags, self.end) + self.layout.pack()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Raises ValueError for what `to_bytes` of this version did not write."""
        try:
            version, flags, end = _HEADER.unpack_from(blob)
            if version != _VERSION:
                raise ValueError(f"frame table of unknown version {version}")
            kind = Strided if flags & _NATIVE else Fragmented
            layout = kind.unpack(blob[_HEADER.size :])
        except struct.error as error:
            raise ValueError("damaged frame table") from error
        return cls(layout, end, bool(flags & _COMPLETE), bool(flags & _STREAM))

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.layout.count:
            raise IndexError(f"frame {frame} of {self.layout.count}")


def build(  # noqa: PLR0913 -- where the element is and what describes it; no two belong together
    read: Read,
    shape: PixelShape,
    transfer_syntax: str,
    *,
    offset: int,
    length: int | None,
    end: int,
    extended_offsets: bytes = b"",
    extended_lengths: bytes = b"",
) -> FrameTable | None:
    """Table of the element whose value begins at `offset`; never raises for what is in the file.

    `length` is the value's length, None when undefined (encapsulated: the Basic Offset Table's item
    is at `offset`). `end` is the size of the file. None when the end of the element cannot be
    found: no item where one must be, or a number of items beyond reason.
    """
    if not 0 <= offset <= end:
        return None
    stop = end if length is None else min(end, offset + length)
    native = length is not None and uids.is_native(transfer_syntax)
    if not native and (length is None or read(offset, len(_ITEM_TAG)) == _ITEM_TAG):
        chain = walk(read, offset, stop)
        if chain is None:
            return None
        if length is not None and chain.end == offset + length and not chain.cut:
            chain.closed = True  # its length says where it ends; it needs no delimiter
        edges = divide(read, chain, shape.frames, transfer_syntax, (extended_offsets, extended_lengths))
        chain.end = chain.end if length is None else stop
        return _encapsulated(chain, edges, stream=is_video(transfer_syntax))
    layout = _strided(shape, transfer_syntax, offset, offset + (length or 0), stop)
    return FrameTable(layout, stop, complete=stop == offset + (length or 0))


def _encapsulated(chain: Chain, edges: Edges, *, stream: bool) -> FrameTable:
    edges = edges or (0,)
    layout = Fragmented.of(chain.first_value, chain.lengths[: edges[-1]], edges)
    return FrameTable(layout, chain.end, complete=chain.closed, stream=stream)


def _strided(shape: PixelShape, transfer_syntax: str, start: int, behind: int, stop: int) -> Strided:
    """Frames of a value from `start` to `behind` of which the file has what is before `stop`."""
    value_bits = 8 * (behind - start)
    frame_bits = shape.frame_bits
    if _fills(shape.full_frame_bits * shape.frames, value_bits):
        frame_bits = shape.full_frame_bits  # called 4:2:2 but stored with every sample
    word = shape.word if transfer_syntax == uids.EXPLICIT_BE else 1
    there = (stop - start) // word * word * 8
    known = uids.is_native(transfer_syntax) or _fills(frame_bits * shape.frames, value_bits)
    count = min(shape.frames, there // frame_bits) if known and frame_bits else 0
    return Strided(start, count, frame_bits if count else 0, word)


def _fills(bits: int, value_bits: int) -> bool:
    """Whether they take the whole value, save what makes its length even (PS3.5 8.1.1)."""
    return 0 <= value_bits - bits < 16

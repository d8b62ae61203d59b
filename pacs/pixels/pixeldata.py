"""The pixel data element of an object in its new transfer syntax: copied, decoded or encapsulated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from pacs.dicom.words import swap
from pacs.errors import NotAcceptable
from pacs.pixels import encapsulate
from pacs.pixels.convert import Converted, transcode_frame
from pacs.pixels.frames import PIXEL_DATA, FrameTable, Read
from pacs.pixels.rewrite import CHUNK, UNDEFINED, Piece, head
from pacs.pixels.shape import FrameShape


class PixelData(Protocol):
    """An element ready to be written; `pieces` can be asked for more than once."""

    def size(self) -> int | None:
        """Bytes with the element's own header; None when only writing it tells."""

    def pieces(self, scratch: BinaryIO | None) -> Iterator[Piece]: ...


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a stored object, converted one at a time."""

    table: FrameTable
    read: Read
    shape: FrameShape
    source: str
    target: str
    verify: bool

    def convert(self, number: int) -> Converted:
        """Frame `number`, counted from 0. Raises NotAcceptable."""
        stored = b"".join(self.read(*piece) for piece in self.table.ranges(number))
        frame = self.table.deliver(number, stored)
        return transcode_frame(frame, self.shape, self.source, self.target, verify=self.verify)

    def behind(self, first: Converted) -> Iterator[bytes]:
        """Every frame, of which the first is there already."""
        yield first.data
        for number in range(1, self.table.count):
            yield self.convert(number).data


@dataclass(frozen=True, slots=True)
class Copied:
    """A native value as it is, its words reversed where they were big endian."""

    tag: int
    vr: str
    offset: int
    length: int
    word: int
    read: Read
    implicit: bool

    def size(self) -> int:
        return len(self._head()) + self.length

    def pieces(self, scratch: BinaryIO | None) -> Iterator[Piece]:
        del scratch
        yield self._head()
        end = self.offset + self.length
        for at in range(self.offset, end, CHUNK):
            yield swap(self.read(at, min(CHUNK, end - at)), self.word)

    def _head(self) -> bytes:
        return head(self.tag, self.vr, self.length, implicit=self.implicit)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames made native, one behind the other."""

    frames: Frames
    first: Converted
    implicit: bool
    vr: str = ""  # empty: what the width of the cells suggests

    def size(self) -> int:
        return len(self._head()) + self._length()

    def pieces(self, scratch: BinaryIO | None) -> Iterator[Piece]:
        del scratch
        yield self._head()
        yield from self.frames.behind(self.first)
        yield bytes(len(self.first.data) * self.frames.table.count % 2)

    def _head(self) -> bytes:
        vr = self.vr or ("OW" if self.frames.shape.bits_allocated > 8 else "OB")
        return head(PIXEL_DATA, vr, self._length(), implicit=self.implicit)

    def _length(self) -> int:
        length = len(self.first.data) * self.frames.table.count
        if length >= UNDEFINED - 1:
            raise NotAcceptable("native pixel data of more than 4 GiB has no length (PS3.5 7.1)")
        return length + length % 2


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Frames compressed, one fragment each."""

    frames: Frames
    first: Converted

    def size(self) -> int | None:
        return encapsulate.single_size(self.first.data) if self.frames.table.count == 1 else None

    def pieces(self, scratch: BinaryIO | None) -> Iterator[Piece]:
        if self.frames.table.count == 1:
            return encapsulate.single(self.first.data)
        frames = self.frames.behind(self.first)
        return encapsulate.streamed(frames) if scratch is None else encapsulate.spooled(frames, scratch)

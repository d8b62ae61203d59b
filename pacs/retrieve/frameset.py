"""Frames by byte range: open, read, send. What the table recorded at ingest is all that is needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from pacs.dicom import uids
from pacs.errors import NotFound, Unavailable
from pacs.pixels.frames import FrameTable
from pacs.pixels.shape import FrameShape
from pacs.retrieve.selection import StoredObject

if TYPE_CHECKING:
    from pacs.retrieve.deliver import ByteSource

# Media types of encapsulated frames (PS3.18 Table 8.7.3-5); what is not here is octet-stream.
MEDIA_TYPES: Final[dict[str, str]] = {
    uids.RLE: "image/dicom-rle",
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70)), "image/jpeg"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)), "image/jls"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)), "image/jp2"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (92, 93)), "image/jpx"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)), "image/jphc"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112)), "image/jxl"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (100, 101)), "video/mpeg"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (102, 103, 104, 105, 106)), "video/mp4"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (107, 108)), "video/H265"),
}
OCTET_STREAM: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Frame:
    """`length` bytes in `chunks`; `number` counts from 1."""

    number: int
    length: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class AtHand:
    """One frame that has been read already."""

    numbers: tuple[int]
    transfer_syntax: str
    data: bytes

    def lengths(self) -> tuple[int]:
        return (len(self.data),)

    def chunks(self, number: int, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Raises KeyError for any number but its own."""
        if number not in self.numbers:
            raise KeyError(number)
        yield self.data[offset : None if length is None else offset + length]


class FrameSet:
    """The frames asked for, in their order. Nothing is opened before the first is read.

    Native frames are little endian, whatever the object is stored in. Use it in a `with` block or
    close it; closing twice is harmless."""

    def __init__(
        self,
        stored: StoredObject,
        packed_table: bytes,
        numbers: tuple[int, ...],
        opener: "Callable[[], ByteSource]",
        describe: Callable[[], FrameShape],
    ) -> None:
        self._table = FrameTable.from_bytes(packed_table)
        self._opener = opener
        self._describe = describe
        self._source: ByteSource | None = None
        self.numbers = numbers
        self.stored = stored
        self.native = self._table.native
        self.stream = self._table.stream
        self.transfer_syntax = uids.EXPLICIT_LE if self.native else stored.transfer_syntax
        self.media_type = MEDIA_TYPES.get(stored.transfer_syntax, OCTET_STREAM)

    @property
    def shape(self) -> FrameShape:
        """Of every frame as it is stored. Raises NotAcceptable for pixels that are no integers."""
        return self._describe()

    def lengths(self) -> tuple[int, ...]:
        """Bytes of each frame asked for, known without reading it."""
        return tuple(self.length(number) for number in self.numbers)

    def length(self, number: int) -> int:
        return self._table.length(number - 1)

    def __iter__(self) -> Iterator[Frame]:
        for number in self.numbers:
            yield Frame(number, self.length(number), self.chunks(number))

    def read(self, number: int, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of one frame as it is delivered, fewer only at its end."""
        return b"".join(self.chunks(number, offset, length))

    def chunks(self, number: int, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The same in pieces of at most 1 MiB, of a native frame that is not delivered as it lies there
        in one. Nothing else is read than what is given."""
        stop = self.length(number) if length is None else min(self.length(number), offset + length)
        source = self._source = self._source or self._opener()
        ranges = self._table.ranges(number - 1)
        if not self._table.verbatim:
            _announce(source, ranges)
            frame = self._table.deliver(number - 1, b"".join(source.pread(*one) for one in ranges))
            yield frame[offset:stop]
            return
        wanted = list(_part(ranges, offset, stop))
        _announce(source, wanted)
        for begin, size in wanted:
            yield from source.chunks(begin, size)

    def at_hand(self, most: int) -> AtHand | None:
        """The first of them, if it lies in the file as it is given, in one piece of at most so many bytes,
        and nobody has to wait for a disk."""
        number = self.numbers[0]
        if not self._table.verbatim or self.length(number) > most:
            return None
        ranges = self._table.ranges(number - 1)
        if len(ranges) != 1:
            return None
        try:
            source = self._source = self._source or self._opener()
        except (NotFound, Unavailable):
            return None
        data = source.at_hand(*ranges[0])
        return None if data is None else AtHand((number,), self.transfer_syntax, data)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _part(ranges: Sequence[tuple[int, int]], offset: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where in the file bytes `offset` to `stop` of a frame lie, whose pieces are `ranges`."""
    position = 0
    for begin, size in ranges:
        first, last = max(offset - position, 0), min(stop - position, size)
        if first < last:
            yield begin + first, last - first
        position += size


def _announce(source: "ByteSource", pieces: Sequence[tuple[int, int]]) -> None:
    """Fragments come by one request, with the item headers in between."""
    if len(pieces) > 1:
        first, (last, length) = pieces[0][0], pieces[-1]
        source.expect(first, last + length - first)

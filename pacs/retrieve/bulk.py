"""One value of a stored object by its path: what a BulkDataURI names (PS3.18 Annex F)."""

import mmap
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from pacs.dicom import header, uids
from pacs.dicom.header import DataSet, Element, Unreadable
from pacs.dicom.words import swap, word_of
from pacs.errors import Invalid, NotFound
from pacs.pixels import frames
from pacs.pixels.frames import PIXEL_DATA, FrameTable
from pacs.retrieve.selection import StoredObject

if TYPE_CHECKING:
    from pacs.retrieve.deliver import ByteSource

_PATH = re.compile(r"[0-9A-Fa-f]{8}(/[1-9][0-9]{0,8}/[0-9A-Fa-f]{8})*")


_PIECE = 1 << 20  # bytes
_FIRST_READ, _LAST_READ = 1 << 16, 1 << 24  # bytes


class BulkData:
    """`length` bytes of a value with representation `vr`, little endian whatever the object is
    stored in (PS3.18 8.7.3). `digest` is that of the data set it is from, `encapsulated` says that it is
    the compressed pixel data of the object, items and all. Holds the file open until closed."""

    def __init__(
        self,
        source: "ByteSource",
        offset: int,
        length: int,
        vr: str,
        digest: str,
        *,
        word: int = 1,
        encapsulated: bool = False,
    ) -> None:
        self.digest = digest
        self.encapsulated = encapsulated
        self._source = source
        self._offset = offset
        self._word = word  # bytes in the unit that is stored reversed; 1 when none is
        self.length = length
        self.vr = vr

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Pieces of at most 1 MiB."""
        left = self.length - offset
        wanted = left if length is None else min(length, left)
        if self._word == 1:
            return self._source.chunks(self._offset + offset, wanted)
        return self._swapped(offset, wanted)

    def _swapped(self, offset: int, left: int) -> Iterator[bytes]:
        while left > 0:
            skip = offset % self._word
            begin = offset - skip
            piece = self._source.pread(self._offset + begin, min(_PIECE, self.length - begin))
            data = swap(piece, self._word)[skip : skip + left]
            if not data:
                return
            yield data
            offset += len(data)
            left -= len(data)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find(source: "ByteSource", stored: StoredObject, path: str, table: bytes | None = None) -> BulkData:
    """Takes over `source`: closed here on failure, by the BulkData afterwards. No more of it is read
    than tells where the value lies; the frame `table` of the index tells where pixel data ends.

    Encapsulated pixel data is given as it lies in the file, items and delimiter included."""
    try:
        element = _near(source, stored, parts(path)) or _locate(source, stored, parts(path))
        length = element.length
        encapsulated = length is None and parts(path) == [f"{PIXEL_DATA:08X}"]
        if length is None:
            length = _pixels_end(source, stored, element, table) - element.offset
        big = stored.transfer_syntax == uids.EXPLICIT_BE
        word = word_of(element.vr) if big else 1
        return BulkData(
            source, element.offset, length, element.vr, stored.digest, word=word, encapsulated=encapsulated
        )
    except BaseException:
        source.close()
        raise


def parts(path: str) -> list[str]:
    """Tag, item number, tag, ... of a bulk data path, in capitals. Raises Invalid."""
    if not _PATH.fullmatch(path):
        raise Invalid("this is no path of a bulk data value", hint="use the BulkDataURI from the metadata")
    return path.upper().split("/")


def _near(source: "ByteSource", stored: StoredObject, path: list[str]) -> Element | None:
    """From the beginning of the object, in which values mostly lie; None when it takes all of it."""
    tag, count = int(path[0], 16), _FIRST_READ
    while count <= _LAST_READ:
        prefix = memoryview(source.pread(0, min(count, source.size)))
        try:
            dataset = header.find(prefix, source.size, stored.transfer_syntax, stored.dataset_offset, tag)
        except Unreadable:  # as an item that goes beyond what was read looks
            dataset = None
        if dataset is not None:
            return _descend(dataset, path) if tag in dataset.elements else None
        if count >= source.size:
            return None
        count *= 16
    return None


def _locate(source: "ByteSource", stored: StoredObject, path: list[str]) -> Element:
    view = memoryview(mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ))
    try:
        walked = header.walk(view, stored.transfer_syntax, stored.dataset_offset)
        if walked.pixels is not None and walked.pixels.length is None:
            header.resume(walked, _encapsulated_end(source, stored, walked.pixels))
    except Unreadable as error:
        raise NotFound("the stored object can no longer be read", hint="run pacs check") from error
    return _descend(walked.dataset, path)


def _descend(dataset: DataSet, path: list[str]) -> Element:
    element = dataset.elements.get(int(path[0], 16))
    for number, tag in zip(path[1::2], path[2::2], strict=True):
        items = element.items if element else None
        if not items or int(number) > len(items):
            raise NotFound("no such value in this instance")
        element = items[int(number) - 1].elements.get(int(tag, 16))
    if element is None or element.items is not None:
        raise NotFound("no such value in this instance")
    return element


def _pixels_end(source: "ByteSource", stored: StoredObject, pixels: Element, table: bytes | None) -> int:
    if table is not None and pixels.tag == PIXEL_DATA:
        return FrameTable.from_bytes(table).end
    return _encapsulated_end(source, stored, pixels)


def _encapsulated_end(source: "ByteSource", stored: StoredObject, pixels: Element) -> int:
    table = frames.build(
        source.pread,
        frames.PixelShape(0, 0, 0, 0),
        stored.transfer_syntax if not uids.is_native(stored.transfer_syntax) else uids.RLE,
        offset=pixels.offset,
        length=None,
        end=source.size,
    )
    if table is None:
        raise NotFound("the stored pixel data can no longer be read", hint="run pacs check")
    return table.end

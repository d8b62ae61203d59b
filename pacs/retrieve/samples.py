"""Decoded pixels for programs that look at images: one frame in memory at a time, read from no more
bytes than the size asked for takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from pacs.db.connection import Database
from pacs.dicom.json import BULK_BASE
from pacs.dicom.uids import InstanceKey
from pacs.errors import NotAcceptable
from pacs.index import entry as entries
from pacs.index import lookup
from pacs.pixels import colour, quantity, reduced, resolutions
from pacs.pixels.convert import Picture, decode_frame
from pacs.pixels.frames import FrameTable
from pacs.pixels.quantity import Item, Table, Values
from pacs.pixels.resolutions import More
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_RPCL
from pacs.retrieve import bulk
from pacs.retrieve.selection import StoredObject

if TYPE_CHECKING:
    from pacs.retrieve.deliver import ByteSource

_COLUMNS: Final = (lookup.FRAME_COLUMN, lookup.JSON_COLUMNS[-1], *lookup.STORED_COLUMNS)
_HEAD: Final = 4096
_LARGEST: Final = 1 << 26  # pixels of a frame that is decoded
_LONGEST_TABLE: Final = 1 << 18  # bytes

Open = Callable[[StoredObject], "ByteSource"]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An instance with frames. `inverted` is MONOCHROME1: great values are dark. Nothing here tells
    who the patient is."""

    key: InstanceKey
    frames: int
    rows: int
    columns: int
    modality: str
    body_part: str
    view: str
    age: str
    sex: str
    inverted: bool
    _frames: "_Frames"

    def decoded(self, at_least: tuple[int, int] | None = None) -> Iterator[Values]:
        """Every frame, (rows, columns), as float32 with the modality LUT applied.

        With `at_least` rows and columns, the smallest stored resolution that has as many. Raises
        NotAcceptable when it cannot be decoded; NotFound, Unavailable."""
        return self._frames.decoded(at_least)


def images(db: Database, conditions: lookup.Where, opener: Open) -> Iterator[Image]:
    """Those that have frames, in stable order; nothing is read of a file before its frames are asked for."""
    for row in lookup.stream(db, conditions, *_COLUMNS):
        stored = StoredObject(InstanceKey(row[2], row[3], row[4]), *row[5:12])
        if row[0] is not None and stored.frames:
            item = orjson.loads(entries.expand(row[1]).replace(BULK_BASE, b""))
            yield _image(_Frames(stored, FrameTable.from_bytes(row[0]), item, opener), item)


def _image(frames: "_Frames", item: Item) -> Image:
    shape = frames.shape
    return Image(
        key=frames.stored.key,
        frames=frames.stored.frames,
        rows=shape.rows,
        columns=shape.columns,
        modality=quantity.text(item, "Modality"),
        body_part=quantity.text(item, "BodyPartExamined"),
        view=quantity.text(item, "ViewPosition"),
        age=quantity.text(item, "PatientAge"),
        sex=quantity.text(item, "PatientSex"),
        inverted=shape.photometric == "MONOCHROME1",
        _frames=frames,
    )


class _Frames:
    """The frames of one instance, and what turns their samples into numbers."""

    def __init__(self, stored: StoredObject, table: FrameTable, item: Item, opener: Open) -> None:
        self.stored = stored
        self.shape = quantity.shape_of(item)
        self._table = table
        self._common, self._own = quantity.scales(item)
        self._lut = quantity.lut_data(item)
        self._open = opener

    def decoded(self, at_least: tuple[int, int] | None) -> Iterator[Values]:
        lut = self._modality_lut()
        with self._open(self.stored) as source:
            for number in range(self._table.count):
                scale = self._own[number] if number < len(self._own) else self._common
                yield quantity.values(self._picture(source, number, at_least), scale, lut)

    def _picture(self, source: "ByteSource", number: int, at_least: tuple[int, int] | None) -> Picture:
        if at_least is not None and self.stored.transfer_syntax == HTJ2K_RPCL:
            small = self._small(source, number, at_least)
            if small is not None:
                return small
        if self.shape.rows * self.shape.columns > _LARGEST:
            raise NotAcceptable("a frame of this size is not decoded whole")
        whole = b"".join(source.pread(*piece) for piece in self._table.ranges(number))
        return decode_frame(self._table.deliver(number, whole), self.shape, self.stored.transfer_syntax)

    def _small(self, source: "ByteSource", number: int, at_least: tuple[int, int]) -> Picture | None:
        """From the first bytes of the code stream; None when only all of it will do."""
        size = self._table.length(number)
        found = resolutions.parse(self._begin(source, number, _HEAD), size)
        if isinstance(found, More):
            found = resolutions.parse(self._begin(source, number, found.size), size)
        if found is None or isinstance(found, More):
            return None
        factor = max(
            (
                one
                for one in map(found.factor, range(len(found.ends)))
                if _suffices(self.shape, one, at_least)
            ),
            default=1,
        )
        end = found.end_of(factor)
        if factor == 1 or end is None:
            return None
        shape = self.shape
        cells = reduced.decode_reduced(self._begin(source, number, end), factor, shape)
        photometric = colour.delivered(HTJ2K_RPCL, shape)
        return Picture(cells, replace(shape, planar=0, photometric=photometric))

    def _begin(self, source: "ByteSource", number: int, count: int) -> bytes:
        """The first `count` bytes of a frame, or all it has."""
        found = b""
        for at, length in self._table.ranges(number):
            if len(found) < count:
                found += source.pread(at, min(length, count - len(found)))
        return found

    def _modality_lut(self) -> Table | None:
        if self._lut is None:
            return None
        descriptor, data, path = self._lut
        if path:
            with bulk.find(self._open(self.stored), self.stored, path) as value:
                if value.length > _LONGEST_TABLE:
                    raise NotAcceptable("the modality LUT of this object is too long")
                data = b"".join(value.chunks())
        return Table.of(descriptor, data, signed=self.shape.signed)


def _suffices(shape: FrameShape, factor: int, at_least: tuple[int, int]) -> bool:
    return -(-shape.rows // factor) >= at_least[0] and -(-shape.columns // factor) >= at_least[1]


__all__ = ["Image", "images"]

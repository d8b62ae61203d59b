"""Decoded pixels for programs that look at images: one frame in memory at a time, read from no more
bytes than the size asked for takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from pacs.db.connection import Database
from pacs.dicom.json import BULK_BASE
from pacs.dicom.uids import InstanceKey
from pacs.errors import NotAcceptable
from pacs.index import entry as entries
from pacs.index import lookup
from pacs.pixels import quantity, smallest
from pacs.pixels.appearance import Appearance, Item, read, text
from pacs.pixels.frames import FrameTable
from pacs.pixels.lut import Lut
from pacs.pixels.quantity import Values
from pacs.pixels.smallest import FrameBytes
from pacs.retrieve import bulk
from pacs.retrieve.selection import StoredObject

if TYPE_CHECKING:
    from pacs.retrieve.deliver import ByteSource

_COLUMNS: Final = (lookup.FRAME_COLUMN, lookup.JSON_COLUMNS[-1], *lookup.STORED_COLUMNS)
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
            yield _image(_Frames(stored, FrameTable.from_bytes(row[0]), read(item), opener), item)


def _image(frames: "_Frames", item: Item) -> Image:
    shape = frames.look.shape
    return Image(
        key=frames.stored.key,
        frames=frames.stored.frames,
        rows=shape.rows,
        columns=shape.columns,
        modality=frames.look.modality,
        body_part=text(item, "BodyPartExamined"),
        view=text(item, "ViewPosition"),
        age=text(item, "PatientAge"),
        sex=text(item, "PatientSex"),
        inverted=shape.photometric == "MONOCHROME1",
        _frames=frames,
    )


class _Frames:
    """The frames of one instance, and what turns their samples into numbers."""

    def __init__(self, stored: StoredObject, table: FrameTable, look: Appearance, opener: Open) -> None:
        self.stored = stored
        self.look = look
        self._table = table
        self._open = opener

    def decoded(self, at_least: tuple[int, int] | None) -> Iterator[Values]:
        lut = self._modality_lut()
        rows, columns = at_least or (self.look.shape.rows, self.look.shape.columns)
        with self._open(self.stored) as source:
            for number in range(self._table.count):
                frame = FrameBytes(self._table, number, source.pread)
                picture = smallest.decode(frame, self.look, self.stored.transfer_syntax, (columns, rows))
                yield quantity.values(picture, self.look.grey(number + 1), lut)

    def _modality_lut(self) -> Lut | None:
        table = self.look.modality_lut
        if table is None:
            return None
        if not table.path:
            return table.read(b"")
        with bulk.find(self._open(self.stored), self.stored, table.path) as value:
            if value.length > _LONGEST_TABLE:
                raise NotAcceptable("the modality LUT of this object is too long")
            return table.read(b"".join(value.chunks()))


__all__ = ["Image", "images"]

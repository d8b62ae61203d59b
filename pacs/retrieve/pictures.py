"""Pictures for people: one frame of a stored object as JPEG or PNG, from no more bytes than it takes.

A thumbnail that is kept needs neither the object nor the tier it lies on.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from pacs.audit.looks import Looks
from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db.connection import Database, Transaction
from pacs.dicom.json import BULK_BASE
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid, NotAcceptable, NotFound
from pacs.index import entry as entries
from pacs.index import lookup, representative
from pacs.index.representative import Row
from pacs.pixels import appearance, samples, smallest
from pacs.pixels.appearance import Appearance
from pacs.pixels.codecs import raster
from pacs.pixels.frames import FrameTable
from pacs.pixels.icon import icon
from pacs.pixels.render import Look, render
from pacs.pixels.smallest import FrameBytes
from pacs.pixels.viewport import Viewport, show, wanted_size
from pacs.renditions.thumbnails import Thumbnails
from pacs.retrieve import bulk
from pacs.retrieve.deliver import ByteSource, is_reader
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.retrieve.view import Form, View, encode
from pacs.store.care import Reads

_REMEMBERED: Final = 64
_LONGEST_TABLE: Final = 1 << 20  # bytes
_AT_ONCE: Final = max(2, os.cpu_count() or 2)
_PAGE: Final = 500

Open = Callable[[StoredObject], ByteSource]


@dataclass(frozen=True, slots=True)
class Found:
    """An instance to be shown. `digest` is that of its bytes, `number` the frame that stands for it,
    counted from 1; 0 when it has none."""

    stored: StoredObject
    number: int
    look: Appearance
    _table: FrameTable | None
    _pictures: "Pictures" = field(repr=False)

    @property
    def digest(self) -> str:
        return self.stored.digest

    @property
    def named(self) -> int:
        """The frame that the object itself names as the one that stands for it (PS3.3 C.7.6.6); else 0."""
        return self.look.representative if self.look.representative <= self.stored.frames else 0

    def draw(self, view: View, number: int = 0) -> bytes:
        """Raises NotAcceptable when it cannot be shown, Invalid when nothing of it is wanted,
        Unavailable when its bytes are away."""
        return self._pictures.draw(self, number or self.number, view)

    def thumbnail(self, edge: int) -> bytes:
        return self.draw(View(viewport=Viewport(edge, edge, enlarge=False)))

    def check(self, *numbers: int) -> None:
        """Raises NotAcceptable when there are no frames, NotFound when one of these is not among them."""
        if self.table.count and any(number > self.stored.frames for number in numbers):
            raise NotFound(f"this instance has {self.stored.frames} frames")

    @property
    def table(self) -> FrameTable:
        """Raises NotAcceptable."""
        if self._table is None or not self.stored.frames:
            why = "no frames that can be told apart" if self.look.element else "no pixels"
            raise NotAcceptable(f"this instance has {why}", hint="its /metadata and /bulkdata can be had")
        return self._table


class Pictures:
    """Thread-safe; one per process. Reading is done by a few at once and drawing by as many as there
    are processors, so memory does not grow with the callers."""

    def __init__(
        self, db: Database, looks: Looks, reads: Reads, open_inside: Open, thumbnails: Thumbnails
    ) -> None:
        self._db = db
        self._looks = looks
        self._reads = reads
        self._open = open_inside
        self._thumbnails = thumbnails
        self._reading = threading.BoundedSemaphore(4 * _AT_ONCE)
        self._drawing = threading.BoundedSemaphore(_AT_ONCE)
        self._known = _Known(_REMEMBERED)

    def find(self, actor: Actor, key: InstanceKey, numbers: tuple[int, ...] = ()) -> Found:
        """An instance, and the frames that are wanted of it, from 1.

        Raises Forbidden, NotFound, Invalid; NotAcceptable when it has no pictures."""
        if any(number < 1 for number in numbers):
            raise Invalid("frame numbers begin at 1 (PS3.18 8.2)", hint="ask for .../frames/1/rendered")
        found = self._admitted(actor, _only(key), "rendered")
        found.check(*numbers)
        if is_reader(actor):  # a thumbnail is no reading: it need not bring the study back hot
            self._reads.note(key.study)
        return replace(found, number=next(iter(numbers), found.named or 1))

    def representative(self, actor: Actor, wanted: Wanted, number: int = 0) -> Found:
        """What stands for the study, series or instance that is named, or a frame of an instance.

        Raises Forbidden, NotFound, Invalid."""
        found = self._admitted(actor, wanted, "thumbnail")
        if number and found.stored.frames:
            found.check(number)
        return replace(found, number=number or found.number)

    def thumbnail(self, found: Found, view: View) -> bytes:
        """From the kept one where that is large enough. Raises NotAcceptable."""
        edge = self._thumbnails.edge
        port = view.viewport or Viewport(edge, edge, enlarge=False)
        if port.region is not None or max(port.width, port.height) > edge:
            return found.draw(View(view.form, view.quality, None, port))
        kept = self._thumbnails.of(found)
        picture = raster.decode_jpeg(kept)
        rows, columns = picture.shape[:2]
        if view.form is Form.JPEG and port.size(columns, rows) == (columns, rows):
            return kept
        return encode(show(picture, port, columns, rows), view)

    def icon(self, found: Found, view: View) -> bytes:
        """What is shown in place of a picture that there is none of."""
        edge = self._thumbnails.edge
        port = view.viewport
        return encode(icon(found.look.modality, min(edge, port.width, port.height) if port else edge), view)

    def draw(self, found: Found, number: int, view: View) -> bytes:
        look, stored, table = found.look, found.stored, found.table
        samples.dimensions(look.shape)
        columns, rows = look.shape.columns, look.shape.rows
        wanted = wanted_size(view.viewport, columns, rows)
        with self._reading:
            with self._open(stored) as source:
                frame = FrameBytes(table, number - 1, source.pread)
                picture = smallest.decode(frame, look, stored.transfer_syntax, wanted)
            with self._drawing:
                seen = render(picture, Look(look, number, lambda path: self._bulk(stored, path), view.window))
                return encode(show(seen, view.viewport, columns, rows), view)

    def representatives(self, study: str) -> Iterator[Found]:
        """Of each series of a study; for nobody in particular, so it is not audited."""
        with self._db.read() as tx:
            series = list(representative.series_of(tx, study))
        for uid in series:
            with self._db.read() as tx:
                row = representative.middle(tx, study, uid)
            found = None if row is None else self._found(row)
            if found is not None and found.stored.frames:
                yield found

    def studies(self) -> Iterator[str]:
        """Every Study Instance UID."""
        last = ""
        while True:
            with self._db.read() as tx:
                page = representative.studies(tx, last, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1]

    def _admitted(self, actor: Actor, wanted: Wanted, detail: str) -> Found:
        self._looks.admit(
            actor,
            Action.READ,
            lambda tx: lookup.people(tx, lookup.where((), wanted.studies, wanted.series, wanted.instances)),
            asked=(wanted, detail),
            detail=detail,
            often=True,
            studies=wanted.studies,
        )
        with self._db.read() as tx:
            row = _chosen(tx, wanted)
        if row is None:
            raise NotFound("nothing is stored under this address")
        return self._found(row)

    def _found(self, row: Row) -> Found:
        stored = StoredObject(InstanceKey(*row[2:5]), *row[5:12])
        look = self._known.get(stored.digest, row[1])
        table = None if row[0] is None else FrameTable.from_bytes(row[0])
        found = Found(stored, (stored.frames + 1) // 2, look, table, self)
        return replace(found, number=found.named) if found.named else found

    def _bulk(self, stored: StoredObject, path: str) -> bytes:
        with bulk.find(self._open(stored), stored, path) as value:
            if value.length > _LONGEST_TABLE:
                raise NotAcceptable("a look-up table of this object is too long")
            return b"".join(value.chunks())


class _Known:
    """What was read of the last objects: those of thousands of frames take a while to read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[str, Appearance] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str, document: bytes) -> Appearance:
        with self._lock:
            known = self._found.get(digest)
        if known is None:
            item: Any = orjson.loads(entries.expand(document).replace(BULK_BASE, b""))
            known = appearance.read(item)
            with self._lock:
                self._found[digest] = known
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
        return known


def _chosen(tx: Transaction, wanted: Wanted) -> Row | None:
    study, series, instance = (
        next(iter(uids), "") for uids in (wanted.studies, wanted.series, wanted.instances)
    )
    if instance:
        return representative.instance(tx, InstanceKey(study, series, instance))
    return representative.middle(tx, study, series or representative.largest_series(tx, study))


def _only(key: InstanceKey) -> Wanted:
    return Wanted(studies=(key.study,), series=(key.series,), instances=(key.instance,))

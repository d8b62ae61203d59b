"""Pictures for people: one frame of a stored object as JPEG or PNG, from no more bytes than it takes.

A thumbnail that is kept needs neither the object nor the tier it lies on.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from pacs.audit.looks import Looks
from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db.connection import Database, Transaction
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid, NotAcceptable, NotFound
from pacs.index import lookup, representative
from pacs.index.representative import Row
from pacs.pixels import samples, smallest
from pacs.pixels.codecs import raster
from pacs.pixels.codecs.lettering import lettered
from pacs.pixels.codecs.raster import Screen
from pacs.pixels.frames import FrameTable
from pacs.pixels.icon import icon
from pacs.pixels.render import Look, render
from pacs.pixels.smallest import FrameBytes
from pacs.pixels.viewport import Viewport, show, wanted_size
from pacs.renditions.thumbnails import Thumbnails
from pacs.retrieve import bulk
from pacs.retrieve.annotation import corners
from pacs.retrieve.deliver import ByteSource, is_reader
from pacs.retrieve.found import Found, Known, parsed
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.retrieve.view import Form, View, encode, moving
from pacs.store.care import Reads

_REMEMBERED: Final = 64
_LONGEST_TABLE: Final = 1 << 20  # bytes
_AT_ONCE: Final = max(2, os.cpu_count() or 2)
_LONGEST_FILM: Final = 1 << 25  # pixels
_PAGE: Final = 500

Made = TypeVar("Made")
Open = Callable[[StoredObject], ByteSource]


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
        self._filming = threading.BoundedSemaphore(1)
        self._known = Known(_REMEMBERED)

    def find(self, actor: Actor, key: InstanceKey, numbers: tuple[int, ...] = ()) -> Found:
        """As `look` does. Raises NotAcceptable, too, when it has no pictures."""
        found = self.look(actor, key, numbers)
        found.check(*numbers)
        return found

    def look(self, actor: Actor, key: InstanceKey, numbers: tuple[int, ...] = ()) -> Found:
        """An instance, and the frames that are wanted of it, from 1; without pixels, what else it is.

        Raises Forbidden, NotFound, Invalid."""
        if any(number < 1 for number in numbers):
            raise Invalid("frame numbers begin at 1 (PS3.18 8.2)", hint="ask for .../frames/1/rendered")
        found = self._admitted(actor, _only(key), "rendered")
        if found.stored.frames:
            found.check(*numbers)
        if is_reader(actor):  # a thumbnail is no reading: it need not bring the study back hot
            self._reads.note(key.study)
        return replace(found, number=next(iter(numbers), found.named or 1))

    def several(self, actor: Actor, wanted: Wanted) -> tuple[Iterator[Found], int, int]:
        """Every instance of a study or series that has pictures, in order; how many they are, and how many
        have none.

        Raises Forbidden, NotFound, Invalid; NotAcceptable when none has any."""
        self._admit(actor, wanted, "rendered")
        conditions = _conditions(wanted)
        with self._db.read() as tx:
            shown, others = representative.with_pictures(tx, conditions)
        if not shown + others:
            raise NotFound("nothing is stored under this address")
        if not shown:
            raise NotAcceptable("no instance here has pixels", hint="ask for the /rendered of an instance")
        if is_reader(actor):
            for study in wanted.studies:
                self._reads.note(study)
        rows = lookup.stream(self._db, [*conditions, representative.PICTURED], *representative.COLUMNS)
        return (self._first_frame(row) for row in rows), shown, others

    def representative(self, actor: Actor, wanted: Wanted, numbers: Sequence[int] = ()) -> Found:
        """What stands for the study, series or instance that is named, or for these frames of an
        instance: the one that it names itself if it is among them, else the middle one.

        Raises Forbidden, NotFound, Invalid."""
        found = self._admitted(actor, wanted, "thumbnail")
        if numbers and found.stored.frames:
            found.check(*numbers)
        if not numbers or found.number in numbers:
            return found
        return replace(found, number=numbers[len(numbers) // 2])

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
        profile = found.look.profile
        own = profile.read(lambda path: self._bulk(found.stored, path)) if profile and view.space else b""
        return self._made(found, number, view, lambda shown: encode(shown, view, own))

    def move(self, found: Found, numbers: tuple[int, ...], view: View) -> bytes:
        columns, rows = found.look.shape.columns, found.look.shape.rows
        across, down = view.viewport.size(columns, rows) if view.viewport else (columns, rows)
        if len(numbers) * across * down > _LONGEST_FILM:
            raise NotAcceptable(
                "these frames are too many or too large for one GIF",
                hint="ask for fewer frames or a viewport",
            )
        with self._filming:
            frames = (self._made(found, number, view, lambda shown: shown) for number in numbers)
            return moving(frames, view, found.look.frame_ms)

    def item(self, stored: StoredObject) -> Any:
        """DICOM JSON of the instance, with paths for its bulk data. Raises NotFound."""
        with self._db.read() as tx:
            row = representative.instance(tx, stored.key)
        if row is None:
            raise NotFound("no such instance")
        return parsed(row[1])

    def _made(self, found: Found, number: int, view: View, finish: Callable[[Screen], Made]) -> Made:
        look, stored, table = found.look, found.stored, found.table
        samples.dimensions(look.shape)
        columns, rows = look.shape.columns, look.shape.rows
        wanted = wanted_size(view.viewport, columns, rows)
        with self._reading, self._open(stored) as source:
            frame = FrameBytes(table, number - 1, source.pread)
            picture = smallest.decode(frame, look, stored.transfer_syntax, wanted)
            with self._drawing:
                seen = render(picture, Look(look, number, lambda path: self._bulk(stored, path), view.window))
                return finish(self._annotated(show(seen, view.viewport, columns, rows), found, number, view))

    def _annotated(self, shown: Screen, found: Found, number: int, view: View) -> Screen:
        if not view.annotations:
            return shown
        return lettered(shown, *corners(self.item(found.stored), view.annotations, number))

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
        self._admit(actor, wanted, detail)
        with self._db.read() as tx:
            row = _chosen(tx, wanted)
        if row is None:
            raise NotFound("nothing is stored under this address")
        return self._found(row)

    def _admit(self, actor: Actor, wanted: Wanted, detail: str) -> None:
        self._looks.admit(
            actor,
            Action.READ,
            lambda tx: lookup.people(tx, _conditions(wanted)),
            asked=(wanted, detail),
            detail=detail,
            often=True,
            studies=wanted.studies,
        )

    def _first_frame(self, row: Row) -> Found:
        """With the frame that `find` would choose."""
        found = self._found(row)
        return replace(found, number=found.named or 1)

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


def _chosen(tx: Transaction, wanted: Wanted) -> Row | None:
    study, series, instance = (
        next(iter(uids), "") for uids in (wanted.studies, wanted.series, wanted.instances)
    )
    if instance:
        return representative.instance(tx, InstanceKey(study, series, instance))
    return representative.middle(tx, study, series or representative.largest_series(tx, study))


def _conditions(wanted: Wanted) -> lookup.Where:
    return lookup.where((), wanted.studies, wanted.series, wanted.instances)


def _only(key: InstanceKey) -> Wanted:
    return Wanted(studies=(key.study,), series=(key.series,), instances=(key.instance,))

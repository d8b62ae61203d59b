"""Native pixel data kept as HTJ2K Lossless RPCL, after proof that nothing is lost.

made beside the original -> proved -> durable put -> one transaction that points the index from one
file to the other and names the original for removal. The original stands until that commit, so a
process that dies leaves the one or the other, and what it had put besides is taken back by recovery.

The proof is of the bytes that were written: what comes back from them has the digest that was taken
when the object arrived, and a decoder of another make reads every sample of every frame. What fails
stays as it was received, is written down with the reason, and is not tried again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import BinaryIO, Final

from pacs import clock, log
from pacs.db.connection import Database, Transaction
from pacs.dicom import uids
from pacs.dicom.header import Unreadable
from pacs.errors import Conflict, Invalid, NotAcceptable, NotFound, Unavailable
from pacs.index import catalog, recompressions
from pacs.index.entry import Entry, Origin
from pacs.index.recompressions import Candidate, Totals
from pacs.ingest.examine import Broken, Expected, examine, file_meta
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Errand
from pacs.pixels import part10, received, registry
from pacs.pixels.convert import Converted, decode_frame, prove
from pacs.pixels.received import Received
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_RPCL
from pacs.pixels.transcode import Stored, plan
from pacs.store import layout, locations, packs
from pacs.store.disk import DiskBlob, DiskStore, mapped
from pacs.store.locations import Location
from pacs.store.spool import Spool, Spooled, translated
from pacs.store.writer import Writer, withdraw

NAME: Final = "recompress"
_LARGEST_FRAME: Final = 256 << 20  # bytes; a frame is held several times over while it is proved
_LONGEST_PREFIX: Final = 24 << 10  # bytes; it is kept inside the new one, whose length is limited
_LEASE_S: Final = 3600.0
_log = log.get(__name__)


class Fate(StrEnum):
    DONE = "recompressed"
    LEFT = "left as received"
    PASSED = "passed"  # not a candidate, or not any more


@dataclass(frozen=True, slots=True)
class Outcome:
    """`size` bytes were looked at and are `now` bytes; `reason` tells why an object was left."""

    fate: Fate
    size: int = 0
    now: int = 0
    reason: str = ""


_PASSED: Final = Outcome(Fate.PASSED)


class Recompressor:
    """Thread-safe; any number of processes may be at it."""

    def __init__(self, db: Database, hot: DiskStore, spool: Spool, writer: Writer, *, grace_s: float) -> None:
        self._db = db
        self._hot = hot
        self._spool = spool
        self._writer = writer
        self._grace_ns = round(grace_s * 1e9)

    def errand(self) -> Errand:
        """What arrives from now on, one at a time."""
        kinds = frozenset({Kind.STORED, Kind.SUPERSEDED})
        return Errand(NAME, kinds, self._told, from_start=False, lease_s=_LEASE_S)

    def waiting(self, study: str = "") -> tuple[int, int]:
        """How many objects could be tried, and their bytes."""
        with self._db.read() as tx:
            return recompressions.count(tx, study)

    def totals(self) -> Totals:
        with self._db.read() as tx:
            return recompressions.totals(tx)

    def every(self, study: str = "") -> Iterator[Outcome]:
        """Try what could be, of a study or all, one after the other."""
        for candidate in recompressions.candidates(self._db, study):
            yield self.one(candidate.key.instance)

    def one(self, sop_instance_uid: str) -> Outcome:
        """Raises Unavailable when disk or index cannot take it now; everything is as before then."""
        if registry.second_decoder(HTJ2K_RPCL) is None:
            raise Unavailable("there is no second decoder to prove with", hint="see `pacs codecs`")
        with self._db.read() as tx:
            candidate = recompressions.candidate(tx, sop_instance_uid)
            place = None if candidate is None else self._place(tx, candidate)
        if candidate is None or place is None:
            return _PASSED
        try:
            return self._attempt(candidate, place)
        except (NotAcceptable, Unreadable, Broken, Invalid, Conflict) as error:
            return self._leave(candidate, str(error))
        except NotFound:  # moved or superseded a moment ago; if it is lost, that is for a check to tell
            return _PASSED

    def _told(self, told: Told) -> None:
        self.one(told.sop_instance_uid)

    def _place(self, tx: Transaction, candidate: Candidate) -> Location | None:
        """Its file, when it lies on the hot tier only and nobody is about to change that."""
        key = candidate.key
        if packs.is_claimed(tx, key.study, key.series, clock.now_ns()):
            return None
        places = locations.of(tx, key.instance, candidate.digest)
        return places[0] if len(places) == 1 and places[0].tier == layout.HOT else None

    def _attempt(self, candidate: Candidate, place: Location) -> Outcome:
        with self._hot.open(place.key) as blob, self._spool.create() as spooled:
            source = received.opened(mapped(blob.fileno()), blob.pread)
            former = _former(candidate, blob, source)
            self._write(source, former, spooled)
            spooled.received_ns = candidate.received_ns
            spooled.seal()
            if spooled.size >= candidate.size:
                raise NotAcceptable("it would not become smaller")
            with DiskBlob(os.dup(spooled.fileno())) as kept:
                _prove(source, kept, former)
            origin = Origin(former.digest, former.transfer_syntax, former.size)
            entry = replace(examine(spooled, file_meta(spooled)[0], Expected()), origin=origin)
            return self._settle(candidate, place, entry, spooled)

    def _write(self, source: Stored, former: Received, spooled: Spooled) -> None:
        transcoding = plan(source, HTJ2K_RPCL, verify=False)
        spooled.begin(part10.with_note(former.prefix, HTJ2K_RPCL, former.note()))
        with self._scratch() as scratch:
            for chunk in transcoding.chunks(scratch):
                spooled.write(chunk)

    def _scratch(self) -> BinaryIO:
        with translated():
            fd = os.open(self._spool.folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            return os.fdopen(fd, "w+b")

    def _settle(self, candidate: Candidate, place: Location, entry: Entry, spooled: Spooled) -> Outcome:
        key = self._writer.put(spooled, candidate.key)
        try:
            swapped = self._swap(candidate, place, replace(place, key=key, length=entry.size), entry)
        except BaseException:
            withdraw(self._db, self._hot, key, spooled)
            raise
        if not swapped:
            self._hot.remove(key)
            return _PASSED
        return Outcome(Fate.DONE, candidate.size, entry.size)

    def _swap(self, candidate: Candidate, former: Location, now: Location, entry: Entry) -> bool:
        def swap(tx: Transaction) -> bool:
            known = catalog.hold(tx, candidate.key.instance)
            if known is None or known.digest != candidate.digest:
                return False
            if recompressions.is_former(tx, candidate.key.instance, entry.digest):
                raise NotAcceptable("a former version is kept as the same bytes")
            if self._place(tx, candidate) != former or not locations.move(tx, known.id, former, now):
                return False
            catalog.keep_as(tx, known, entry)
            packs.leave(tx, former.key, clock.now_ns() + self._grace_ns)
            return True

        while True:
            try:
                return self._db.transact(swap)
            except catalog.Moved:
                continue

    def _leave(self, candidate: Candidate, reason: str) -> Outcome:
        with self._db.write() as tx:
            recompressions.leave(tx, candidate, reason)
        _log.info("left as received reason=%s", reason)
        return Outcome(Fate.LEFT, candidate.size, candidate.size, reason)


def _former(candidate: Candidate, blob: DiskBlob, source: Stored) -> Received:
    """What is to come back. Raises NotAcceptable."""
    table = source.table
    if table is None or not table.count or not table.native:
        raise NotAcceptable("there are no native frames that can be told apart")
    if table.length(0) > _LARGEST_FRAME:
        raise NotAcceptable(f"frames of more than {_LARGEST_FRAME >> 20} MiB are left as they are")
    prefix = blob.pread(0, candidate.dataset_offset)
    if len(prefix) > _LONGEST_PREFIX:
        raise NotAcceptable("its File Meta Information is too long to be kept in another")
    return Received(
        candidate.digest, source.transfer_syntax, candidate.size, received.pixel_vr(source), prefix
    )


def _prove(source: Stored, file: DiskBlob, former: Received) -> None:
    """Raises NotAcceptable or Conflict unless the new file is as good as the former one."""
    buffer = mapped(file.fileno())
    if sum(len(chunk) for chunk in received.bring_back(buffer, file.pread, former)) != former.size:
        raise NotAcceptable("the received file has another size than recorded")
    kept = received.opened(buffer, file.pread)
    shape = FrameShape.of(source.walk)
    for number in range(source.table.count if source.table else 0):
        cells = decode_frame(_frame(source, number), shape, uids.EXPLICIT_LE).cells
        if not prove(Converted(_frame(kept, number), FrameShape.of(kept.walk)), cells, HTJ2K_RPCL):
            raise NotAcceptable("a second decoder reads other samples")


def _frame(stored: Stored, number: int) -> bytes:
    if stored.table is None:
        raise NotAcceptable("there are no frames")
    pieces = b"".join(stored.read(*piece) for piece in stored.table.ranges(number))
    return stored.table.deliver(number, pieces)

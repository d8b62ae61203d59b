"""From the cold tier back to the hot one, through the spool, whose second link is the journal.

A crash between the file's place and its row leaves what a crash while receiving leaves: a spool file
with two links. Recovery finds that the object is known already and removes the file again.
"""

from collections.abc import Iterator

from pacs import log
from pacs.db.connection import Database
from pacs.dicom.uids import InstanceKey
from pacs.errors import Conflict
from pacs.store import layout, packs
from pacs.store.blobs import BlobStore
from pacs.store.disk import DiskStore
from pacs.store.locations import Location
from pacs.store.pack import Cutter
from pacs.store.packs import ColdOnly
from pacs.store.spool import Spool, Spooled
from pacs.store.writer import Writer, withdraw

_log = log.get(__name__)
_GAP = 1 << 20  # bytes of others in between that are read rather than asking once more


class Recaller:
    """Every byte is compared with the recorded digests before it is hot again."""

    def __init__(self, db: Database, hot: DiskStore, cold: BlobStore, spool: Spool, writer: Writer) -> None:
        self._db = db
        self._hot = hot
        self._cold = cold
        self._spool = spool
        self._writer = writer

    def recall_study(self, study: str) -> int:
        """Returns how many instances came back. Raises Unavailable when the cold tier is away or the
        hot one full, Conflict when cold bytes are damaged; what came before stays."""
        with self._db.read() as tx:
            items = packs.cold_only(tx, study)
        done = 0
        for run in _runs(items):
            done += self._recall(run)
        if done:
            _log.info("tiers: recalled instances=%d", done)
        return done

    def _recall(self, run: list[ColdOnly]) -> int:
        first, last = run[0].location, run[-1].location
        length = last.offset + last.length - first.offset
        cutter = Cutter(self._cold.ranged(first.key, first.offset, length), at=first.offset)
        done = 0
        for item in run:
            cutter.skip_to(item.location.offset)
            with self._spool.create() as spooled:
                for chunk in cutter.take(item.location.length):
                    spooled.write(chunk)
                done += self._settle(item, spooled)
        return done

    def _settle(self, item: ColdOnly, spooled: Spooled) -> bool:
        member = item.member
        spooled.received_ns = member.received_ns
        spooled.seal()
        if (spooled.digest, spooled.prefix_digest) != (member.digest, member.prefix_digest):
            raise Conflict("bytes on the cold tier are not the recorded ones", hint="run pacs check")
        key = self._writer.put(spooled, InstanceKey(item.study, item.series, member.instance))
        try:
            kept = self._record(item, key, spooled.size)
        except BaseException:
            withdraw(self._db, self._hot, key, spooled)
            raise
        if not kept:
            self._hot.remove(key)
        return kept

    def _record(self, item: ColdOnly, key: str, size: int) -> bool:
        location = Location(layout.HOT, key, 0, size)
        return self._db.transact(lambda tx: packs.recalled(tx, item, location))


def _runs(items: list[ColdOnly]) -> Iterator[list[ColdOnly]]:
    """Items that lie near each other in one pack are read by one request."""
    run: list[ColdOnly] = []
    for item in items:
        if run:
            before = run[-1].location
            near = item.location.offset - (before.offset + before.length) <= _GAP
            if item.location.key != before.key or not near:
                yield run
                run = []
        run.append(item)
    if run:
        yield run

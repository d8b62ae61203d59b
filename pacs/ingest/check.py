"""The index against the store, both ways; and the index made anew from the stored objects alone."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pacs.auth.actor import system
from pacs.db.connection import Database
from pacs.errors import NotFound, PacsError, Unavailable
from pacs.index import census, thrown
from pacs.ingest import trashcheck
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Broken
from pacs.store import coldcheck, layout, locations, packs, quarantined
from pacs.store.blobs import BlobStore
from pacs.store.disk import DiskStore
from pacs.store.locations import Location, Recorded
from pacs.store.markers import Markers
from pacs.store.spool import Spool, Spooled
from pacs.store.unpack import restore_packs

_ACTOR = system("rebuild")


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind` is `missing-file`, `wrong-size`, `wrong-bytes`, `unknown-file`,
    `wrong-statistics` or `unreadable-file`; `where` a storage key or a study UID."""

    kind: str
    where: str
    detail: str


class Checker:
    """`cold` is None when there is no cold tier."""

    def __init__(
        self,
        db: Database,
        hot: DiskStore,
        quarantined: DiskStore,
        ingest: Ingest,
        cold: BlobStore | None,
        spool: Spool,
        markers: Markers,
    ) -> None:
        self._db = db
        self._hot = hot
        self._quarantined = quarantined
        self._ingest = ingest
        self._cold = cold
        self._spool = spool
        self._markers = markers

    def check(self, *, deep: bool) -> Iterator[Finding]:
        """Every difference between index and store; with `deep` every byte is read and its digest
        compared. Objects that arrive or move meanwhile are not reported.

        Raises Unavailable when the cold tier is away."""
        yield from self._rows_have_files(deep=deep)
        yield from self._files_have_rows()
        yield from self._cold_tier(deep=deep)
        yield from self._quarantine()
        for kind, where, detail in trashcheck.differences(self._db, self._markers):
            yield Finding(kind, where, detail)
        yield from self._statistics()

    def rebuild(self, progress: Callable[[int], None] = lambda _done: None) -> int:
        """Empty the index and fill it from the stored objects; returns how many were read.

        The audit trail and the outbox are no cache and stay. Stop the archive first.

        Raises Unavailable, and leaves the index as it is, when there are objects on a cold tier that
        is not configured or away: the index made anew would not know them."""
        if self._cold is not None:
            next(self._cold.list(), None)
        elif next(self._packs(), None):
            raise Unavailable("objects lie on a cold tier, and none is configured", hint="see [cold]")
        with self._db.write() as tx:
            census.clear(tx)
        for marker in self._markers.all():
            with self._db.write() as tx:
                thrown.note(tx, marker.head, marker.lines())
        done = 0
        for key in self._hot.walk():
            done += self._restore(key)
            progress(done)
        if self._cold is not None:
            done += restore_packs(self._db, self._cold, self._spool, self._restore_cold)
            progress(done)
        self._restore_quarantine()
        return done

    def _restore(self, key: str) -> int:
        with Spooled.reopen(self._hot.path(key)) as stored:
            try:
                self._ingest.restore(_ACTOR, stored, key)
            except Broken:
                return 0  # reported by the next check as an unknown file
        return 1

    def _restore_cold(self, spooled: Spooled, place: Location) -> None:
        try:
            self._ingest.restore(_ACTOR, spooled, place.key, place=place)
        except Broken:
            return  # the same: its pack is then not known whole

    def _restore_quarantine(self) -> None:
        for key in self._quarantined.walk():
            with Spooled.reopen(self._quarantined.path(key)) as stored:
                self._ingest.requarantine(_ACTOR, stored, key)

    def _rows_have_files(self, *, deep: bool) -> Iterator[Finding]:
        for recorded in locations.recorded(self._db, layout.HOT):
            yield from self._compare(recorded, deep=deep)

    def _compare(self, row: Recorded, *, deep: bool) -> Iterator[Finding]:
        try:
            with self._hot.open(row.key) as blob:
                if blob.size != row.size:
                    yield Finding("wrong-size", row.key, f"{blob.size} bytes, the index says {row.size}")
                elif deep:
                    prefix = hashlib.sha256(blob.pread(0, row.dataset_offset)).hexdigest()
                    data = hashlib.sha256()
                    for chunk in blob.chunks(row.dataset_offset):
                        data.update(chunk)
                    if (prefix, data.hexdigest()) != (row.prefix_digest, row.digest):
                        yield Finding("wrong-bytes", row.key, "the SHA-256 is not the recorded one")
        except NotFound:
            if self._records(row.key):  # it may have moved since the row was read
                yield Finding("missing-file", row.key, "the index names a file that is not there")
        except (OSError, PacsError) as error:
            yield Finding("unreadable-file", row.key, type(error).__name__)

    def _files_have_rows(self) -> Iterator[Finding]:
        for key in self._hot.walk():
            # Asked again after the look at the links: it may have been committed in between.
            if not (self._knows(key) or _in_flight(self._hot.path(key)) or self._knows(key)):
                yield Finding("unknown-file", key, "the store holds a file that the index does not know")

    def _records(self, key: str) -> bool:
        with self._db.read() as tx:
            return locations.is_recorded(tx, layout.HOT, key)

    def _packs(self) -> Iterator[str]:
        for known in packs.known(self._db):
            with self._db.read() as tx:
                holds = packs.holds(tx, known.key)
            if holds:
                yield known.key

    def _cold_tier(self, *, deep: bool) -> Iterator[Finding]:
        if self._cold is None:
            for key in self._packs():
                detail = "objects lie on a cold tier, and none is configured"
                yield Finding("missing-file", f"{layout.COLD}/{key}", detail)
            return
        for one in coldcheck.differences(self._db, self._cold, deep=deep):
            yield Finding(one.kind, f"{layout.COLD}/{one.where}", one.detail)

    def _knows(self, key: str) -> bool:
        """A file that is about to be removed is known, too."""
        with self._db.read() as tx:
            return locations.is_recorded(tx, layout.HOT, key) or packs.is_evicting(tx, key)

    def _quarantine(self) -> Iterator[Finding]:
        for key in quarantined.keys(self._db):
            if not self._quarantined.exists(key):
                yield Finding("missing-file", f"{layout.QUARANTINE}/{key}", "quarantined bytes are not there")
        for key in self._quarantined.walk():
            with self._db.read() as tx:
                known = quarantined.is_recorded(tx, key)
            if not known and not _in_flight(self._quarantined.path(key)):
                yield Finding(
                    "unknown-file", f"{layout.QUARANTINE}/{key}", "not in the list of quarantined objects"
                )

    def _statistics(self) -> Iterator[Finding]:
        for wrong in census.miscounts(self._db):
            yield Finding(
                "wrong-statistics",
                wrong.study,
                f"says {wrong.said[0]} series and {wrong.said[1]} instances, "
                f"has {wrong.found[0]} and {wrong.found[1]}",
            )


def _in_flight(path: Path) -> bool:
    """A second link is the spool's: its owner has not finished with the file. Gone is fine too."""
    try:
        return path.stat().st_nlink > 1
    except FileNotFoundError:
        return True

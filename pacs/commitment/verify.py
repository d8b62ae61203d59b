"""Whether an object is kept, by reading it where it lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacs import log
from pacs.commitment.model import Reference, Verdict
from pacs.db.connection import Database
from pacs.errors import Conflict, NotFound, Unavailable
from pacs.index import lookup
from pacs.store import layout, locations
from pacs.store.blobs import BlobStore
from pacs.store.disk import DiskStore
from pacs.store.locations import Location
from pacs.store.pack import Member, verified

_LOOKS: Final = 3  # an object may be superseded, moved or recompressed while it is read
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the index says of an instance, and of where it lies."""

    sop_class: str
    member: Member
    places: tuple[Location, ...]


class Verifier:
    """Reads the disk and the bucket themselves, past every cache. Thread-safe."""

    def __init__(self, db: Database, hot: DiskStore, cold: BlobStore | None) -> None:
        self._db = db
        self._hot = hot
        self._cold = cold

    def verdict(self, reference: Reference) -> Verdict:
        """One whole copy is enough. Raises Unavailable while it cannot be told."""
        former: _Kept | None = None
        for _ in range(_LOOKS):
            kept = self._kept(reference.sop_instance)
            if kept is None:
                return Verdict.ABSENT
            if kept.sop_class != reference.sop_class:
                return Verdict.OTHER_CLASS
            if kept == former:
                break
            if self._is_whole(kept):
                return Verdict.SAFE
            former = kept
        return Verdict.DAMAGED

    def _kept(self, sop_instance: str) -> _Kept | None:
        conditions = lookup.where(instances=(sop_instance,))
        for row in lookup.stream(self._db, conditions, *lookup.DIGEST_COLUMNS):
            sop_class, *recorded = row[:6]
            member = Member(sop_instance, *recorded)
            with self._db.read() as tx:
                return _Kept(sop_class, member, tuple(locations.of(tx, sop_instance, member.digest)))
        return None

    def _is_whole(self, kept: _Kept) -> bool:
        away: Unavailable | None = None
        for place in kept.places:
            try:
                for _ in verified(kept.member, self._chunks(place)):
                    pass
            except (NotFound, Conflict, OSError) as error:
                _log.warning("not whole tier=%s reason=%s", place.tier, type(error).__name__)
            except Unavailable as error:
                away = error
            else:
                return True
        if away is not None:
            raise away
        return False

    def _chunks(self, place: Location) -> Iterator[bytes]:
        if place.tier == layout.HOT:
            with self._hot.open(place.key) as blob:
                yield from blob.chunks()
        elif self._cold is None:
            raise Unavailable("an object lies on the cold tier, and none is configured", hint="see [cold]")
        else:
            yield from self._cold.ranged(place.key, place.offset, place.length)

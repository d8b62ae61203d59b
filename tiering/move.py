"""From the hot tier to the cold one: pack, send, read back, record; later, let the hot copy go.

Every step can be done again, by another process too, after a crash at any point:

- the pack is written down before its first byte is sent, so nothing in the bucket is unexplained;
- its key is made of what is in it, so sending it again puts the same bytes in the same place;
- it is recorded, for all its members at once, only after every one was read back and found right;
- an eviction forgets the rows and notes the files in one transaction; the note outlives a crash, and
  whoever comes next removes the files.

A hot copy goes only while a verified cold one is recorded, and still there. Former versions of
superseded instances stay on the hot tier.
"""

import secrets
from typing import Final

from pacs import clock, log
from pacs.db.connection import Database
from pacs.errors import Conflict, NotFound
from pacs.heartbeat import HELD_S, beating
from pacs.store import pack, packs
from pacs.store.blobs import Blob, BlobStore
from pacs.store.collect import Collector
from pacs.store.disk import DiskStore
from pacs.store.eviction import Evictor
from pacs.store.pack import Member, Pack

_log = log.get(__name__)
_CLAIM: Final = round(HELD_S * 1e9)  # ns a claim holds without a sign of life


class Mover:
    """One per process. Methods raise Unavailable when the cold tier or the index is away, and
    Conflict when a stored file is not what was recorded: it is then left where it is."""

    def __init__(self, db: Database, hot: DiskStore, cold: BlobStore, *, durable: bool = True) -> None:
        self._db = db
        self._hot = hot
        self._cold = cold
        self._evictor = Evictor(db, hot, durable=durable)
        self._collector = Collector(db, cold)
        self._me = secrets.token_hex(8)

    def pack_study(self, study: str) -> int:
        """Copy what lies on the hot tier only; returns how many instances are on both now."""
        with self._db.read() as tx:
            series = packs.series_to_pack(tx, study)
        return sum(self.pack_series(study, one) for one in series)

    def pack_series(self, study: str, series: str) -> int:
        with self._db.read() as tx:
            found = packs.unpacked(tx, study, series)
        keys = {one.member.instance: one.hot_key for one in found}
        done = 0
        for members in pack.split(one.member for one in found):
            done += self._move(pack.lay_out(study, series, members), keys)
        return done

    def evict_study(self, study: str, verified_before_ns: int) -> int:
        """Let the hot copies go whose packs were verified before; returns the bytes freed."""
        with self._db.read() as tx:
            ripe = packs.evictable(tx, study, verified_before_ns)
        freed = sum(self._evict(study, one) for one in ripe)
        self.finish_evictions()
        return freed

    def finish_evictions(self) -> int:
        """Remove the files whose rows are gone; returns how many."""
        return self._evictor.finish()

    def _move(self, wanted: Pack, keys: dict[str, str]) -> int:
        if not self._begin(wanted):
            return 0
        try:
            with beating(lambda: self._claim_until(wanted, clock.now_ns() + _CLAIM)):
                self._send_and_verify(wanted, keys)
            done = self._record(wanted)
        finally:
            self._claim_until(wanted, 0)
        if not done:  # deleted or superseded while it was packed
            self._collector.collect((wanted.key,))
        _log.info("tiers: packed instances=%d bytes=%d", done, wanted.size)
        return done

    def _claim_until(self, wanted: Pack, until_ns: int) -> bool:
        return self._db.transact(lambda tx: packs.claim_until(tx, wanted.key, self._me, until_ns))

    def _send_and_verify(self, wanted: Pack, keys: dict[str, str]) -> None:
        self._send(wanted, keys, again=False)
        try:
            self._verify(wanted)
        except (Conflict, NotFound):
            # What stood there under our key was sent badly once, by whomever.
            self._send(wanted, keys, again=True)
            self._verify(wanted)

    def _begin(self, wanted: Pack) -> bool:
        now = clock.now_ns()
        return self._db.transact(lambda tx: packs.begin(tx, wanted, self._me, now, now + _CLAIM))

    def _send(self, wanted: Pack, keys: dict[str, str], *, again: bool) -> None:
        if not again:
            there = self._cold.stat(wanted.key)
            if there is not None and there.size == wanted.size:
                return

        def member(one: Member) -> Blob:
            return self._hot.open(keys[one.instance])

        self._cold.put(wanted.key, pack.write(wanted, member), size=wanted.size)

    def _verify(self, wanted: Pack) -> None:
        """Read the whole pack back. Raises Conflict, NotFound."""
        pack.read_back(wanted, self._cold.ranged(wanted.key, 0, wanted.size))

    def _record(self, wanted: Pack) -> int:
        return self._db.transact(lambda tx: packs.record(tx, wanted, clock.now_ns()))

    def _evict(self, study: str, one: packs.Known) -> int:
        there = self._cold.stat(one.key)
        if there is None or there.size != one.size:
            lost = self._db.transact(lambda tx: packs.distrust(tx, study, one.key))
            _log.error("tiers: a verified pack is not there any more; %d instances stay hot", lost)
            return 0
        return self._forget(study, one.key)

    def _forget(self, study: str, key: str) -> int:
        return self._db.transact(lambda tx: packs.evict(tx, study, key))

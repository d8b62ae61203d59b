"""The rounds: look, plan, do. What fails is logged, left as it is and tried again in a later round."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pacs import clock, log
from pacs.config import ColdConfig, TierConfig
from pacs.db.connection import Database
from pacs.errors import Conflict, NotFound, Unavailable
from pacs.index import deletions
from pacs.outbox.crew import Chore
from pacs.runtime import Archive
from pacs.store import care
from pacs.store.care import Care
from pacs.store.writer import Writer
from tiering.move import Mover
from tiering.plan import Act, Step, plan
from tiering.recall import Recaller
from tiering.rules import Moment

_READ_EVERY_S: Final = 10.0
_LEFTOVERS_S: Final = 86_400.0
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What a round did: studies by act, bytes freed on the hot tier, and studies that failed."""

    packed: int = 0
    evicted: int = 0
    recalled: int = 0
    freed_bytes: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """Studies and bytes by where they lie; `both_bytes` wait for the end of the grace time."""

    hot_studies: int
    cold_studies: int
    partly_studies: int
    hot_bytes: int
    cold_bytes: int
    both_bytes: int
    held: int


class Tiering:
    """Thread-safe. `recaller` and `mover` do the work; this decides what and in which order."""

    def __init__(
        self, db: Database, mover: Mover, recaller: Recaller, config: TierConfig, cold: ColdConfig
    ) -> None:
        self._db = db
        self._mover = mover
        self._recaller = recaller
        self._config = config
        self._grace_ns = int(cold.grace_seconds * 1e9)
        self._recalling = threading.Lock()

    def plan(self, *, limit: int = 1000) -> list[Step]:
        """What would move, and why."""
        return self._plan(care.studies(self._db), limit)

    def run(self, *, limit: int = 1000, stop: Callable[[], bool] = lambda: False) -> Done:
        """One round over all studies. Raises Unavailable when the index is away."""
        self._mover.finish_evictions()
        return self._take(self.plan(limit=limit), stop)

    def run_recent(self, *, stop: Callable[[], bool] = lambda: False) -> Done:
        """Only what was read lately: cheap, so it can be done every few seconds."""
        since = clock.now_ns() - int(self._config.keep_read_seconds * 1e9)
        steps = self._plan(care.studies(self._db, read_since_ns=since), 100)
        return self._take([step for step in steps if step.act is Act.RECALL], stop)

    def status(self) -> Status:
        counts = {"hot": 0, "cold": 0, "partly": 0, "held": 0}
        hot = cold = both = 0
        for one in care.studies(self._db):
            place = "hot" if one.hot_bytes == one.bytes else "partly" if one.hot_bytes else "cold"
            counts[place] += 1
            counts["held"] += bool(one.hold)
            hot += one.hot_bytes
            cold += one.cold_bytes
            both += max(0, one.hot_bytes + one.cold_bytes - one.bytes)
        return Status(counts["hot"], counts["cold"], counts["partly"], hot, cold, both, counts["held"])

    def _plan(self, studies: Iterable[Care], limit: int) -> list[Step]:
        hot_bytes = 0
        if any(rule.hot_above_bytes for rule in self._config.rules):
            with self._db.read() as tx:
                hot_bytes = care.hot_bytes(tx)
        moment = Moment(clock.now_ns(), hot_bytes)
        return plan(studies, self._config, moment, grace_ns=self._grace_ns, limit=limit)

    def _take(self, steps: list[Step], stop: Callable[[], bool]) -> Done:
        counts = dict.fromkeys(Act, 0)
        freed = failed = 0
        away: set[Act] = set()
        for step in steps:
            if stop():
                break
            if step.act in away or step.not_before_ns > clock.now_ns():
                continue
            try:
                moved, gone = self._do(step)
                counts[step.act] += bool(moved)
                freed += gone
            except Unavailable as error:
                # The next one would wait for the same thing; other acts may not need it.
                _log.warning("tiers: postponed act=%s reason=%s", step.act.name.lower(), error)
                away.add(step.act)
                failed += 1
            except (Conflict, NotFound) as error:
                _log.error("tiers: a study stays where it is act=%s reason=%s", step.act.name.lower(), error)
                failed += 1
        return Done(counts[Act.PACK], counts[Act.EVICT], counts[Act.RECALL], freed, failed)

    def _do(self, step: Step) -> tuple[int, int]:
        """What was moved, in the act's own measure, and the bytes freed on the hot tier."""
        match step.act:
            case Act.RECALL:
                with self._recalling:  # two rounds may have planned the same; the second finds it done
                    return self._recaller.recall_study(step.study), 0
            case Act.PACK:
                packed = self._mover.pack_study(step.study)
                return packed, self._evict(step.study) if not self._grace_ns else 0
            case Act.EVICT:
                freed = self._evict(step.study)
                return freed, freed

    def _evict(self, study: str) -> int:
        return self._mover.evict_study(study, clock.now_ns() - self._grace_ns)


def hold(db: Database, study: str, reason: str) -> None:
    """Keep a study, hot while it is there and unpurged while it is in the trash, until it is held no
    longer (an empty reason). Raises NotFound."""
    with db.write() as tx:
        if care.study(tx, study) is None and not deletions.is_trashed(tx, study):
            raise NotFound("no such study")
        care.hold(tx, study, reason)


def open_tiering(archive: Archive) -> Tiering | None:
    """None when no cold tier is configured."""
    stores, config = archive.stores, archive.config
    if stores.cold is None:
        return None
    mover = Mover(stores.db, stores.hot, stores.cold, durable=stores.durable)
    writer = Writer(stores.hot, durable=stores.durable)
    recaller = Recaller(stores.db, stores.hot, stores.cold, stores.spool, writer)
    return Tiering(stores.db, mover, recaller, config.tier, config.cold)


def contribute(archive: Archive) -> tuple[Chore, ...]:
    """The rounds of the worker. They read what is, not what happened: a round that was missed, or
    broken off at any point, is made good by the next."""
    tiering, cold = open_tiering(archive), archive.stores.cold
    if tiering is None or cold is None:
        return ()

    def all_studies() -> bool:
        tiering.run()
        return False

    def what_is_read() -> bool:
        tiering.run_recent()
        return False

    def leftovers() -> bool:
        cold.sweep(_LEFTOVERS_S)
        return False

    return (
        Chore("tiers", all_studies, every_s=archive.config.tier.every_seconds),
        Chore("tiers-read", what_is_read, every_s=_READ_EVERY_S),
        Chore("tiers-leftovers", leftovers, every_s=_LEFTOVERS_S / 4),
    )

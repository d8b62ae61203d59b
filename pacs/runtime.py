"""Composition root: `open_archive(config)` puts the rooms together into a handful of use cases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pacs import __version__, services
from pacs.audit.looks import Looks
from pacs.audit.record import AuditRow, record, trail
from pacs.audit.strangers import Strangers
from pacs.auth.actor import Actor
from pacs.auth.door import Door
from pacs.auth.grants import Grants
from pacs.auth.policy import Action, allows, require
from pacs.changes.feed import Feed
from pacs.commitment.desk import Commitments
from pacs.commitment.model import Result
from pacs.commitment.verify import Verifier
from pacs.commitment.work import Work
from pacs.config import Config
from pacs.db import migrate
from pacs.db.connection import Database, sqlite_url
from pacs.errors import Unavailable
from pacs.index import census
from pacs.ingest import recompress
from pacs.ingest.accept import Ingest
from pacs.ingest.assemble import Assembler
from pacs.ingest.check import Checker
from pacs.ingest.recompress import Recompressor
from pacs.ingest.recover import recover
from pacs.ingest.settle import Settler
from pacs.orders.book import Orders
from pacs.orders.performed import Performing
from pacs.orders.schedule import Schedule
from pacs.orders.whole import Whole
from pacs.outbox.crew import Chore, Crew, trimming
from pacs.outbox.subscriber import Subscriber
from pacs.query.find import Search
from pacs.reading.arrivals import Arrivals
from pacs.reading.reprioritise import Reprioritise
from pacs.reading.worklist import Worklist
from pacs.renditions.shelf import Shelf
from pacs.renditions.thumbnails import Renditions, Thumbnails
from pacs.retention import rounds
from pacs.retention.finish import Finisher
from pacs.retention.rounds import Rounds
from pacs.retention.trash import Trash
from pacs.retrieve.deliver import Retrieve
from pacs.retrieve.pictures import Pictures
from pacs.store import layout
from pacs.store.blobs import BlobStore
from pacs.store.care import Reads
from pacs.store.cold import open_cache, open_cold
from pacs.store.collect import Collector
from pacs.store.copies import Copies
from pacs.store.disk import DiskStore
from pacs.store.eviction import Evictor
from pacs.store.markers import Markers
from pacs.store.reader import Reader
from pacs.store.spool import Spool
from pacs.store.writer import Writer
from pacs.workitems.readings import Readings
from pacs.workitems.steps import Steps
from pacs.workitems.subscriptions import Subscriptions
from pacs.workitems.workitems import Workitems

_DATABASE_FILE = "index.db"
_CACHE = "cache"
_RECOVER_EVERY_S = 10.0
_EVICT_EVERY_S = 10.0
_LOOK_FOR_WHOLE_EVERY_S = 0.5
_DAY_S = 86_400.0
_ONCE_S = 1e8


@dataclass(frozen=True, slots=True)
class Stores:
    """Where things lie, for policies that move them (`tiering`); `cold` is None when there is none."""

    db: Database
    hot: DiskStore
    cold: BlobStore | None
    spool: Spool
    durable: bool


@dataclass(frozen=True, slots=True)
class Archive:
    """The use cases of one process. Thread-safe."""

    config: Config
    ingest: Ingest
    assembler: Assembler
    search: Search
    retrieve: Retrieve
    pictures: Pictures
    renditions: Renditions
    door: Door
    commitments: Commitments
    checker: Checker
    worklist: Worklist
    reprioritise: Reprioritise
    orders: Orders
    schedule: Schedule
    performing: Performing
    workitems: Workitems
    subscriptions: Subscriptions
    readings: Readings
    changes: Feed
    recompressor: Recompressor
    evictor: Evictor
    trash: Trash
    retention: Rounds
    stores: Stores
    _strangers: Strangers

    def facts(self, actor: Actor) -> dict[str, str | int]:
        """Server facts for the page. Raises Forbidden."""
        require(actor, Action.INSPECT)
        total, free = self.stores.hot.space()
        with self.stores.db.read() as tx:
            held = census.totals(tx)
        return {
            "version": __version__,
            "patients": held.patients,
            "studies": held.studies,
            "series": held.series,
            "instances": held.instances,
            "bytes": held.bytes,
            "disk_total": total,
            "disk_free": free,
            "index": self.stores.db.dialect,
            "aet": self.config.dimse.aet,
            "dimse": f"{self.config.dimse.host}:{self.config.dimse.port}",
        }

    def ready(self) -> None:
        """Raises Unavailable unless index and store can be used."""
        with self.stores.db.read() as tx:
            census.is_usable(tx)
        self.stores.spool.probe()

    def away(self) -> tuple[str, ...]:
        """What does not answer although nobody has to wait for it: the archive is degraded."""
        url = self.config.broker.url
        return () if not url or services.lookup("broker", services.PROBES)(url) else ("broker",)

    def recover(self, *, wait: bool = True) -> int:
        """Finish what dead processes left; returns how many objects that were. `wait` for others that
        are at it."""
        return recover(self.ingest, self.stores.spool, self.stores.hot, wait=wait)

    def rebuild(self, progress: Callable[[int], None]) -> int:
        """Make the index anew from the stored objects; `pacs.ingest.check` says what that means."""
        self.retention.go_on()  # what was deleted a moment ago stays deleted
        self.retention.fetch()
        return self.checker.rebuild(progress)

    @property
    def db(self) -> Database:
        """For neighbours that own tables. The edges reach the index through use cases only."""
        return self.stores.db

    def crew(self) -> Crew:
        """Those who do in the background what nobody waits for; any number of processes may."""
        db, events_kept_s = self.stores.db, self.config.changes.keep_days * _DAY_S
        settler = Settler(db, quiet_s=self.config.reading.quiet_seconds)
        chores = (
            Chore("recover", lambda: self.recover(wait=False) > 0, every_s=_RECOVER_EVERY_S),
            Chore("settle", settler.fire),
            Chore("performed", Whole(db).settle, every_s=_LOOK_FOR_WHOLE_EVERY_S),
            Chore("claims", self.worklist.sweep, every_s=1.0),
            Chore("evict", lambda: self.evictor.finish() > 0, every_s=_EVICT_EVERY_S),
            self.renditions.chore(),
            *self.retention.chores(),
            Chore(
                "workitems", lambda: self.workitems.sweep(self.config.workitems.keep_seconds), every_s=60.0
            ),
            Chore("subscribers", self.subscriptions.restarted, every_s=_ONCE_S),
            trimming(db, events_kept_s),
            self._commitment_work().chore(events_kept_s),
        )
        subscribers: list[Subscriber] = [settler.follower(), Arrivals().follower(), self.renditions.errand()]
        subscribers += self._commitment_work().errands()
        subscribers.append(self.readings.follower())
        subscribers.append(self.retrieve.descriptions.errand())
        recompressing = bool(self.config.store.recompress)
        if recompressing:
            subscribers.append(self.recompressor.errand())
        retired = [] if recompressing else [recompress.NAME]
        if self.stores.cold is None:
            retired.append(rounds.COPIES)
        else:
            subscribers.append(self.retention.errand())
        added: tuple[Subscriber | Chore, ...] = services.contributions(self)
        told = [one for one in added if not isinstance(one, Chore)]
        repeated = [one for one in added if isinstance(one, Chore)]
        return Crew(db, (*subscribers, *told), (*chores, *repeated), retired=retired)

    def _commitment_work(self) -> Work:
        def tell(result: Result) -> None:
            services.lookup("storage commitment", services.PASSED_ON)(self.config, result)

        verifier = Verifier(self.stores.db, self.stores.hot, self.stores.cold)
        return Work(self.stores.db, verifier.verdict, tell)

    def audit_trail(self, actor: Actor, /, **which: Any) -> Iterator[AuditRow]:
        """Who touched what, newest first; reading it is audited too. Raises Forbidden."""
        with self.stores.db.write() as tx:
            outcome = "ok" if allows(actor, Action.INSPECT) else "forbidden"
            record(tx, actor, Action.INSPECT, outcome=outcome, detail="audit trail")
        require(actor, Action.INSPECT)
        return trail(self.stores.db, **which)

    def answer(self, actor: Actor, run: str, body: bytes) -> None:
        """What a model found in the study of a run, told with the token of that run.

        Raises Forbidden, Invalid, NotFound, Conflict, Unavailable."""
        services.lookup("model answer", services.PASSED_ON)(self, actor, run, body)

    def turned_away(self, channel: str, name: str, origin: str, reason: str) -> None:
        """Write down that a caller was not let in. Raises Unavailable."""
        self._strangers.note(channel, name, origin, reason)

    def close(self) -> None:
        self.ingest.close()
        self.stores.spool.close()
        self.stores.db.close()


def open_archive(config: Config) -> Archive:
    """Open index and store below `config.data`, bring the schema up to date, finish what a dead
    process left. Raises Unavailable when either cannot be used."""
    durable = config.store.durability == "power-loss"
    try:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        hot = DiskStore(config.data / layout.HOT)
        quarantined = DiskStore(config.data / layout.QUARANTINE)
        spool = Spool(config.data / layout.SPOOL)
    except OSError as error:
        raise Unavailable(
            f"the data folder cannot be used: {error.strerror}", hint="look at its disk and its rights"
        ) from error
    if spool.folder.stat().st_dev != hot.root.stat().st_dev:
        spool.close()
        raise Unavailable(
            f"{layout.SPOOL} and {layout.HOT} are on different file systems",
            hint="objects are linked from one to the other; mount the disk at the data folder itself",
        )
    db = Database(config.index.url or sqlite_url(config.data / _DATABASE_FILE), durable=durable)
    try:
        migrate.upgrade(db)
        ingest = Ingest(
            db, hot, quarantined, spool, durable=durable, keep_first=config.store.conflict == "keep-first"
        )
        looks = Looks(db)
        cold = open_cold(config.cold)
        cache = open_cache(config.data / _CACHE, cold, config.cold.cache_bytes) if cold else None
        reads = Reads(db)
        retrieve = Retrieve(db, Reader(hot, cache), spool.folder, looks, reads)
        shelf = Shelf(config.data / layout.RENDITIONS, config.renditions.budget_bytes)
        thumbnails = Thumbnails(shelf, config.renditions.thumbnail_edge)
        evictor, markers = Evictor(db, hot, durable=durable), Markers(config.data / layout.TRASH)
        collector, copies = (Collector(db, cold), Copies(markers, cold)) if cold else (None, None)
        finisher = Finisher(db, markers, evictor, collector, copies, shelf.forget)
        trash = Trash(db, finisher)
        pictures = Pictures(db, looks, reads, retrieve.open_inside, thumbnails)
        steps = Steps()
        readings = Readings(steps)
        archive = Archive(
            config=config,
            ingest=ingest,
            assembler=Assembler(ingest, spool),
            search=Search(db),
            retrieve=retrieve,
            pictures=pictures,
            renditions=Renditions(thumbnails, shelf, pictures),
            door=Door(config, grants=Grants(db)),
            commitments=Commitments(db),
            checker=Checker(db, hot, quarantined, ingest, cold, spool, markers),
            worklist=Worklist(db, looks, claim_s=config.reading.claim_seconds),
            reprioritise=Reprioritise(db),
            orders=Orders(db, looks),
            schedule=Schedule(db, looks, config.orders.drop_when),
            performing=Performing(db),
            workitems=Workitems(db, looks, steps, readings),
            subscriptions=Subscriptions(db),
            readings=readings,
            changes=Feed(db, looks),
            recompressor=Recompressor(
                db,
                hot,
                spool,
                Writer(hot, durable=durable),
                grace_s=config.store.recompress_grace_seconds,
            ),
            evictor=evictor,
            trash=trash,
            retention=Rounds(db, trash, finisher, config.trash),
            stores=Stores(db, hot, cold, spool, durable),
            _strangers=Strangers(db),
        )
        archive.recover()
    except BaseException:
        spool.close()
        db.close()
        raise
    return archive

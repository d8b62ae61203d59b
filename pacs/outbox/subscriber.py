"""Who wants to know what happened, and how they are told: at least once, until it is done or parked.

A *follower* works in the transaction that moves its cursor: what it writes there is written exactly
once. It is for quick work in the same database. An *errand* is work elsewhere or work that lasts:
the cursor's transaction only sets the event aside, and any number of workers take what is set aside,
each for a limited time. It may be done twice when a worker dies at the wrong moment.

An event that fails goes aside with a growing pause before each further try, and is parked in the
end; those behind it do not wait for it. So work must not depend on the order of events.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pacs import clock
from pacs import log as logging
from pacs.db.connection import Database, Transaction, check
from pacs.errors import PacsError
from pacs.heartbeat import HELD_S, beating
from pacs.outbox import deliveries, log
from pacs.outbox.deliveries import Failed, Taken
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.retry import Backoff

_STRIDE_NS: Final = 5_000_000_000
# So long a follower keeps others from writing, of whom some have a modality waiting; asked every few events.
_HOLD_S: Final = 0.002
_FEW: Final = 4
_log = logging.get(__name__)


@dataclass(frozen=True, slots=True)
class Follower:
    """`work` is given a few events together, and one by one when that fails."""

    name: str
    kinds: frozenset[Kind]
    work: Callable[[Transaction, Sequence[Told]], None]
    from_start: bool = True  # else: only what happens after it was first enrolled
    batch: int = 200
    retry: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class Errand:
    """`work` must end within `lease_s`; after that, or soon after its process has died, another worker
    begins it anew. One without `kinds` reads no log: another subscriber sets its events aside
    (`deliveries.add`)."""

    name: str
    kinds: frozenset[Kind]
    work: Callable[[Told], None]
    from_start: bool = True
    batch: int = 500
    retry: Backoff = field(default_factory=Backoff)
    lease_s: float = 300.0
    held_s: float = HELD_S  # without a sign of life
    workers: int = 1

    @property
    def hold_ns(self) -> int:
        """So long what is taken is nobody else's."""
        return round(min(self.lease_s, self.held_s) * 1e9)


Subscriber = Follower | Errand


def enrol(db: Database, subscribers: Sequence[Subscriber]) -> None:
    """Once, before any of them is served. Safe to repeat, in any number of processes."""
    with db.write() as tx:
        if log.mend(tx):
            _log.warning("outbox begun again: the database was restored into another server")
        for subscriber in sorted((s for s in subscribers if s.kinds), key=lambda s: s.name):
            log.enrol(tx, subscriber.name, from_start=subscriber.from_start)


def retire(db: Database, names: Sequence[str]) -> None:
    """Those who will not come again, as far as one knows: nothing more is kept for them."""
    with db.read() as tx:
        known = [name for name in names if log.position(tx, name) is not None]
    for name in known:
        with db.write() as tx:
            log.forget(tx, name)


def serve(db: Database, subscriber: Subscriber) -> bool:
    """One bounded piece of work; False when there is none now. Call it from any thread or process."""
    moved = advance(db, subscriber)
    match subscriber:
        case Follower():
            return _retry(db, subscriber) or moved
        case Errand():
            taken = take(db, subscriber)
            if taken is not None:
                perform(db, subscriber, taken)
            return taken is not None or moved


def advance(db: Database, subscriber: Subscriber) -> bool:
    """Move the cursor over the next batch; False when there is none or another process is at it."""
    if not subscriber.kinds:
        return False
    with db.read() as tx:  # looking is cheap; a write transaction is not
        at = log.position(tx, subscriber.name)
        if at is None or not _is_worth_moving(subscriber, _ahead(tx, subscriber, at)):
            return False
    passed = first = db.transact(lambda tx: _advance(tx, subscriber, None))
    while first and passed and passed.to < first.goal:
        passed = db.transact(lambda tx: _advance(tx, subscriber, first.goal))
    return first is not None


def is_behind(db: Database, subscriber: Subscriber) -> bool:
    """Whether a whole batch is waiting, or something that failed before is due."""
    with db.read() as tx:
        at = log.position(tx, subscriber.name)
        waiting = 0 if at is None else _ahead(tx, subscriber, at).count
        return waiting == subscriber.batch or deliveries.is_due(tx, subscriber.name)


def _ahead(tx: Transaction, subscriber: Subscriber, at: log.Position) -> log.Ahead:
    return log.ahead(tx, at, subscriber.batch, subscriber.kinds)


def _is_worth_moving(subscriber: Subscriber, ahead: log.Ahead) -> bool:
    """What a subscriber does not care for is passed in larger strides."""
    if not ahead.count:
        return False
    return ahead.count == subscriber.batch or ahead.wanted > 0 or ahead.since_ns < clock.now_ns() - _STRIDE_NS


def take(db: Database, errand: Errand) -> Taken | None:
    """An event to work on, leased. It may be handed to another process, which calls `perform`."""
    with db.read() as tx:
        if not deliveries.is_due(tx, errand.name):
            return None
    return db.transact(lambda tx: deliveries.take(tx, errand.name, errand.retry, errand.hold_ns))


def perform(db: Database, errand: Errand, taken: Taken) -> None:
    """Do the work and write down how it ended. Raises Unavailable when that cannot be written; the
    lease then brings the event back."""
    try:
        with beating(_sign_of_life(db, errand, taken), errand.hold_ns / 4e9):
            errand.work(taken.told)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the events behind it
        reason = describe(error)
        was_parked = db.transact(lambda tx: deliveries.failed(tx, taken, reason, errand.retry))
        _tell(errand, taken, reason, was_parked=was_parked)
        return
    if not db.transact(lambda tx: deliveries.done(tx, taken)):
        _log.warning("late subscriber=%s event=%s: its lease had ended", errand.name, taken.told.seq)


def _sign_of_life(db: Database, errand: Errand, taken: Taken) -> Callable[[], bool]:
    over = clock.monotonic() + errand.lease_s

    def beat() -> bool:
        left_ns = round((over - clock.monotonic()) * 1e9)
        hold_ns = min(errand.hold_ns, left_ns)
        return left_ns > 0 and db.transact(lambda tx: deliveries.keep(tx, taken, hold_ns))

    return beat


def describe(error: Exception) -> str:
    """Our own refusals as they are; of anything else kind and place only, since a message can hold
    what stood in an object."""
    if isinstance(error, PacsError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = next((f for f in reversed(frames) if "site-packages" not in f.filename), frames[-1])
    return f"{type(error).__name__} at {place.name}:{place.lineno}"


@dataclass(frozen=True, slots=True)
class _Passed:
    """How far the cursor has come, and how far it was to come."""

    to: log.Position
    goal: log.Position


def _advance(tx: Transaction, subscriber: Subscriber, goal: log.Position | None) -> _Passed | None:
    """Over the next batch or, of one that was begun, to its end. None when there is nothing to pass or
    another process is at it."""
    at = log.hold(tx, subscriber.name)
    if at is None or (goal is not None and at >= goal):
        return None
    found = log.stretch(tx, at, subscriber.batch, subscriber.kinds)
    if found.end is None:
        return None
    end = found.end if goal is None else min(found.end, goal)
    wanted = [event for event in found.wanted if event.position <= end]
    passed = _Passed(end, end)
    match subscriber:
        case Follower():
            passed = _Passed(_follow_for_a_while(tx, subscriber, wanted) or end, end)
        case Errand():
            deliveries.add(tx, subscriber.name, wanted)
    log.move(tx, subscriber.name, passed.to)
    return passed


def _follow_for_a_while(tx: Transaction, follower: Follower, wanted: Sequence[Told]) -> log.Position | None:
    """Where it has come to; None when it has followed them all."""
    until = clock.monotonic() + _HOLD_S
    done, count = 0, _FEW
    while done < len(wanted):
        if done and clock.monotonic() > until:
            return wanted[done - 1].position
        few = wanted[done : done + count]
        deliveries.add_failed(tx, follower.name, _follow(tx, follower, few), follower.retry)
        done, count = done + len(few), 2 * count  # what is quick is done in few pieces
    return None


def _follow(tx: Transaction, follower: Follower, wanted: Sequence[Told]) -> list[Failed]:
    if not _attempt(tx, follower, wanted):
        return []
    failures = ((event, _attempt(tx, follower, [event])) for event in wanted)
    return [Failed(event, reason) for event, reason in failures if reason]


def _attempt(tx: Transaction, follower: Follower, events: Sequence[Told]) -> str:
    """Why it failed, or nothing. What a failed attempt wrote is undone, and only that."""
    try:
        with tx.begin_nested():
            follower.work(tx, events)
    except Exception as error:  # noqa: BLE001 - a lost connection raises again at the next statement
        check(tx)
        reason = describe(error)
        _log.warning("failed subscriber=%s events=%s reason=%s", follower.name, len(events), reason)
        return reason
    return ""


def _retry(db: Database, follower: Follower) -> bool:
    with db.read() as tx:
        if not deliveries.is_due(tx, follower.name):
            return False
    return db.transact(lambda tx: _retry_one(tx, follower))


def _retry_one(tx: Transaction, follower: Follower) -> bool:
    taken = deliveries.take(tx, follower.name, follower.retry, 0)
    if taken is None:
        return False
    reason = _attempt(tx, follower, [taken.told])
    if not reason:
        deliveries.done(tx, taken)
    else:
        _tell(follower, taken, reason, was_parked=deliveries.failed(tx, taken, reason, follower.retry))
    return True


def _tell(subscriber: Subscriber, taken: Taken, reason: str, *, was_parked: bool) -> None:
    _log.log(
        40 if was_parked else 30,
        "%s subscriber=%s event=%s attempt=%s reason=%s",
        "parked" if was_parked else "failed",
        subscriber.name,
        taken.told.seq,
        taken.attempts,
        reason,
    )

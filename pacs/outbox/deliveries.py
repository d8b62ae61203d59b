"""Events set aside for one subscriber: to be worked on, to be tried again, or parked.

Taking one pushes its due time a little into the future and counts the attempt; whoever works on it
pushes it on, as long as the work may last. So a worker that dies gives it back by itself, and one that
is too late finds the count changed.

With a broker one is announced first: kept from others for a while, which counts as no attempt, and
taken by whoever gets the message. So nothing depends on a message, neither that it arrives nor that
it arrives once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs import clock
from pacs.db import schema
from pacs.db.prepared import Prepared
from pacs.outbox.log import Told, told
from pacs.outbox.retry import Backoff

_d = schema.deliveries.c
_NEVER: Final = 2**63 - 1
# Why it ended, should nothing more be heard. Both also say how far it has come.
_DIED: Final = "the worker died or took too long"
_ANNOUNCED: Final = "announced, and not begun"


_DUE: Final = Prepared(
    sa.select(_d.id).where(_d.subscriber == sa.bindparam("of"), _d.due_ns <= sa.bindparam("now")).limit(1)
)


@dataclass(frozen=True, slots=True)
class Taken:
    """An event in the hands of one worker; `attempts` proves that it still is."""

    id: int
    attempts: int
    told: Told


@dataclass(frozen=True, slots=True)
class Note:
    """All that a message says of an event: which delivery it is, and after how many attempts."""

    id: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Parked:
    """Given up until somebody asks for another try. `reason` holds no patient data."""

    id: int
    subscriber: str
    attempts: int
    parked_ns: int
    reason: str
    told: Told


@dataclass(frozen=True, slots=True)
class Aside:
    """How it stands with an event set aside: `parked_ns` is 0 while it is to be tried."""

    attempts: int
    due_ns: int
    parked_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    told: Told
    reason: str


def add(tx: sa.Connection, subscriber: str, events: Iterable[Told]) -> None:
    """Due at once. What is already set aside stays as it is."""
    now = clock.now_ns()
    _insert(tx, [_row(subscriber, event) | {"due_ns": now} for event in events])


def add_failed(tx: sa.Connection, subscriber: str, failures: Iterable[Failed], retry: Backoff) -> None:
    """Due after the first pause."""
    now = clock.now_ns()
    _insert(
        tx,
        [
            _row(subscriber, failure.told)
            | {"attempts": 1, "reason": failure.reason, "due_ns": now + retry.pause_ns(1)}
            for failure in failures
        ],
    )


def is_due(tx: sa.Connection, subscriber: str) -> bool:
    """Asked again and again, and mostly in vain."""
    return _DUE.one(tx, {"of": subscriber, "now": clock.now_ns()}) is not None


def waiting(tx: sa.Connection) -> dict[str, int]:
    """How many each subscriber has yet to do, those in hand included; without the parked."""
    rows = tx.execute(
        sa.select(_d.subscriber, sa.func.count()).where(_d.parked_ns == 0).group_by(_d.subscriber)
    )
    return {row[0]: row[1] for row in rows}


def take(tx: sa.Connection, subscriber: str, retry: Backoff, hold_ns: int) -> Taken | None:
    """The one that is due longest. What used up its attempts without an answer is parked instead."""
    while True:
        row = tx.execute(
            _due(subscriber).order_by(_d.due_ns, _d.id).limit(1).with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        if not retry.is_over(row.attempts):
            return _lease(tx, row, hold_ns)
        park(tx, Taken(row.id, row.attempts, told(row)), row.reason or _DIED)


def announce(
    tx: sa.Connection, subscriber: str, retry: Backoff, wait_ns: int, limit: int
) -> tuple[Note, ...]:
    """Those that are due longest, for messages to be sent about them. What is not begun within
    `wait_ns` is due again: its message was lost."""
    rows = tx.execute(
        _due(subscriber).order_by(_d.due_ns, _d.id).limit(limit).with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if retry.is_over(row.attempts):
            park(tx, Taken(row.id, row.attempts, told(row)), row.reason or _DIED)
    notes = tuple(Note(row.id, row.attempts) for row in rows if not retry.is_over(row.attempts))
    change = sa.update(schema.deliveries).where(_d.id.in_([note.id for note in notes]))
    tx.execute(change.values(due_ns=clock.now_ns() + wait_ns, reason=_ANNOUNCED))
    return notes


def withdraw(tx: sa.Connection, notes: Iterable[Note]) -> None:
    """No message was sent about them after all: due at once."""
    among = _d.id.in_([note.id for note in notes])
    tx.execute(
        sa.update(schema.deliveries)
        .where(among, _d.reason == _ANNOUNCED, _d.parked_ns == 0)
        .values(due_ns=clock.now_ns())
    )


def on_the_way(tx: sa.Connection, notes: Iterable[Note]) -> set[int]:
    """The ids of those that are announced or being worked on, and still within their time."""
    among = _d.id.in_([note.id for note in notes])
    busy = _d.reason.in_([_ANNOUNCED, _DIED])
    rows = tx.execute(sa.select(_d.id).where(among, busy, _d.parked_ns == 0, _d.due_ns > clock.now_ns()))
    return {row.id for row in rows}


def begin(tx: sa.Connection, subscriber: str, note: Note, hold_ns: int) -> Taken | None:
    """Take the one that a message is about. None when the message is late, doubled or forged: what
    it is about is done, parked, in other hands, or waits for another try."""
    row = tx.execute(
        _ROWS.where(
            _d.subscriber == subscriber,
            _d.id == note.id,
            _d.attempts == note.attempts,
            _d.reason == _ANNOUNCED,
            _d.parked_ns == 0,
        ).with_for_update(skip_locked=True)
    ).first()
    return None if row is None else _lease(tx, row, hold_ns)


def keep(tx: sa.Connection, taken: Taken, hold_ns: int) -> bool:
    """It is still being worked on. False when it is somebody else's by now."""
    values = {"due_ns": clock.now_ns() + hold_ns}
    return tx.execute(_mine(taken).where(_d.parked_ns == 0).values(values)).rowcount == 1


def done(tx: sa.Connection, taken: Taken) -> bool:
    """False when it is somebody else's by now."""
    mine = (_d.id == taken.id) & (_d.attempts == taken.attempts)
    return tx.execute(sa.delete(schema.deliveries).where(mine)).rowcount == 1


def failed(tx: sa.Connection, taken: Taken, reason: str, retry: Backoff) -> bool:
    """Due again after a pause, or parked; True when parked."""
    if retry.is_over(taken.attempts):
        return park(tx, taken, reason)
    due = clock.now_ns() + retry.pause_ns(taken.attempts)
    tx.execute(_mine(taken).values(due_ns=due, reason=reason))
    return False


def park(tx: sa.Connection, taken: Taken, reason: str) -> bool:
    values = {"due_ns": _NEVER, "parked_ns": clock.now_ns(), "reason": reason}
    return tx.execute(_mine(taken).values(values)).rowcount == 1


def parked(
    tx: sa.Connection, *, subscriber: str = "", after: int = 0, limit: int = 100
) -> tuple[Parked, ...]:
    """By ascending id, those beyond the id `after`."""
    query = _ROWS.where(_d.parked_ns > 0, _d.id > after).order_by(_d.id).limit(limit)
    if subscriber:
        query = query.where(_d.subscriber == subscriber)
    return tuple(
        Parked(row.id, row.subscriber, row.attempts, row.parked_ns, row.reason, told(row))
        for row in tx.execute(query)
    )


def aside(tx: sa.Connection, subscriber: str, seqs: Iterable[int]) -> dict[int, Aside]:
    """Those of the events that are set aside for the subscriber."""
    rows = tx.execute(
        sa.select(_d.seq, _d.attempts, _d.due_ns, _d.parked_ns, _d.reason).where(
            _d.subscriber == subscriber, _d.seq.in_(tuple(seqs))
        )
    )
    return {row[0]: Aside(*row[1:]) for row in rows}


def count_parked(tx: sa.Connection, subscriber: str) -> int:
    mine = (_d.subscriber == subscriber) & (_d.parked_ns > 0)
    return int(tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one())


def drop(tx: sa.Connection, subscriber: str, seq: int) -> bool:
    """Forget one event, parked or not; whoever has it in hand will find that it is not theirs."""
    mine = (_d.subscriber == subscriber) & (_d.seq == seq)
    return tx.execute(sa.delete(schema.deliveries).where(mine)).rowcount == 1


def unpark(tx: sa.Connection, *, subscriber: str = "", id: int = 0) -> int:  # noqa: A002 - the row's own name
    """Try again from the first attempt: one, or all of a subscriber, or all; returns how many."""
    change = sa.update(schema.deliveries).where(_d.parked_ns > 0)
    if id:
        change = change.where(_d.id == id)
    if subscriber:
        change = change.where(_d.subscriber == subscriber)
    return tx.execute(change.values(due_ns=clock.now_ns(), parked_ns=0, attempts=0)).rowcount


def discard(tx: sa.Connection, id: int) -> bool:  # noqa: A002 - the row's own name
    """Give one up for good."""
    return tx.execute(sa.delete(schema.deliveries).where(_d.id == id, _d.parked_ns > 0)).rowcount == 1


# What is set aside has left the log; it has no place in its order any more.
_ROWS: sa.Select[Any] = sa.select(schema.deliveries, sa.literal(0).label("tx"))


def _due(subscriber: str) -> sa.Select[Any]:
    return _ROWS.where(_d.subscriber == subscriber, _d.due_ns <= clock.now_ns())


def _lease(tx: sa.Connection, row: Any, hold_ns: int) -> Taken:
    """One more attempt; due again unless something is heard before."""
    taken = Taken(row.id, row.attempts, told(row))
    due = clock.now_ns() + hold_ns
    tx.execute(_mine(taken).values(attempts=row.attempts + 1, due_ns=due, reason=_DIED))
    return Taken(row.id, row.attempts + 1, taken.told)


def _mine(taken: Taken) -> sa.Update:
    return sa.update(schema.deliveries).where(_d.id == taken.id, _d.attempts == taken.attempts)


def _row(subscriber: str, event: Told) -> dict[str, object]:
    return {
        "subscriber": subscriber,
        "seq": event.seq,
        "at_ns": event.at_ns,
        "kind": event.kind,
        "study_uid": event.study_uid,
        "series_uid": event.series_uid,
        "sop_instance_uid": event.sop_instance_uid,
        "payload": orjson.dumps(event.payload).decode() if event.payload else "",
        "attempts": 0,
        "reason": "",
    }


def _insert(tx: sa.Connection, rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(schema.deliveries)
    tx.execute(statement.on_conflict_do_nothing(index_elements=["subscriber", "seq"]), rows)

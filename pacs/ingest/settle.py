"""A study has settled when nothing more came for it for a while; it settles again when more comes.

Each settling is told once, as an event of the outbox, in the transaction that records it. All that
is known about quiet stands in the index, so it survives every restart, and any number of processes
may look after it. Quiet is measured along the log: while events are waiting to be read, no study is
taken for quiet beyond the first of them.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database
from pacs.db.prepared import Prepared
from pacs.dicom import uids
from pacs.outbox import events, log
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Follower

NAME: Final = "settle"
_KINDS: Final = frozenset({Kind.STORED, Kind.SUPERSEDED})
_AT_ONCE: Final = 20  # others wait for their turn to write meanwhile
_s = schema.settling.c
_QUIET: Final = Prepared(
    sa.update(schema.settling)
    .where(_s.study_uid == sa.bindparam("of"))
    .values(quiet_since_ns=sa.null(), generation=sa.bindparam("to"))
)


def _waits(dialect: Any, *, again: bool) -> sa.Executable:
    insert: Any = dialect.insert(schema.settling)
    if not again:
        return cast("sa.Executable", insert.on_conflict_do_nothing(index_elements=["study_uid"]))
    known = insert.excluded.quiet_since_ns
    later = sa.case((_s.quiet_since_ns > known, _s.quiet_since_ns), else_=known)
    conflict = insert.on_conflict_do_update(index_elements=["study_uid"], set_={"quiet_since_ns": later})
    return cast("sa.Executable", conflict)


_AGAIN: Final = Prepared(_waits(sqlite, again=True), postgresql=_waits(postgresql, again=True))
_ONCE: Final = Prepared(_waits(sqlite, again=False), postgresql=_waits(postgresql, again=False))


class Settler:
    """Thread-safe."""

    def __init__(self, db: Database, *, quiet_s: float) -> None:
        self._db = db
        self._quiet_ns = round(quiet_s * 1e9)

    def follower(self) -> Follower:
        """Notes arrivals; serve it before `fire` can find anything."""
        return Follower(NAME, _KINDS, note)

    def fire(self) -> bool:
        """Tell of a bounded number of studies that are quiet long enough; False when there are none.

        Raises Unavailable."""
        with self._db.read() as tx:
            if tx.execute(_due(self._until_ns(tx)).limit(1)).first() is None:
                return False
        return self._db.transact(self._fire)

    def _until_ns(self, tx: sa.Connection) -> int:
        """Studies quiet since then, or longer, have settled."""
        at = log.position(tx, NAME) or log.START
        unread_ns = log.first_unread_ns(tx, at, _KINDS)
        now = clock.now_ns()
        return (now if unread_ns is None else min(now, unread_ns)) - self._quiet_ns

    def _fire(self, tx: sa.Connection) -> bool:
        due = _due(self._until_ns(tx)).order_by(_s.quiet_since_ns).limit(_AT_ONCE)
        rows = tx.execute(due.with_for_update(skip_locked=True)).all()
        for row in rows:
            _settle(tx, row.study_uid, row.generation + 1)
        return bool(rows)


def _settle(tx: sa.Connection, study_uid: str, generation: int) -> None:
    _QUIET.run(tx, {"of": study_uid, "to": generation})
    events.append(tx, Event(Kind.SETTLED, study_uid, payload={"generation": generation}))


def settle_now(tx: sa.Connection, study_uid: str) -> bool:
    """Settle a study of which somebody knows that it is whole, without waiting for quiet.

    False while arrivals are still to be noted, which would unsettle it again, and when nothing of it
    has come since it last settled. In a transaction that has seen the objects that make it whole."""
    if _has_unnoted(tx, study_uid):
        return False
    waiting = sa.select(_s.generation).where(_s.study_uid == study_uid, _s.quiet_since_ns.is_not(None))
    generation = tx.execute(waiting.with_for_update(skip_locked=True)).scalar_one_or_none()
    if generation is None:
        return False
    _settle(tx, study_uid, generation + 1)
    return True


def is_unsettled(tx: sa.Connection, study_uid: str) -> bool:
    """Whether something of the study has come since it last settled."""
    waiting = sa.select(_s.study_uid).where(_s.study_uid == study_uid, _s.quiet_since_ns.is_not(None))
    return _has_unnoted(tx, study_uid) or tx.execute(waiting).first() is not None


def _has_unnoted(tx: sa.Connection, study_uid: str) -> bool:
    at = log.position(tx, NAME) or log.START
    return log.first_unread_ns(tx, at, _KINDS, study_uid) is not None


def note(tx: sa.Connection, arrivals: Sequence[Told]) -> None:
    """Begin, or begin again, to wait for quiet."""
    latest: dict[str, int] = {}
    remarked: dict[str, int] = {}
    for told in arrivals:
        which = remarked if _is_remark(told) else latest
        which[told.study_uid] = max(which.get(told.study_uid, 0), told.at_ns)
    for statement, seen in ((_AGAIN, latest), (_ONCE, remarked)):
        for uid, at in sorted(seen.items()):  # in one order, so that nobody waits in a circle
            statement.run(tx, {"study_uid": uid, "quiet_since_ns": at})


def _is_remark(told: Told) -> bool:
    """A study that has settled stays so when results of reading it come, or the answer of a model
    would be a question to it again."""
    return "run" in told.payload or uids.is_remark(str(told.payload.get("sop_class", "")))


def _due(until_ns: int) -> sa.Select[tuple[str, int]]:
    return sa.select(_s.study_uid, _s.generation).where(_s.quiet_since_ns <= until_ns)

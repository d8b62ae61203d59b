"""Read the events in an order in which none is ever skipped, each reader at its own pace.

A number is given to an event when it is written, but the event is seen when its transaction
commits. On PostgreSQL a lower number may therefore appear after a higher one, and a reader that
remembers only the highest number seen would never look back. So rows carry their transaction, the
order is (transaction, number), and only transactions older than every running one are read: no
row can join those any more. The price: one long write transaction anywhere on the server holds
all readers back for as long. On SQLite writers take turns and every row says transaction 0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.db.prepared import Prepared

_o, _c = schema.outbox.c, schema.outbox_cursors.c
_TRIMMED_AT_ONCE: Final = 1000
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Everything up to and including this has been read."""

    tx: int
    seq: int


START: Final = Position(0, 0)
_WHERE_IT_IS: Final = sa.select(_c.tx, _c.seq).where(_c.name == sa.bindparam("of"))
_POSITION: Final = Prepared(_WHERE_IT_IS)
_HELD: Final = Prepared(_WHERE_IT_IS.with_for_update(skip_locked=True))
_MOVE: Final = Prepared(
    sa.update(schema.outbox_cursors)
    .where(_c.name == sa.bindparam("of"))
    .values(tx=sa.bindparam("to_tx"), seq=sa.bindparam("to_seq"))
)


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it stands in the log. `kind` is text: a newer version may know more kinds."""

    seq: int
    tx: int
    at_ns: int
    kind: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    payload: Mapping[str, str | int]

    @property
    def position(self) -> Position:
        return Position(self.tx, self.seq)


@dataclass(frozen=True, slots=True)
class Cursor:
    """One reader: how far it is, and when the first event it has not read was told (0: none)."""

    name: str
    position: Position
    behind_since_ns: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next events of a reader: how many, how many of them of its kinds, and when the first was told
    (0: none)."""

    count: int
    wanted: int
    since_ns: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """The events of some kinds among the next, and the position of the last of any kind (None: none)."""

    wanted: tuple[Told, ...]
    end: Position | None


def ahead(tx: sa.Connection, after: Position, limit: int, kinds: frozenset[str]) -> Ahead:
    """Of at most `limit` events. Counted by the database: those who wait ask this again and again, and
    mostly about events that concern others."""
    row = _ahead(kinds).one(tx, {"tx": after.tx, "seq": after.seq, "most": limit})
    return Ahead(row[0], int(row[1]), row[2])


def read(tx: sa.Connection, after: Position, limit: int) -> tuple[Told, ...]:
    """The next events, of every kind, at most `limit`."""
    return tuple(told(row) for row in _next(tx, after, limit))


def stretch(tx: sa.Connection, after: Position, limit: int, kinds: frozenset[str]) -> Stretch:
    """Of at most `limit` events."""
    rows = _next(tx, after, limit)
    end = Position(rows[-1].tx, rows[-1].seq) if rows else None
    return Stretch(tuple(told(row) for row in rows if row.kind in kinds), end)


def told(row: Any) -> Told:
    return Told(
        row.seq,
        row.tx,
        row.at_ns,
        row.kind,
        row.study_uid,
        row.series_uid,
        row.sop_instance_uid,
        orjson.loads(row.payload) if row.payload else {},
    )


def first_unread_ns(
    tx: sa.Connection, after: Position, kinds: Iterable[str] = (), study_uid: str = ""
) -> int | None:
    """When the first committed event after `after` (of these kinds and this study, if any are given)
    was told, whether or not it may be read yet."""
    query = _after(after).limit(1)
    if wanted := sorted(kinds):
        query = query.where(_o.kind.in_(wanted))
    if study_uid:
        query = query.where(_o.study_uid == study_uid)
    row = tx.execute(query).first()
    return None if row is None else int(row.at_ns)


def is_kept(tx: sa.Connection, at: Position) -> bool:
    """Whether the event of this position is still there, and all that followed it. What is trimmed goes
    from the oldest on."""
    return tx.execute(sa.select(_o.seq).where(_o.seq == at.seq, _o.tx == at.tx)).first() is not None


def newest(tx: sa.Connection) -> Position:
    """Of the events that may be read now, the last."""
    query = sa.select(_o.tx, _o.seq).order_by(_o.tx.desc(), _o.seq.desc()).limit(1)
    if tx.dialect.name == "postgresql":
        query = query.where(_o.tx < _OLDEST_RUNNING)
    row = tx.execute(query).first()
    return START if row is None else Position(row.tx, row.seq)


def enrol(tx: sa.Connection, name: str, *, from_start: bool = True) -> None:
    """Make the reader known, so that nothing it has yet to read is trimmed. Keeps what it has read."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    begin = START if from_start else end(tx)
    tx.execute(
        dialect.insert(schema.outbox_cursors).on_conflict_do_nothing(index_elements=["name"]),
        {"name": name, "tx": begin.tx, "seq": begin.seq},
    )


def position(tx: sa.Connection, name: str) -> Position | None:
    row = _POSITION.one(tx, {"of": name})
    return None if row is None else Position(row.tx, row.seq)


def hold(tx: sa.Connection, name: str) -> Position | None:
    """The reader's position, held until the transaction ends; None while another process has it."""
    row = _HELD.one(tx, {"of": name})
    return None if row is None else Position(row.tx, row.seq)


def move(tx: sa.Connection, name: str, to: Position) -> None:
    _MOVE.run(tx, {"of": name, "to_tx": to.tx, "to_seq": to.seq})


def forget(tx: sa.Connection, name: str) -> None:
    """For a reader that will never come again: until then nothing beyond it is trimmed."""
    tx.execute(sa.delete(schema.outbox_cursors).where(_c.name == name))


def cursors(tx: sa.Connection) -> tuple[Cursor, ...]:
    """Every reader, for whoever watches over them."""
    rows = tx.execute(sa.select(_c.name, _c.tx, _c.seq).order_by(_c.name)).all()
    return tuple(
        Cursor(row.name, at, first_unread_ns(tx, at) or 0)
        for row, at in ((row, Position(row.tx, row.seq)) for row in rows)
    )


def trim(tx: sa.Connection, before_ns: int) -> int:
    """Remove a bounded number of events that every reader has passed and that were told before
    `before_ns`; returns how many. Without readers nothing goes.

    The newest event always stays: SQLite gives the number of the last row again once it is gone,
    and a reader that has passed the number would skip the new event."""
    least = tx.execute(sa.select(_c.tx, _c.seq).order_by(_c.tx, _c.seq).limit(1)).first()
    if least is None:
        return 0
    newest = tx.execute(sa.select(sa.func.max(_o.seq))).scalar_one()
    passed = sa.tuple_(_o.tx, _o.seq) <= sa.tuple_(sa.literal(least.tx), sa.literal(least.seq))
    rows = tx.execute(
        sa.select(_o.seq, _o.at_ns).where(passed).order_by(_o.tx, _o.seq).limit(_TRIMMED_AT_ONCE)
    )
    gone = [row.seq for row in rows if row.at_ns < before_ns and row.seq != newest]
    if gone:
        tx.execute(sa.delete(schema.outbox).where(_o.seq.in_(gone)))
    return len(gone)


def mend(tx: sa.Connection) -> bool:
    """A database restored into another PostgreSQL server counts its transactions anew: new events
    would stand before the old and be skipped. Then the old events lose their numbers and every
    reader that is affected begins again (events may be told twice, never not at all)."""
    if tx.dialect.name != "postgresql":
        return False
    strange = tx.execute(sa.update(schema.outbox).where(_o.tx >= _NEXT).values(tx=0)).rowcount
    ahead = tx.execute(sa.update(schema.outbox_cursors).where(_c.tx >= _NEXT).values(tx=0, seq=0)).rowcount
    return bool(strange or ahead)


_OLDEST_RUNNING: sa.ColumnElement[int] = sa.literal_column(
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint", sa.BigInteger()
)
_NEXT: sa.ColumnElement[int] = sa.literal_column(
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint", sa.BigInteger()
)


def _next(tx: sa.Connection, at: Position, limit: int) -> list[Any]:
    return _stretch().run(tx, {"tx": at.tx, "seq": at.seq, "most": limit})


@cache
def _stretch() -> Prepared:
    return _prepared(lambda beyond: beyond, schema.outbox)


@cache
def _ahead(kinds: frozenset[str]) -> Prepared:
    def counted(beyond: sa.Select[Any]) -> sa.Select[Any]:
        rows = beyond.subquery()
        is_wanted = sa.or_(sa.false(), *(rows.c.kind == kind for kind in sorted(kinds)))
        wanted = sa.func.coalesce(sa.func.sum(sa.case((is_wanted, 1), else_=0)), 0)
        return sa.select(sa.func.count(), wanted, sa.func.coalesce(sa.func.min(rows.c.at_ns), 0))

    return _prepared(counted, _o.kind, _o.at_ns)


def _prepared(made: Callable[[sa.Select[Any]], sa.Select[Any]], *columns: Any) -> Prepared:
    """Of these columns of at most `most` events beyond (`tx`, `seq`) that may be read now.

    Every row of SQLite says transaction 0: by its number alone it is read in place, without an index."""
    tx, seq = (sa.bindparam(name, type_=sa.BigInteger) for name in ("tx", "seq"))
    few = sa.select(*columns).limit(sa.bindparam("most", type_=sa.Integer))
    by_number = few.where(_o.seq > seq, tx >= 0).order_by(_o.seq)
    by_both = few.where(sa.tuple_(_o.tx, _o.seq) > sa.tuple_(tx, seq), _o.tx < _OLDEST_RUNNING)
    return Prepared(made(by_number), postgresql=made(by_both.order_by(_o.tx, _o.seq)))


def _after(at: Position) -> sa.Select[Any]:
    beyond = sa.tuple_(_o.tx, _o.seq) > sa.tuple_(sa.literal(at.tx), sa.literal(at.seq))
    return sa.select(schema.outbox).where(beyond).order_by(_o.tx, _o.seq)


def end(tx: sa.Connection) -> Position:
    """Behind everything that may be read now, before everything that may not."""
    if tx.dialect.name == "postgresql":
        return Position(tx.execute(sa.select(_OLDEST_RUNNING)).scalar_one() - 1, _HIGHEST)
    return Position(0, tx.execute(sa.select(sa.func.coalesce(sa.func.max(_o.seq), 0))).scalar_one())

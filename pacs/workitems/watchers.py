"""Rows of subscriptions (PS3.4 Table CC.2.3-2): who is told of which step, of every step, or of those
that match, and how far each has been told."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.outbox import events
from pacs.outbox.events import Kind
from pacs.outbox.log import START, Position
from pacs.workitems.model import EventType

_s, _g = schema.workitem_subscriptions.c, schema.workitem_watchers.c
_r, _w = schema.workitem_receivers.c, schema.workitems.c

Keys = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Watcher:
    """One that subscribes to steps as they come; without `keys` to all of them."""

    aet: str
    scope: str
    locks: bool
    keys: Keys = ()


def subscribe(tx: sa.Connection, aet: str, uids: Sequence[str], *, locks: bool) -> None:
    """To these steps; whoever is subscribed already gets or loses the lock."""
    if not uids:
        return
    insert = _insert(tx, schema.workitem_subscriptions)
    again = insert.on_conflict_do_update(
        index_elements=["workitem_uid", "aet"], set_={"lock": insert.excluded.lock}
    )
    tx.execute(again, [{"workitem_uid": uid, "aet": aet, "lock": int(locks)} for uid in uids])


def subscribe_to_all(tx: sa.Connection, aet: str, *, locks: bool) -> None:
    """To every step there is, in the database itself however many these are."""
    everything = sa.select(_w.uid, sa.literal(aet), sa.literal(int(locks))).where(_w.deleted_ns == 0)
    insert = _insert(tx, schema.workitem_subscriptions)
    again = insert.from_select(["workitem_uid", "aet", "lock"], everything).on_conflict_do_update(
        index_elements=["workitem_uid", "aet"], set_={"lock": insert.excluded.lock}
    )
    tx.execute(again)


def tell_all_states(tx: sa.Connection, aet: str) -> None:
    """A state report of every step for this subscriber (CC.2.4.3). UIDs, states and titles hold nothing
    that JSON text would have to escape."""

    def joined(*parts: "str | sa.ColumnElement[str]") -> "sa.ColumnElement[str]":
        text: sa.ColumnElement[str] = sa.literal("", sa.String())
        for part in parts:
            text = text.concat(part)
        return text

    begin = f'{{"event":{int(EventType.STATE)},"to":{orjson.dumps(aet).decode()},"workitem":"'
    payload = joined(
        begin, _w.uid, '","state":"', _w.state,
        '","ready":"', _w.readiness, '"}',
    )  # fmt: skip
    events.append_each(
        tx, Kind.WORKITEM, sa.select(_w.study_uid, payload).where(_w.deleted_ns == 0).order_by(_w.id)
    )


def watch(tx: sa.Connection, watcher: Watcher) -> None:
    """Takes the place of what the same one watched in the same way before."""
    insert = _insert(tx, schema.workitem_watchers).values(
        aet=watcher.aet,
        scope=watcher.scope,
        lock=int(watcher.locks),
        filter=orjson.dumps(watcher.keys).decode(),
    )
    fields = {name: insert.excluded[name] for name in ("lock", "filter")}
    tx.execute(insert.on_conflict_do_update(index_elements=["aet", "scope"], set_=fields))


def watchers(tx: sa.Connection) -> tuple[Watcher, ...]:
    rows = tx.execute(sa.select(schema.workitem_watchers).order_by(_g.aet, _g.scope))
    return tuple(
        Watcher(row.aet, row.scope, bool(row.lock), tuple((k, v) for k, v in orjson.loads(row.filter)))
        for row in rows
    )


def unwatch(tx: sa.Connection, aet: str, scope: str) -> bool:
    gone = sa.delete(schema.workitem_watchers).where(_g.aet == aet, _g.scope == scope)
    return bool(tx.execute(gone).rowcount)


def unsubscribe(tx: sa.Connection, aet: str, uid: str) -> bool:
    gone = sa.delete(schema.workitem_subscriptions).where(_s.aet == aet, _s.workitem_uid == uid)
    return bool(tx.execute(gone).rowcount)


def unsubscribe_from_all(tx: sa.Connection, aet: str) -> None:
    tx.execute(sa.delete(schema.workitem_subscriptions).where(_s.aet == aet))


def drop(tx: sa.Connection, uids: Sequence[str]) -> None:
    """Of steps that are no more."""
    tx.execute(sa.delete(schema.workitem_subscriptions).where(_s.workitem_uid.in_(uids)))


def subscribers(tx: sa.Connection, uid: str) -> tuple[str, ...]:
    """The AE titles of those who are told of the step."""
    rows = tx.execute(sa.select(_s.aet).where(_s.workitem_uid == uid).order_by(_s.aet))
    return tuple(row.aet for row in rows)


def everybody(tx: sa.Connection) -> tuple[str, ...]:
    """All who are told of anything."""
    both = sa.union(sa.select(_s.aet), sa.select(_g.aet)).order_by("aet")
    return tuple(row.aet for row in tx.execute(both))


def enrol(tx: sa.Connection, aet: str, at: Position) -> None:
    """What happens after `at` is for the subscriber to hear; keeps how far a known one is."""
    insert = _insert(tx, schema.workitem_receivers).values(aet=aet, tx=at.tx, seq=at.seq)
    tx.execute(insert.on_conflict_do_nothing(index_elements=["aet"]))


def position(tx: sa.Connection, aet: str) -> Position:
    row = tx.execute(sa.select(_r.tx, _r.seq).where(_r.aet == aet)).first()
    return START if row is None else Position(row.tx, row.seq)


def move(tx: sa.Connection, aet: str, to: Position) -> None:
    tx.execute(sa.update(schema.workitem_receivers).where(_r.aet == aet).values(tx=to.tx, seq=to.seq))


def _insert(tx: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)

"""The reading list's rows."""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.reading import said
from pacs.reading.model import Place, Raised, Requested, State, WorkItem
from pacs.reading.priority import Weights, leading, place, weight

_w, _v = schema.worklist.c, schema.worklist_version.c


def begin(tx: sa.Connection) -> int:
    """The version of the next change. First thing in every transaction that changes the list: until
    it ends, no other changes it. So versions are seen in order, and nobody waits in a circle."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(schema.worklist_version).values(id=1, version=1)
    raised = insert.on_conflict_do_update(index_elements=["id"], set_={"version": _v.version + 1})
    return int(tx.execute(raised.returning(_v.version)).scalar_one())


def version(tx: sa.Connection) -> int:
    """The version of the latest change."""
    return int(tx.execute(sa.select(sa.func.coalesce(sa.func.max(_v.version), 0))).scalar_one())


def get(tx: sa.Connection, study_uid: str, now_ns: int) -> WorkItem | None:
    row = tx.execute(_ITEMS.where(_w.study_uid == study_uid, _w.gone == 0)).first()
    return None if row is None else _item(row, now_ns)


def page(
    tx: sa.Connection, *, done: bool, after: Place | None, limit: int, now_ns: int
) -> tuple[WorkItem, ...]:
    query = _ITEMS.where(_w.done == int(done), _w.gone == 0).order_by(_w.rank_ns, _w.study_uid).limit(limit)
    if after is not None:
        here = sa.tuple_(sa.literal(after.rank_ns, sa.BigInteger), sa.literal(after.study_uid))
        query = query.where(sa.tuple_(_w.rank_ns, _w.study_uid) > here)
    return tuple(_item(row, now_ns) for row in tx.execute(query))


def some(tx: sa.Connection, study_uids: Collection[str], now_ns: int) -> tuple[WorkItem, ...]:
    query = _ITEMS.where(_w.study_uid.in_(study_uids), _w.gone == 0).order_by(_w.rank_ns, _w.study_uid)
    return tuple(_item(row, now_ns) for row in tx.execute(query))


def set_gone(tx: sa.Connection, study_uid: str, number: int, *, gone: bool) -> bool:
    """Take the study from the list, or put it where it was; False when that changes nothing."""
    mine = (_w.study_uid == study_uid) & (_w.gone == int(not gone))
    values = {"gone": int(gone), "version": number} | ({"holder": "", "held_until_ns": 0} if gone else {})
    return tx.execute(sa.update(schema.worklist).where(mine).values(values)).rowcount == 1


def forget(tx: sa.Connection, study_uid: str) -> None:
    """Of a study that is gone for good."""
    tx.execute(sa.delete(schema.worklist).where(_w.study_uid == study_uid, _w.gone == 1))


def changed(tx: sa.Connection, *, since: int, limit: int, now_ns: int) -> tuple[WorkItem, ...]:
    query = _ITEMS.where(_w.version > since).order_by(_w.version).limit(limit)
    return tuple(_item(row, now_ns) for row in tx.execute(query))


def expired(tx: sa.Connection, *, limit: int, now_ns: int) -> tuple[WorkItem, ...]:
    """Claims that have ended without anybody releasing them."""
    over = (_w.held_until_ns > 0) & (_w.held_until_ns <= now_ns)
    query = _ITEMS.where(over).order_by(_w.held_until_ns).limit(limit)
    return tuple(_item(row, now_ns) for row in tx.execute(query))


def save(
    tx: sa.Connection, item: WorkItem, number: int, weights: Weights, findings: Iterable[Raised] | None = None
) -> None:
    """Write the item, new or changed, with its urgency (from `findings` if these changed) and rank."""
    lead = item.lead if findings is None else leading(findings)
    urgent = 0.0 if lead is None else weight(lead.finding)
    values = {
        "study_uid": item.study_uid,
        "patient_id": item.patient_id,
        "generation": item.generation,
        "requested": item.requested.value,
        "urgency": urgent,
        "lead_fk": 0 if lead is None else lead.id,
        "waiting_since_ns": item.waiting_since_ns,
        "rank_ns": place(item.study_uid, item.waiting_since_ns, urgent, item.requested, weights).rank_ns,
        "holder": item.holder,
        "held_until_ns": item.held_until_ns,
        "done": int(item.state is State.DONE),
        "done_ns": item.done_ns,
        "done_by": item.done_by,
        "gone": 0,
        "version": number,
    }
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(schema.worklist)
    tx.execute(insert.on_conflict_do_update(index_elements=["study_uid"], set_=values), values)


_ITEMS = sa.select(schema.worklist, *said.LABELLED).select_from(
    schema.worklist.outerjoin(said.JOINED, _w.lead_fk == schema.findings.c.id)
)


def _item(row: Any, now_ns: int) -> WorkItem:
    claimed = bool(row.holder) and row.held_until_ns > now_ns
    state = State.DONE if row.done else State.CLAIMED if claimed else State.WAITING
    state = State.GONE if row.gone else state
    return WorkItem(
        study_uid=row.study_uid,
        patient_id=row.patient_id,
        state=state,
        waiting_since_ns=row.waiting_since_ns,
        requested=Requested(row.requested),
        urgency=row.urgency,
        lead=said.raised(row),
        holder=row.holder if claimed else "",
        held_until_ns=row.held_until_ns if claimed else 0,
        done_by=row.done_by,
        done_ns=row.done_ns,
        generation=row.generation,
        rank_ns=row.rank_ns,
        version=row.version,
    )

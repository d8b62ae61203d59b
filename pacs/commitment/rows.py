"""The tables of commitments: what was asked, what was found, who is telling it to the station.

Whoever tells holds the row for a while: the association that it was asked on, as long as it is open,
or the errand that calls the station. So nobody tells at the same time as another.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from pacs import clock
from pacs.commitment.model import Answer, Asked, Commitment, Reference, Result, Verdict
from pacs.db import schema

_c, _o = schema.commitments.c, schema.commitment_objects.c
_COLUMNS: Final = (
    _c.id,
    _c.aet,
    _c.transaction_uid,
    _c.n_objects,
    _c.n_failed,
    _c.asked_ns,
    _c.decided_ns,
    _c.told_ns,
    _c.told_by,
)


def add(tx: sa.Connection, aet: str, asked: Asked, *, repeated: bool, holder: str, until_ns: int) -> int:
    """A new row, and one for each object. Two that come at once under one transaction UID collide."""
    turns = sa.select(sa.func.count()).where(_c.aet == aet, _c.transaction_uid == asked.transaction_uid)
    values = {
        "aet": aet,
        "transaction_uid": asked.transaction_uid,
        "turn": tx.execute(turns).scalar_one(),
        "digest": digest_of(asked),
        "n_objects": len(asked.references),
        "asked_ns": clock.now_ns(),
        "held_by": holder,
        "held_until_ns": until_ns,
    }
    id_ = int(tx.execute(sa.insert(schema.commitments).returning(_c.id), values).scalar_one())
    verdict = Verdict.REPEATED if repeated else Verdict.OPEN
    rows = [
        {
            "commitment_fk": id_,
            "sop_class_uid": one.sop_class,
            "sop_instance_uid": one.sop_instance,
            "verdict": verdict.value,
        }
        for one in asked.references
    ]
    tx.execute(sa.insert(schema.commitment_objects), rows)
    return id_


def digest_of(asked: Asked) -> str:
    """One text for one request, whatever the order of its references."""
    named = sorted(f"{one.sop_class} {one.sop_instance}" for one in asked.references)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def first(tx: sa.Connection, aet: str, transaction_uid: str) -> tuple[Commitment, str] | None:
    """The earliest request under this transaction UID, with its digest."""
    mine = (_c.aet == aet) & (_c.transaction_uid == transaction_uid)
    row = tx.execute(sa.select(*_COLUMNS, _c.digest).where(mine).order_by(_c.turn).limit(1)).first()
    return None if row is None else (Commitment(*row[:-1]), row[-1])


def get(tx: sa.Connection, id_: int) -> Commitment | None:
    row = tx.execute(sa.select(*_COLUMNS).where(_c.id == id_)).first()
    return None if row is None else Commitment(*row)


def hold(tx: sa.Connection, id_: int, holder: str, until_ns: int) -> bool:
    """Take it, or keep it; False while another has it, and once it was told."""
    free = sa.or_(_c.held_by == holder, _c.held_until_ns < clock.now_ns())
    change = sa.update(schema.commitments).where(_c.id == id_, _c.told_ns == 0, free)
    return tx.execute(change.values(held_by=holder, held_until_ns=until_ns)).rowcount == 1


def let_go(tx: sa.Connection, id_: int, holder: str) -> None:
    mine = (_c.id == id_) & (_c.held_by == holder)
    tx.execute(sa.update(schema.commitments).where(mine).values(held_by="", held_until_ns=0))


def undecided(tx: sa.Connection, id_: int, limit: int) -> tuple[tuple[int, Reference], ...]:
    rows = tx.execute(
        sa.select(_o.id, _o.sop_class_uid, _o.sop_instance_uid)
        .where(_o.commitment_fk == id_, _o.verdict == Verdict.OPEN.value)
        .order_by(_o.id)
        .limit(limit)
    )
    return tuple((row[0], Reference(row[1], row[2])) for row in rows)


def decide(tx: sa.Connection, found: Iterable[tuple[int, Verdict]]) -> None:
    for object_id, verdict in found:
        tx.execute(
            sa.update(schema.commitment_objects).where(_o.id == object_id).values(verdict=verdict.value)
        )


def close(tx: sa.Connection, id_: int) -> Commitment | None:
    """All objects have been looked at; None when that was written down before."""
    failed = sa.select(sa.func.count()).where(_o.commitment_fk == id_, _o.verdict != Verdict.SAFE.value)
    change = sa.update(schema.commitments).where(_c.id == id_, _c.decided_ns == 0)
    values = {"decided_ns": clock.now_ns(), "n_failed": failed.scalar_subquery()}
    return get(tx, id_) if tx.execute(change.values(values)).rowcount else None


def result(tx: sa.Connection, one: Commitment) -> Result:
    rows = tx.execute(
        sa.select(_o.sop_class_uid, _o.sop_instance_uid, _o.verdict)
        .where(_o.commitment_fk == one.id)
        .order_by(_o.id)
    )
    objects = tuple(Answer(Reference(row[0], row[1]), Verdict(row[2])) for row in rows)
    return Result(one.id, one.aet, one.transaction_uid, objects)


def was_told(tx: sa.Connection, id_: int, how: str) -> bool:
    """False when it had been told before."""
    change = sa.update(schema.commitments).where(_c.id == id_, _c.told_ns == 0)
    return tx.execute(change.values(told_ns=clock.now_ns(), told_by=how)).rowcount == 1


def note_event(tx: sa.Connection, id_: int, seq: int) -> None:
    """Which event of the outbox it waits for, to find why it waits."""
    tx.execute(sa.update(schema.commitments).where(_c.id == id_, _c.seq < seq).values(seq=seq))


def newest(tx: sa.Connection, *, untold: bool, limit: int) -> tuple[tuple[Commitment, int], ...]:
    """With the event that each waits for."""
    query = sa.select(*_COLUMNS, _c.seq).order_by(_c.id.desc()).limit(limit)
    if untold:
        query = query.where(_c.told_ns == 0)
    return tuple((Commitment(*row[:-1]), row[-1]) for row in tx.execute(query))


def forget(tx: sa.Connection, before_ns: int, limit: int) -> int:
    """Remove some that were told before then, with their objects; returns how many."""
    old: sa.Select[Any] = (
        sa.select(_c.id).where(_c.told_ns > 0, _c.told_ns < before_ns).order_by(_c.told_ns).limit(limit)
    )
    ids = [row[0] for row in tx.execute(old)]
    if ids:
        tx.execute(sa.delete(schema.commitment_objects).where(_o.commitment_fk.in_(ids)))
        tx.execute(sa.delete(schema.commitments).where(_c.id.in_(ids)))
    return len(ids)

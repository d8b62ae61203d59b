"""What was deleted, request by request: rows of deletions. A row goes when nothing is left to be done."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Transaction

_d, _t, _c = schema.deletions.c, schema.trash.c, schema.study_care.c
_s, _e, _i = schema.studies.c, schema.series.c, schema.instances.c
_STANDING = schema.instances.join(schema.series, _e.id == _i.series_fk).join(
    schema.studies, _s.id == _i.study_fk
)
_AT_ONCE: Final = 500


class State(StrEnum):
    TRASHED = "trashed"  # can be restored
    PURGING = "purging"  # decided; no byte has gone yet
    PURGED = "purged"  # what is left of it lies in packs that hold others, too
    OVER = "restored"  # or nothing is left that was purged; its marker has yet to go


@dataclass(frozen=True, slots=True)
class Deletion:
    """`level` is what was named: STUDY, SERIES or IMAGE. `bytes` counts the files of the `n_instances`
    and their former versions. `name` is made up and known outside."""

    id: int
    name: str
    level: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    patient_id: str
    at_ns: int
    actor: str
    origin: str
    reason: str
    n_instances: int
    bytes: int
    state: State


_FIELDS = tuple(_d[name] for name in Deletion.__slots__)
_ALL = sa.select(*_FIELDS)


@dataclass(frozen=True, slots=True)
class Laid:
    """One file of a deletion, as its marker tells of it."""

    series_uid: str
    sop_instance_uid: str
    current: int
    digest: str
    received_digest: str
    first_received_ns: int
    received_ns: int


_LAID = tuple(_t[name] for name in Laid.__slots__)


def get(tx: Transaction, name: str) -> Deletion | None:
    row = tx.execute(_ALL.where(_d.name == name)).first()
    return None if row is None else _deletion(row)


def hold(tx: Transaction, name: str) -> Deletion | None:
    """`get`, locked until the transaction ends."""
    row = tx.execute(_ALL.where(_d.name == name).with_for_update()).first()
    return None if row is None else _deletion(row)


def page(tx: Transaction, *, before_id: int, limit: int) -> tuple[Deletion, ...]:
    """From the latest to the first; `before_id` 0 begins."""
    query = _ALL.where(_d.state != State.OVER).order_by(_d.id.desc()).limit(limit)
    if before_id:
        query = query.where(_d.id < before_id)
    return tuple(map(_deletion, tx.execute(query)))


def due(tx: Transaction, before_ns: int) -> tuple[str, ...]:
    """Names of those that were deleted before and are not held, a bounded number, the oldest first."""
    held = sa.exists().where(_c.study_uid == _d.study_uid, _c.hold != "")
    query = sa.select(_d.name).where(_d.state == State.TRASHED, _d.at_ns <= before_ns, ~held)
    return tuple(tx.execute(query.order_by(_d.at_ns).limit(_AT_ONCE)).scalars())


def unmarked(tx: Transaction) -> tuple[str, ...]:
    """Names of those whose marker was not written yet."""
    query = sa.select(_d.name).where(_d.state == State.TRASHED, _d.marked == 0).order_by(_d.id)
    return tuple(tx.execute(query).scalars())


def names(tx: Transaction, states: tuple[State, ...]) -> tuple[str, ...]:
    query = sa.select(_d.name).where(_d.state.in_(states)).order_by(_d.id)
    return tuple(tx.execute(query).scalars())


def marked(tx: Transaction) -> tuple[tuple[str, int], ...]:
    """Name and moment of those whose marker stands."""
    query = sa.select(_d.name, _d.at_ns).where(_d.marked == 1, _d.state != State.OVER).order_by(_d.id)
    return tuple((row[0], row[1]) for row in tx.execute(query))


def is_marked(tx: Transaction, name: str) -> bool:
    query = sa.select(_d.marked).where(_d.name == name, _d.state != State.OVER)
    return bool(tx.execute(query).scalar_one_or_none())


def set_marked(tx: Transaction, one: Deletion) -> None:
    tx.execute(sa.update(schema.deletions).where(_d.id == one.id).values(marked=1))


def set_state(tx: Transaction, one: Deletion, state: State) -> None:
    tx.execute(sa.update(schema.deletions).where(_d.id == one.id).values(state=state))


def forget(tx: Transaction, one: Deletion) -> None:
    """Of which nothing is in the trash any more."""
    tx.execute(sa.delete(schema.deletions).where(_d.id == one.id))


def laid(tx: Transaction, one: Deletion) -> Iterator[Laid]:
    """Every file of it, a bounded number at a time."""
    last = 0
    while True:
        query = sa.select(_t.id, *_LAID).where(_t.deletion_fk == one.id, _t.id > last)
        rows = tx.execute(query.order_by(_t.id).limit(_AT_ONCE)).all()
        for row in rows:
            yield Laid(*row[1:])
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id


def has_any(tx: Transaction, one: Deletion) -> bool:
    """Whether anything of it is in the trash."""
    return tx.execute(sa.select(_t.id).where(_t.deletion_fk == one.id).limit(1)).first() is not None


def was_there(tx: Transaction, study: str, series: str = "", instance: str = "") -> bool:
    """Whether what stood under these keys is in the trash, or was purged a while ago, and nothing
    stands there now."""
    asked = (study, series, instance)
    was = _under(sa.select(_t.id), (_t.study_uid, _t.series_uid, _t.sop_instance_uid), asked)
    if tx.execute(was).first() is None:
        return False
    keys = (_s.study_instance_uid, _e.series_instance_uid, _i.sop_instance_uid)
    return tx.execute(_under(sa.select(_i.id).select_from(_STANDING), keys, asked)).first() is None


def _under(query: sa.Select[Any], keys: tuple[Any, ...], asked: tuple[str, ...]) -> sa.Select[Any]:
    return query.where(*(key == uid for key, uid in zip(keys, asked, strict=True) if uid)).limit(1)


def is_trashed(tx: Transaction, study: str) -> bool:
    """Whether anything of the study can be restored."""
    query = sa.select(_d.id).where(_d.study_uid == study, _d.state == State.TRASHED).limit(1)
    return tx.execute(query).first() is not None


def add(tx: Transaction, told: dict[str, Any]) -> Deletion:
    """A new one. `told` are its fields but `id`."""
    tx.execute(sa.insert(schema.deletions), {"at_ns": clock.now_ns(), **told})
    return _deletion(tx.execute(_ALL.where(_d.name == told["name"])).one())


def _deletion(row: Any) -> Deletion:
    return Deletion(**(row._asdict() | {"state": State(row.state)}))

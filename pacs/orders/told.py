"""Rows of performed procedure steps."""

from collections.abc import Iterable
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.orders import item, mpps
from pacs.orders.model import DataSet, Progress, StepStatus

_p, _l = schema.performed_steps.c, schema.performed_scheduled.c
_u, _i = schema.performed_studies.c, schema.performed_instances.c
_s, _q = schema.scheduled_steps.c, schema.settling.c
_AT_ONCE: Final = 50


def add(tx: sa.Connection, uid: str, dataset: DataSet, now_ns: int) -> int | None:
    """Its id; None when there is one of this UID already."""
    values = {
        "sop_instance_uid": uid,
        "status": item.text(dataset, mpps.STATUS),
        "station": item.text(dataset, "PerformedStationAETitle"),
        "patient_id": item.text(dataset, "PatientID"),
        "attrs": orjson.dumps(dataset).decode(),
        "created_ns": now_ns,
        "changed_ns": now_ns,
    }
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(schema.performed_steps).values(values)
    once = insert.on_conflict_do_nothing(index_elements=["sop_instance_uid"])
    return tx.execute(once.returning(_p.id)).scalar_one_or_none()


def link(tx: sa.Connection, performed_fk: int, studies: Iterable[str], steps: Iterable[int]) -> None:
    for table, column, found in (
        (schema.performed_studies, "study_uid", sorted(set(studies))),
        (schema.performed_scheduled, "step_fk", sorted(set(steps))),
    ):
        if found:
            tx.execute(sa.insert(table), [{"performed_fk": performed_fk, column: one} for one in found])


def hold(tx: sa.Connection, uid: str) -> Any:
    """The row of that UID, locked until the transaction ends; None when there is none."""
    query = sa.select(_p.id, _p.attrs, _p.patient_id).where(_p.sop_instance_uid == uid)
    return tx.execute(query.with_for_update()).first()


def save(tx: sa.Connection, performed_fk: int, dataset: DataSet, now_ns: int) -> None:
    tx.execute(
        sa.update(schema.performed_steps)
        .where(_p.id == performed_fk)
        .values(
            status=item.text(dataset, mpps.STATUS),
            reason="^".join(mpps.reason(dataset)).strip("^"),
            attrs=orjson.dumps(dataset).decode(),
            changed_ns=now_ns,
        )
    )


def scheduled_of(tx: sa.Connection, performed_fk: int) -> list[int]:
    """The scheduled steps it is for."""
    query = sa.select(_l.step_fk).where(_l.performed_fk == performed_fk).order_by(_l.step_fk)
    return list(tx.execute(query).scalars())


def progress_of(tx: sa.Connection, step_fk: int) -> tuple[StepStatus, list[tuple[Progress, str]]]:
    """What the order said of a scheduled step, and how far all that was performed of it has come, with
    the reasons of what was discontinued."""
    said = tx.execute(sa.select(_s.said_status).where(_s.id == step_fk).with_for_update()).scalar_one()
    joined = schema.performed_steps.join(schema.performed_scheduled, _l.performed_fk == _p.id)
    query = sa.select(_p.status, _p.reason).select_from(joined).where(_l.step_fk == step_fk)
    return StepStatus(said), [(Progress(row.status), row.reason) for row in tx.execute(query)]


def studies_of(tx: sa.Connection, performed_fk: int) -> list[str]:
    query = sa.select(_u.study_uid).where(_u.performed_fk == performed_fk).order_by(_u.study_uid)
    return list(tx.execute(query).scalars())


def look_out(tx: sa.Connection, performed_fk: int, instances: Iterable[str], until_ns: int) -> None:
    """Wait for these objects."""
    tx.execute(
        sa.insert(schema.performed_instances),
        [{"performed_fk": performed_fk, "sop_instance_uid": uid} for uid in sorted(instances)],
    )
    tx.execute(
        sa.update(schema.performed_steps).where(_p.id == performed_fk).values(awaited_until_ns=until_ns)
    )


def waits(tx: sa.Connection, performed_fk: int) -> bool:
    """Whether one of the objects it waits for is not here."""
    return tx.execute(sa.select(sa.literal(1)).where(_missing(sa.literal(performed_fk)))).first() is not None


def whole(tx: sa.Connection, now_ns: int) -> list[Any]:
    """(performed step, study) of what is complete, all of it here, its study not settled, and nothing
    else of that study in progress."""
    others = schema.performed_steps.alias()
    of_others = schema.performed_studies.alias()
    busy = (
        sa.select(sa.literal(1))
        .select_from(others.join(of_others, of_others.c.performed_fk == others.c.id))
        .where(of_others.c.study_uid == _u.study_uid, others.c.status == Progress.IN_PROGRESS.value)
        .correlate(schema.performed_studies)
        .exists()
    )
    query = (
        sa.select(_p.id, _u.study_uid)
        .select_from(
            schema.performed_steps.join(schema.performed_studies, _u.performed_fk == _p.id).join(
                schema.settling, _q.study_uid == _u.study_uid
            )
        )
        .where(_p.awaited_until_ns > now_ns, _q.quiet_since_ns.is_not(None), ~busy, ~_missing(_p.id))
        .order_by(_p.id)
        .limit(_AT_ONCE)
    )
    return list(tx.execute(query).all())


def expired(tx: sa.Connection, now_ns: int) -> list[int]:
    """Those that have waited long enough."""
    over = sa.select(_p.id).where(_p.awaited_until_ns > 0, _p.awaited_until_ns <= now_ns).limit(_AT_ONCE)
    return list(tx.execute(over).scalars())


def wait_no_more(tx: sa.Connection, performed_fks: Iterable[int]) -> None:
    for performed_fk in sorted(set(performed_fks)):
        tx.execute(sa.delete(schema.performed_instances).where(_i.performed_fk == performed_fk))
        tx.execute(sa.update(schema.performed_steps).where(_p.id == performed_fk).values(awaited_until_ns=0))


def _missing(performed_fk: Any) -> sa.ColumnElement[bool]:
    here = sa.select(sa.literal(1)).where(schema.instances.c.sop_instance_uid == _i.sop_instance_uid)
    lacking = sa.select(sa.literal(1)).where(
        _i.performed_fk == performed_fk, ~here.correlate(schema.performed_instances).exists()
    )
    return lacking.correlate(schema.performed_steps).exists()

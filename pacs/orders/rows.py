"""Rows of orders and their steps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.dicom import names
from pacs.orders import item
from pacs.orders.model import ENDED, DataSet, Order, Performed, Progress, StepStatus
from pacs.query import normal

_o, _s, _p = schema.orders.c, schema.scheduled_steps.c, schema.performed_steps.c
_l = schema.performed_scheduled.c
_STATUS = item.key("ScheduledProcedureStepStatus")


def add(tx: sa.Connection, dataset: DataSet, placed_by: str, now_ns: int) -> int | None:
    """The order's number; None when its study is ordered already."""
    steps = item.items(dataset, item.STEPS)
    root = {tag: element for tag, element in dataset.items() if tag != item.key(item.STEPS)}
    values = {
        "study_uid": item.text(dataset, "StudyInstanceUID"),
        "patient_id": item.text(dataset, "PatientID"),
        "patient_name": "=".join(names.folded(item.text(dataset, "PatientName"))),
        "accession_number": item.text(dataset, "AccessionNumber"),
        "procedure_id": item.text(dataset, "RequestedProcedureID"),
        "attrs": orjson.dumps(root).decode(),
        "placed_by": placed_by,
        "placed_ns": now_ns,
    }
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(schema.orders).values(values).on_conflict_do_nothing(index_elements=["study_uid"])
    number = tx.execute(insert.returning(_o.id)).scalar_one_or_none()
    if number is not None:
        tx.execute(sa.insert(schema.scheduled_steps), [_step_row(number, step) for step in steps])
    return number


def _step_row(number: int, step: DataSet) -> dict[str, Any]:
    time = normal.time_bounds(item.text(step, "ScheduledProcedureStepStartTime"))
    status = item.text(step, "ScheduledProcedureStepStatus")
    return {
        "order_fk": number,
        "step_id": item.text(step, "ScheduledProcedureStepID"),
        "stations": "\\" + "".join(f"{aet}\\" for aet in item.texts(step, "ScheduledStationAETitle")),
        "modality": item.text(step, "Modality"),
        "start_date": normal.date(item.text(step, "ScheduledProcedureStepStartDate")),
        "start_time": time[0] if time else "",
        "said_status": status,
        "status": status,
        "attrs": orjson.dumps(step).decode(),
    }


def get(tx: sa.Connection, number: int, *, lock: bool = False) -> Order | None:
    query = sa.select(schema.orders).where(_o.id == number)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return next(iter(_orders(tx, [row])), None) if row is not None else None


def of_study(tx: sa.Connection, study_uid: str) -> Order | None:
    row = tx.execute(sa.select(schema.orders).where(_o.study_uid == study_uid)).first()
    return next(iter(_orders(tx, [row])), None) if row is not None else None


def standing(tx: sa.Connection, patient_id: str, accession_number: str, procedure_id: str) -> int | None:
    """An order for the same procedure of the same request that has not been cancelled."""
    same = (_o.patient_id == patient_id, _o.accession_number == accession_number, _o.cancelled_ns == 0)
    query = sa.select(_o.id).where(*same, _o.procedure_id == procedure_id).limit(1)
    return tx.execute(query).scalar_one_or_none()


def page(tx: sa.Connection, *, below: int | None, open_only: bool, limit: int) -> list[Order]:
    """Newest first. `open_only` leaves out what was cancelled and what nothing more is to be done for."""
    query = sa.select(schema.orders).order_by(_o.id.desc()).limit(limit)
    if below is not None:
        query = query.where(_o.id < below)
    if open_only:
        still = sa.select(sa.literal(1)).where(_s.order_fk == _o.id, _s.ended == 0).correlate(schema.orders)
        query = query.where(_o.cancelled_ns == 0, still.exists())
    return _orders(tx, tx.execute(query).all())


def cancel(tx: sa.Connection, number: int, now_ns: int) -> None:
    tx.execute(sa.update(schema.orders).where(_o.id == number).values(cancelled_ns=now_ns))
    ended = {"status": StepStatus.CANCELLED.value, "ended": 1}
    tx.execute(sa.update(schema.scheduled_steps).where(_s.order_fk == number).values(ended))


def set_status(tx: sa.Connection, step_fk: int, status: StepStatus) -> None:
    """Of a step whose order stands; that of a cancelled one stays."""
    tx.execute(
        sa.update(schema.scheduled_steps)
        .where(_s.id == step_fk, _s.status != StepStatus.CANCELLED.value)
        .values(status=status.value, ended=int(status in ENDED))
    )


def scheduled_for(tx: sa.Connection, study_uid: str, accession_number: str, step_id: str) -> list[Any]:
    """(id, order's patient) of the steps that a performed step says it is for."""
    same = _o.study_uid == study_uid
    if accession_number:
        same = sa.or_(same, _o.accession_number == accession_number)
    query = (
        sa.select(_s.id, _o.patient_id)
        .select_from(schema.scheduled_steps.join(schema.orders, _o.id == _s.order_fk))
        .where(_s.step_id == step_id, same)
        .order_by(_s.id)
    )
    return list(tx.execute(query).all())


def document(root: str, step: str, status: str) -> DataSet:
    """One worklist item: what was said of the order, and of this step as it stands."""
    found: DataSet = orjson.loads(root)
    inner: DataSet = orjson.loads(step)
    inner[_STATUS] = {"vr": "CS", "Value": [status]}
    found[item.key(item.STEPS)] = {"vr": "SQ", "Value": [inner]}
    return found


def _orders(tx: sa.Connection, rows: Sequence[Any]) -> list[Order]:
    numbers = [row.id for row in rows]
    steps = _grouped(tx.execute(_STEPS.where(_s.order_fk.in_(numbers))))
    performed = _grouped(tx.execute(_PERFORMED.where(_s.order_fk.in_(numbers))))
    return [_order(row, steps.get(row.id, []), performed.get(row.id, [])) for row in rows]


def _order(row: Any, steps: Iterable[Any], performed: Iterable[Any]) -> Order:
    dataset: DataSet = orjson.loads(row.attrs)
    said = [item.items(document(row.attrs, step.attrs, step.status), item.STEPS)[0] for step in steps]
    dataset[item.key(item.STEPS)] = {"vr": "SQ", "Value": said}
    return Order(
        number=row.id,
        placed_by=row.placed_by,
        placed_ns=row.placed_ns,
        cancelled_ns=row.cancelled_ns,
        study_uid=row.study_uid,
        accession_number=row.accession_number,
        patient=item.patient_of(dataset),
        referring_physician=item.text(dataset, "ReferringPhysicianName"),
        requesting_physician=item.text(dataset, "RequestingPhysician"),
        procedure=item.procedure_of(dataset),
        steps=tuple(map(item.step_of, said)),
        performed=tuple(map(_performed, performed)),
        dataset=dict(sorted(dataset.items())),
    )


def _performed(row: Any) -> Performed:
    return Performed(
        uid=row.sop_instance_uid,
        status=Progress(row.status),
        station=row.station,
        created_ns=row.created_ns,
        changed_ns=row.changed_ns,
        reason=row.reason,
    )


_STEPS = sa.select(_s.order_fk, _s.attrs, _s.status).order_by(_s.id)
_PERFORMED = (
    sa.select(
        _s.order_fk,
        _p.sop_instance_uid,
        _p.status,
        _p.station,
        _p.created_ns,
        _p.changed_ns,
        _p.reason,
        _p.id,
    )
    .distinct()
    .select_from(
        schema.performed_steps.join(schema.performed_scheduled, _l.performed_fk == _p.id).join(
            schema.scheduled_steps, _s.id == _l.step_fk
        )
    )
    .order_by(_p.id)
)


def _grouped(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.order_fk, []).append(row)
    return found

"""The steps' rows. What is searched for most stands in columns; the data set is kept whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs import clock
from pacs.db import schema
from pacs.query import normal
from pacs.query.model import Condition, Exact, Range
from pacs.workitems import dataset
from pacs.workitems.model import DataSet, Step, StepState

_w = schema.workitems.c
_COLUMNS: Final = {
    "SOPInstanceUID": _w.uid,
    "ProcedureStepState": _w.state,
    "ScheduledProcedureStepPriority": _w.priority,
    "ProcedureStepLabel": _w.label,
    "WorklistLabel": _w.worklist_label,
    "PatientID": _w.patient_id,
    "InputReadinessState": _w.readiness,
}
_BY_TAG: Final = {int(dataset.tag(keyword), 16): column for keyword, column in _COLUMNS.items()}
_START: Final = int(dataset.tag("ScheduledProcedureStepStartDateTime"), 16)
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands in the list: by its scheduled start, then by its UID."""

    starts_at: str
    uid: str


def insert(tx: sa.Connection, step: Step) -> bool:
    """False when there is, or was, a step of this UID."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    once = (
        dialect.insert(schema.workitems).values(_values(step)).on_conflict_do_nothing(index_elements=["uid"])
    )
    return tx.execute(once.returning(_w.id)).first() is not None


def get(tx: sa.Connection, uid: str, *, hold: bool = False) -> Step | None:
    """`hold` keeps others from changing it until the transaction ends."""
    query = sa.select(schema.workitems).where(_w.uid == uid, _w.deleted_ns == 0)
    row = tx.execute(query.with_for_update() if hold else query).first()
    return None if row is None else _step(row)


def was_deleted(tx: sa.Connection, uid: str) -> bool:
    return tx.execute(sa.select(_w.id).where(_w.uid == uid, _w.deleted_ns > 0)).first() is not None


def save(tx: sa.Connection, step: Step) -> None:
    tx.execute(sa.update(schema.workitems).where(_w.uid == step.uid).values(_values(step)))


def page(
    tx: sa.Connection, conditions: Iterable[Condition], *, after: Place | None, limit: int
) -> list[tuple[Place, DataSet]]:
    """The next data sets that may match: conditions that columns cannot decide are left to the caller."""
    query = sa.select(_w.starts_at, _w.uid, _w.json).where(_w.deleted_ns == 0, *_narrowed(conditions))
    if after is not None:
        here = sa.tuple_(sa.literal(after.starts_at), sa.literal(after.uid))
        query = query.where(sa.tuple_(_w.starts_at, _w.uid) > here)
    rows = tx.execute(query.order_by(_w.starts_at, _w.uid).limit(limit))
    return [(Place(row.starts_at, row.uid), orjson.loads(row.json)) for row in rows]


def forgettable(tx: sa.Connection, ended_before_ns: int) -> Sequence[str]:
    """Some that ended so long ago and that nobody has locked (PS3.4 CC.2.1.3)."""
    s = schema.workitem_subscriptions.c
    locked = sa.select(s.workitem_uid).where(s.workitem_uid == _w.uid, s.lock == 1).exists()
    due = (_w.deleted_ns == 0) & (_w.final_ns > 0) & (_w.final_ns < ended_before_ns)
    query = sa.select(_w.uid).where(due, ~locked).order_by(_w.final_ns).limit(_AT_ONCE)
    return tuple(row.uid for row in tx.execute(query))


def forget(tx: sa.Connection, uids: Sequence[str]) -> None:
    """Only that they were there is kept, so that their UIDs are not given again."""
    empty = dict.fromkeys(("priority", "label", "worklist_label", "patient_id", "readiness"), "")
    tx.execute(
        sa.update(schema.workitems)
        .where(_w.uid.in_(uids))
        .values(empty | {"json": b"{}", "transaction_uid": "", "deleted_ns": clock.now_ns()})
    )


def to_be_read(tx: sa.Connection, study_uid: str) -> Step | None:
    """The step that is the reading of the study, while it has not ended."""
    mine = (_w.study_uid == study_uid) & (_w.reading == 1) & (_w.final_ns == 0) & (_w.deleted_ns == 0)
    row = tx.execute(sa.select(schema.workitems).where(mine).order_by(_w.id).with_for_update()).first()
    return None if row is None else _step(row)


def _step(row: Any) -> Step:
    return Step(row.uid, StepState(row.state), orjson.loads(row.json), row.transaction_uid, bool(row.reading))


def _values(step: Step) -> Mapping[str, object]:
    found = step.dataset
    return {
        "uid": step.uid,
        "state": step.state.value,
        "priority": dataset.text(found, "ScheduledProcedureStepPriority"),
        "label": dataset.text(found, "ProcedureStepLabel"),
        "worklist_label": dataset.text(found, "WorklistLabel"),
        "patient_id": dataset.text(found, "PatientID"),
        "study_uid": study_of(found),
        "readiness": dataset.text(found, "InputReadinessState"),
        "starts_at": normal.clock(dataset.text(found, "ScheduledProcedureStepStartDateTime")),
        "transaction_uid": step.transaction_uid,
        "reading": int(step.is_reading),
        "final_ns": clock.now_ns() if step.state.is_final else 0,
        "json": orjson.dumps(found),
    }


def study_of(found: DataSet) -> str:
    """The study it is about: its own, or that of the first request it fulfils."""
    if own := dataset.text(found, "StudyInstanceUID"):
        return own
    requests = dataset.values(found, "ReferencedRequestSequence")
    return dataset.text(requests[0], "StudyInstanceUID") if requests else ""


def _narrowed(conditions: Iterable[Condition]) -> Iterable[sa.ColumnElement[bool]]:
    for condition in conditions:
        match condition:
            case Exact((tag,), asked) if tag in _BY_TAG:
                yield _BY_TAG[tag].in_(asked)
            case Range((tag,), low, high) if tag == _START and not (low + high).endswith("Z"):
                yield _w.starts_at >= low
                if high:
                    yield _w.starts_at <= high

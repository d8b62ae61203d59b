"""Conditions of a worklist search as SQL, as far as columns can decide them.

They only narrow: every row that is left is held against all conditions on its stored JSON, by the same
evaluation as the archive's own search, so what is not narrowed here is still matched."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from pacs.db import schema
from pacs.dicom.attributes import tag_of
from pacs.orders.item import STEPS
from pacs.query import patterns
from pacs.query.model import Condition, DateTimeRange, Exact, Range, Wildcard, Within

Bool = sa.ColumnElement[bool]

_o, _s = schema.orders.c, schema.scheduled_steps.c
_STEPS = tag_of(STEPS)
_ORDER = {
    tag_of("PatientID"): _o.patient_id,
    tag_of("AccessionNumber"): _o.accession_number,
    tag_of("RequestedProcedureID"): _o.procedure_id,
    tag_of("StudyInstanceUID"): _o.study_uid,
}
_STEP = {
    tag_of("Modality"): _s.modality,
    tag_of("ScheduledProcedureStepID"): _s.step_id,
    tag_of("ScheduledProcedureStepStartDate"): _s.start_date,
    tag_of("ScheduledProcedureStepStatus"): _s.status,
}
_NAME = tag_of("PatientName")
_STATION = tag_of("ScheduledStationAETitle")
STATUS = tag_of("ScheduledProcedureStepStatus")


def where(conditions: Iterable[Condition]) -> Iterator[Bool]:
    for condition in conditions:
        match condition:
            case Within(path, inner) if path == (_STEPS,):
                for one in inner:
                    yield from _decided(one, _STEP)
            case _:
                yield from _decided(condition, _ORDER)


def asks_for_status(conditions: Iterable[Condition]) -> bool:
    return any(
        isinstance(one, Within)
        and one.path == (_STEPS,)
        and any(isinstance(c, Exact | Wildcard) and c.path == (STATUS,) for c in one.conditions)
        for one in conditions
    )


def _decided(condition: Condition, columns: dict[int, Any]) -> Iterator[Bool]:
    match condition:
        case Exact((tag,), values) if tag in columns:
            yield columns[tag].in_(values)
        case Wildcard((tag,), wild) if tag in columns:
            yield sa.or_(*(_like(columns[tag], patterns.like(pattern)) for pattern in wild))
        case Range((tag,), low, high) if tag in columns:
            yield from _between(columns[tag], low, high)
        case DateTimeRange((tag,), _, low, high) if tag in columns:
            yield from _between(columns[tag], low[:8], high[:8])
        case Exact((tag,), values) if tag == _STATION and columns is _STEP:
            yield sa.or_(*(_like(_s.stations, f"%\\\\{patterns.literal(v)}\\\\%") for v in values))
        case Exact((tag,), values) if tag == _NAME and columns is _ORDER:
            yield from _named(values, patterns.literal)
        case Wildcard((tag,), wild) if tag == _NAME and columns is _ORDER:
            yield from _named(wild, patterns.like)


def _named(asked: tuple[str, ...], form: Any) -> Iterator[Bool]:
    """Folded on both sides; which component group it is in is decided later."""
    if not any("=" in name for name in asked):
        yield sa.or_(*(_like(_o.patient_name, f"%{form(name)}%") for name in asked))


def _between(column: Any, low: str, high: str) -> Iterator[Bool]:
    if low:
        yield column >= low
    if high:
        yield column <= high


def _like(column: Any, pattern: str) -> Bool:
    found: Bool = column.like(pattern, escape="\\")
    return found

"""The rows of an answer: columns, one total order, continued by key.

Rows come in an order without ties, so that a chunk can begin behind the last row of the one
before: no cursor stays open and no page overlaps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select

from pacs.db import schema
from pacs.dicom.attributes import BY_KEYWORD, BY_TAG, Column
from pacs.dicom.level import Level
from pacs.query.compile.conditions import where
from pacs.query.compile.tables import COMPUTED, DEFINER, UIDS, joined
from pacs.query.model import Order
from pacs.query.plan import Plan

_P, _S, _E, _I = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c

Position = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row read, its parts by level from PATIENT down to the level of the scan. `definers` are
    the ids of the instances that stand for each level, 0 for none."""

    ids: tuple[int, ...]
    attrs: tuple[str, ...]
    definers: tuple[int, ...]
    uids: tuple[str, ...]
    computed: dict[str, Any]
    position: Position


def fetch(tx: Connection, plan: Plan, *, limit: int, offset: int = 0, after: Position = ()) -> list[Row]:
    """The next `limit` rows behind `after`."""
    statement = select(plan, limit=limit, offset=offset, after=after)
    levels = plan.scan + 1
    uids = levels + 3 * levels - 1
    computed = _computed(plan.scan)
    counts = uids + len(computed)
    return [
        Row(
            tuple(r[:levels]),
            tuple(r[levels : 2 * levels]),
            tuple(r[2 * levels : 3 * levels]),
            tuple(r[3 * levels : uids]),
            dict(zip(computed, r[uids:counts], strict=True)),
            tuple(r[counts:]),
        )
        for r in tx.execute(statement).all()
    ]


def count(tx: Connection, plan: Plan) -> int:
    """How many rows fit what columns decide."""
    rows = sa.select(sa.func.count()).select_from(joined(Level.PATIENT, plan.scan)).where(*where(plan))
    return int(tx.execute(rows).scalar_one())


def documents(tx: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """The stored JSON of these instances, compressed as it lies there."""
    wanted = sorted(set(ids) - {0})
    if not wanted:
        return {}
    rows = tx.execute(sa.select(_I.id, _I.json).where(_I.id.in_(wanted)))
    return {row[0]: bytes(row[1]) for row in rows}


@lru_cache(maxsize=256)
def select(plan: Plan, *, limit: int, offset: int = 0, after: Position = ()) -> Select[Any]:
    """Columns: ids, attrs and definers by level, UIDs from the study down, computed, the position.

    Kept, as lists are asked for again and again, and building this costs more than asking."""
    tables = [schema.LEVELS[level] for level in Level if level <= plan.scan]
    order = _order(plan)
    columns = [
        *(t.c.id for t in tables),
        *(t.c.attrs for t in tables),
        *(DEFINER[level] for level in Level if level <= plan.scan),
        *(UIDS[level] for level in UIDS if level <= plan.scan),
        *_computed(plan.scan).values(),
        *(key for key, _ in order),
    ]
    labelled = [column.label(f"c{i}") for i, column in enumerate(columns)]
    statement = sa.select(*labelled).select_from(joined(Level.PATIENT, plan.scan)).where(*where(plan))
    if after:
        statement = statement.where(_behind(order, after))
    statement = statement.order_by(*_sorted(order))
    if offset and not after and _is_plain(plan):
        return statement.where(_S.id.in_(_far(plan, order, limit, offset)))
    return statement.limit(limit).offset(offset or None)


def _sorted(order: "_Order") -> list[ColumnElement[Any]]:
    return [key.desc() if falling else key.asc() for key, falling in order]


def _is_plain(plan: Plan) -> bool:
    """Studies, in the order that there is an index for."""
    return plan.level is plan.scan is Level.STUDY and not plan.order


def _far(plan: Plan, order: "_Order", limit: int, offset: int) -> Select[Any]:
    """The ids of a page: what lies before it is stepped over in the index, and nothing else of it read."""
    conditions = tuple(where(plan))
    source = joined(Level.PATIENT, plan.scan) if conditions else schema.studies
    ids = sa.select(_S.id).select_from(source).where(*conditions)
    return ids.order_by(*_sorted(order)).limit(limit).offset(offset)


def _computed(scan: Level) -> dict[str, ColumnElement[Any]]:
    return {k: column for k, column in COMPUTED.items() if BY_KEYWORD[k].level <= scan}


_Order = list[tuple[ColumnElement[Any], bool]]  # key, whether falling


def _order(plan: Plan) -> _Order:
    """Patients by name, studies newest first, series and instances by number within what holds
    them. Rows of a level below the one asked for stay together by it. Ties are broken by what the
    objects say, not by row ids, so that a rebuilt index answers in the same order."""
    newest: _Order = [(_S.study_date, True), (_S.study_time, True), (_S.study_instance_uid, True)]
    keys: _Order = [key for order in plan.order for key in _asked(order)]
    if plan.level is Level.PATIENT:
        keys += [(_P.patient_name_a, False), (_P.patient_key, False)]
    if plan.scan >= Level.STUDY:
        keys += newest
    if plan.scan >= Level.SERIES:
        keys += _numbered(_E.series_number, _E.series_instance_uid)
    if plan.scan >= Level.IMAGE:
        keys += _numbered(_I.instance_number, _I.sop_instance_uid)
    return keys


def _asked(order: Order) -> _Order:
    """What has no value comes last, whichever way the others go."""
    attribute = BY_TAG[order.tag]
    if attribute.column is Column.COMPUTED:
        column: ColumnElement[Any] = COMPUTED[attribute.keyword]
    else:
        column = schema.LEVELS[attribute.level].c[schema.column_names(attribute)[0]]
    missing: ColumnElement[bool]
    if attribute.column is Column.NUMBER:
        missing, column = column.is_(None), sa.func.coalesce(column, 0)
    elif isinstance(column.type, sa.String) and not order.falling:
        missing = column == ""
    else:  # the empty text is the least of all
        return [(column, order.falling)]
    return [(sa.case((missing, 1), else_=0), False), (column, order.falling)]


def _numbered(number: ColumnElement[Any], identity: ColumnElement[Any]) -> _Order:
    """By number, those without one last: the databases disagree on where NULL stands."""
    missing = sa.case((number.is_(None), 1), else_=0)
    return [(missing, False), (sa.func.coalesce(number, 0), False), (identity, False)]


def _behind(order: _Order, position: Position) -> ColumnElement[bool]:
    """Rows that follow `position`. The first key is bounded once more for the index on it."""
    steps = list(zip(order, position, strict=True))
    condition: ColumnElement[bool] = sa.false()
    for (key, falling), value in reversed(steps):
        beyond = key < value if falling else key > value
        condition = sa.or_(beyond, sa.and_(key == value, condition))
    (first, falling), value = steps[0]
    return sa.and_(first <= value if falling else first >= value, condition)

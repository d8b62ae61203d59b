"""A Query becomes SQL: bound parameters only, one total order, continued by key.

Nothing here formats a value into SQL text. Rows come in an order without ties, so that a chunk
can begin behind the last row of the one before: no cursor stays open and no page overlaps.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table

from pacs.db import schema
from pacs.dicom import names
from pacs.dicom.attributes import BY_KEYWORD, BY_TAG, Attribute, Column, tag_of
from pacs.dicom.level import Level
from pacs.query import evaluate, normal, patterns
from pacs.query.model import Condition, DateTimeRange, Exact, FreeText, Path, Range, Wildcard, Within
from pacs.query.plan import Plan, attribute_of, level_of, lowest

Bool = ColumnElement[bool]

_P, _S, _E, _I = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c
_PARENT = {
    Level.STUDY: _S.patient_id_fk == _P.id,
    Level.SERIES: _E.study_fk == _S.id,
    Level.IMAGE: _I.series_fk == _E.id,
}
_PARENT_COLUMN = {Level.STUDY: _S.patient_id_fk, Level.SERIES: _E.study_fk, Level.IMAGE: _I.series_fk}
_DEFINER: dict[Level, ColumnElement[int]] = {
    Level.PATIENT: sa.literal(0),
    Level.STUDY: _S.definer_fk,
    Level.SERIES: _E.definer_fk,
    Level.IMAGE: _I.id,
}
# What the index keeps by itself; the sets are `\A\B\`.
COMPUTED: dict[str, ColumnElement[Any]] = {
    "NumberOfPatientRelatedStudies": _P.n_studies,
    "NumberOfPatientRelatedSeries": _P.n_series,
    "NumberOfPatientRelatedInstances": _P.n_instances,
    "ModalitiesInStudy": _S.modalities,
    "SOPClassesInStudy": _S.sop_classes,
    "NumberOfStudyRelatedSeries": _S.n_series,
    "NumberOfStudyRelatedInstances": _S.n_instances,
    "NumberOfSeriesRelatedInstances": _E.n_instances,
    "AvailableTransferSyntaxUID": _I.transfer_syntax,
}
_UIDS = {
    Level.STUDY: _S.study_instance_uid,
    Level.SERIES: _E.series_instance_uid,
    Level.IMAGE: _I.sop_instance_uid,
}
_SEARCHED = (_P.patient_id, _S.accession_number, _S.study_description, _S.study_instance_uid)

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


def documents(tx: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """The stored JSON of these instances, compressed as it lies there."""
    wanted = sorted(set(ids) - {0})
    if not wanted:
        return {}
    rows = tx.execute(sa.select(_I.id, _I.json).where(_I.id.in_(wanted)))
    return {row[0]: bytes(row[1]) for row in rows}


def select(plan: Plan, *, limit: int, offset: int = 0, after: Position = ()) -> Select[Any]:
    """Columns: ids, attrs and definers by level, UIDs from the study down, computed, the position."""
    tables = [schema.LEVELS[level] for level in Level if level <= plan.scan]
    order = _order(plan)
    columns = [
        *(t.c.id for t in tables),
        *(t.c.attrs for t in tables),
        *(_DEFINER[level] for level in Level if level <= plan.scan),
        *(_UIDS[level] for level in _UIDS if level <= plan.scan),
        *_computed(plan.scan).values(),
        *(key for key, _ in order),
    ]
    labelled = [column.label(f"c{i}") for i, column in enumerate(columns)]
    statement = sa.select(*labelled).select_from(_joined(Level.PATIENT, plan.scan)).where(*_conditions(plan))
    if after:
        statement = statement.where(_behind(order, after))
    statement = statement.order_by(*(key.desc() if falling else key.asc() for key, falling in order))
    return statement.limit(limit).offset(offset or None)


def _computed(scan: Level) -> dict[str, ColumnElement[Any]]:
    return {k: column for k, column in COMPUTED.items() if BY_KEYWORD[k].level <= scan}


def _joined(top: Level, bottom: Level) -> FromClause:
    source: FromClause = schema.LEVELS[top]
    for level in Level:
        if top < level <= bottom:
            source = source.join(schema.LEVELS[level], _PARENT[level])
    return source


# --- order

_Order = list[tuple[ColumnElement[Any], bool]]  # key, whether falling


def _order(plan: Plan) -> _Order:
    """Patients by name, studies newest first, series and instances by number within what holds
    them. Rows of a level below the one asked for stay together by it."""
    newest: _Order = [(_S.study_date, True), (_S.study_time, True), (_S.id, True)]
    keys: _Order = [(_P.patient_name_a, False), (_P.id, False)] if plan.level is Level.PATIENT else []
    if plan.scan >= Level.STUDY:
        keys += newest
    if plan.scan >= Level.SERIES:
        keys += _numbered(_E.series_number, _E.id)
    if plan.scan >= Level.IMAGE:
        keys += _numbered(_I.instance_number, _I.id)
    return keys


def _numbered(number: ColumnElement[Any], identity: ColumnElement[Any]) -> _Order:
    """By number, those without one last: the databases disagree on where NULL stands."""
    missing = sa.case((number.is_(None), 1), else_=0)
    return [(missing, False), (sa.func.coalesce(number, 0), False), (identity, False)]


def _behind(order: _Order, position: Position) -> Bool:
    """Rows that follow `position`. The first key is bounded once more for the index on it."""
    steps = list(zip(order, position, strict=True))
    condition: Bool = sa.false()
    for (key, falling), value in reversed(steps):
        beyond = key < value if falling else key > value
        condition = sa.or_(beyond, sa.and_(key == value, condition))
    (first, falling), value = steps[0]
    return sa.and_(first <= value if falling else first >= value, condition)


# --- conditions


def _conditions(plan: Plan) -> Iterator[Bool]:
    """Those of the rows' own levels directly, those of lower ones together as one existence."""
    below: list[Condition] = []
    for condition in plan.narrowed:
        level = level_of(condition)
        if level is not None and level > plan.scan:
            below.append(condition)
        else:
            yield _condition(condition)
    if below:
        yield _exists(plan.scan, below)


def _exists(scan: Level, conditions: Sequence[Condition]) -> Bool:
    """One chain of rows below that fits every condition (PS3.4 C.4.1.2.2.2, relational).

    A UID names few rows: they are looked up first. Anything else is tried row by row, which
    ends at the first that fits.
    """
    top = Level(scan + 1)
    source = _joined(top, lowest(conditions, top))
    fitting = [_condition(condition) for condition in conditions]
    above = [schema.LEVELS[level] for level in Level if level <= scan]
    parent, foreign = schema.LEVELS[scan].c.id, _PARENT_COLUMN[top]
    if any(_names_few(condition) for condition in conditions):
        return parent.in_(sa.select(foreign).select_from(source).where(*fitting).correlate(*above))
    inner = sa.select(sa.literal(1)).select_from(source).where(foreign == parent, *fitting)
    return inner.correlate(*above).exists()


def _names_few(condition: Condition) -> bool:
    attribute = attribute_of(condition)
    unique = attribute is not None and attribute.indexed and attribute.column is Column.UID
    return unique and isinstance(condition, Exact)


def _condition(condition: Condition) -> Bool:
    match condition:
        case Exact(path, values):
            return _exact(path, values)
        case Wildcard(path, asked):
            return sa.or_(*(_wild(path, pattern) for pattern in asked))
        case Range(path, low, high):
            return _between(_column(path), low, high)
        case DateTimeRange():
            return _moments(condition)
        case FreeText(words):
            return sa.and_(*(_word(word) for word in words))
        case Within():
            raise AssertionError("sequences have no columns")


def _attribute(path: Path) -> tuple[Attribute, Table]:
    attribute = BY_TAG[path[0]]
    return attribute, schema.LEVELS[attribute.level]


def _column(path: Path) -> ColumnElement[Any]:
    attribute, table = _attribute(path)
    if attribute.column is Column.COMPUTED:
        return COMPUTED[attribute.keyword]
    return table.c[attribute.column_name]


def _exact(path: Path, values: tuple[str, ...]) -> Bool:
    attribute, _ = _attribute(path)
    if attribute.column is Column.NAME:
        return sa.or_(*(_name(path, value, _equals) for value in values))
    column = _column(path)
    if attribute.column is Column.NUMBER:
        return column.in_([int(value) for value in values])
    if _has_several(path):
        return sa.or_(*(_equals(path, column, value) for value in values))
    return column == values[0] if len(values) == 1 else column.in_(values)


def _wild(path: Path, pattern: str) -> Bool:
    if _attribute(path)[0].column is Column.NAME:
        return _name(path, pattern, _fits)
    return _fits(path, _column(path), pattern)


def _name(path: Path, asked: str, test: Any) -> Bool:
    """With `=` each group that was given must fit, without it any group may."""
    attribute, table = _attribute(path)
    columns = [table.c[name] for name in schema.column_names(attribute)]
    if "=" not in asked:
        return sa.or_(*(test(path, column, asked) for column in columns))
    return sa.and_(
        *(
            test(path, column, part)
            for column, part in zip(columns, asked.split("="), strict=False)
            if not patterns.is_universal(part)
        )
    )


def _has_several(path: Path) -> bool:
    r"""Whether the column holds values joined by `\`, of which one must fit."""
    return not normal.is_single(path[0]) and path[0] != _SYNTAX


_SYNTAX = tag_of("AvailableTransferSyntaxUID")


def _equals(path: Path, column: ColumnElement[Any], value: str) -> Bool:
    if _has_several(path):
        return _like(_surrounded(column), f"%\\\\{patterns.literal(value)}\\\\%")
    return column == value


def _fits(path: Path, column: ColumnElement[Any], pattern: str) -> Bool:
    """Also bounded by what the pattern begins with, so that an index can serve."""
    if not patterns.is_wild(pattern):
        return _equals(path, column, pattern)
    if _has_several(path):
        return _like(_surrounded(column), f"%\\\\{patterns.like(pattern)}\\\\%")
    start = patterns.prefix(pattern)
    bounds = [column >= start] if start else [column > ""]
    if after := patterns.successor(start):
        bounds.append(column < after)
    return sa.and_(*bounds, _like(column, patterns.like(pattern)))


def _surrounded(column: ColumnElement[Any]) -> ColumnElement[str]:
    if column is _S.modalities or column is _S.sop_classes:
        return column
    return sa.literal("\\") + column + "\\"


def _like(column: ColumnElement[Any], pattern: str) -> Bool:
    return column.like(pattern, escape="\\")


def _between(column: ColumnElement[Any], low: str, high: str) -> Bool:
    """Absent values, which are '', lie in no range."""
    bounds = [column >= low] if low else [column > ""]
    return sa.and_(*bounds, *([column <= high] if high else []))


def _moments(condition: DateTimeRange) -> Bool:
    day, time = _column(condition.date), _column(condition.time)
    low, high = condition.low, condition.high
    bounds = [_between(day, low[:8], high[:8])]
    if low:
        bounds.append(sa.or_(day > low[:8], time >= low[8:]))
    if high:
        bounds.append(sa.or_(day < high[:8], time <= high[8:]))
    return sa.and_(*bounds)


def _word(word: str) -> Bool:
    folded = f"%{patterns.like(names.fold(word))}%"
    plain = f"%{patterns.like(evaluate.ascii_lower(word))}%"
    name = (_P.patient_name_a, _P.patient_name_i, _P.patient_name_p)
    return sa.or_(
        *(_like(column, folded) for column in name),
        *(_like(sa.func.lower(column), plain) for column in _SEARCHED),
    )

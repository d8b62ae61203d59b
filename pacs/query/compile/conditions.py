"""Conditions become SQL. Nothing here formats a value into SQL text: parameters are bound."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table

from pacs.db import schema
from pacs.dicom import names
from pacs.dicom.attributes import BY_TAG, Attribute, Column, tag_of
from pacs.dicom.level import Level
from pacs.query import evaluate, normal, patterns
from pacs.query.compile.tables import COMPUTED, PARENT, joined
from pacs.query.model import Alike, Condition, DateTimeRange, Exact, FreeText, Path, Range, Wildcard, Within
from pacs.query.plan import Plan, attribute_of, level_of, lowest

Bool = ColumnElement[bool]

_P, _S = schema.patients.c, schema.studies.c
_SEARCHED = (_P.patient_id, _S.accession_number, _S.study_description, _S.study_instance_uid)
_SYNTAX = tag_of("AvailableTransferSyntaxUID")


def where(plan: Plan) -> Iterator[Bool]:
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
    source = joined(top, lowest(conditions, top))
    fitting = [_condition(condition) for condition in conditions]
    above = [schema.LEVELS[level] for level in Level if level <= scan]
    parent, foreign = schema.LEVELS[scan].c.id, PARENT[top]
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
        case Alike():
            return _alike(condition)
        case Within():
            raise AssertionError("sequences have no columns")


def _alike(condition: Alike) -> Bool:
    """By the index of sounds alone, unless wild cards find what sounds otherwise: what is asked for
    without them contains its own sounds."""
    attribute, owner = _attribute(condition.path)
    table = schema.SOUNDS[attribute.level].c

    def heard(sound: str) -> Bool:
        return owner.c.id.in_(
            sa.select(table.owner_fk).where(table.tag == attribute.tag, table.sound == sound)
        )

    found = [sa.and_(*map(heard, wanted)) for wanted in condition.wanted]
    if isinstance(condition.literal, Wildcard):
        found.append(_condition(condition.literal))
    return sa.or_(*found)


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

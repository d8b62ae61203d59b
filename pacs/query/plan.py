"""Which conditions the index columns decide, and which are decided on stored JSON."""

from collections.abc import Iterable
from dataclasses import dataclass

from pacs.dicom.attributes import BY_TAG, Attribute, Column
from pacs.dicom.level import Level
from pacs.query import normal, patterns
from pacs.query.model import Alike, Condition, DateTimeRange, FreeText, Order, Query, Wildcard, Within

# Kept by the index and matched there; the other computed attributes are counts.
MATCHED_COMPUTED = frozenset({"ModalitiesInStudy", "SOPClassesInStudy", "AvailableTransferSyntaxUID"})


@dataclass(frozen=True, slots=True)
class Plan:
    """`scan` is the level of the rows that are read: the level asked for, or a lower one when a
    condition is decided on its stored values. `narrowed` is for SQL; rows that pass it are held
    against `residual`, for which `documents` says that an instance's whole JSON is needed."""

    level: Level
    scan: Level
    narrowed: tuple[Condition, ...]
    residual: tuple[Condition, ...]
    documents: bool
    order: tuple[Order, ...] = ()


def plan(query: Query) -> Plan:
    narrowed = tuple(c for c in query.conditions if in_columns(c))
    residual = tuple(c for c in query.conditions if not in_columns(c) or _only_narrowed(c))
    levels = [level_of(c) for c in residual]
    documents = any(level is None for level in levels)
    # A patient has no instance that stands for it; its studies have.
    floor = Level.STUDY if documents else query.level
    scan = max([query.level, floor, *(level for level in levels if level is not None)])
    return Plan(query.level, scan, narrowed, residual, documents, query.order)


def attribute_of(condition: Condition) -> Attribute | None:
    """The attribute of the table that the condition is about, if it is one."""
    if isinstance(condition, FreeText):
        return None
    path = condition.date if isinstance(condition, DateTimeRange) else condition.path
    return BY_TAG.get(path[0])


def level_of(condition: Condition) -> Level | None:
    """The level whose stored values decide; None for attributes that are not in the table."""
    if isinstance(condition, FreeText):
        return Level.STUDY
    attribute = attribute_of(condition)
    return attribute.level if attribute else None


def lowest(conditions: Iterable[Condition], floor: Level) -> Level:
    return max([floor, *(level for c in conditions if (level := level_of(c)) is not None)])


def in_columns(condition: Condition) -> bool:
    """Whether the index can decide the condition, or at least narrow by it."""
    match condition:
        case FreeText():
            return True
        case Within():
            return False
        case DateTimeRange():
            return has_column(condition.date[0]) and has_column(condition.time[0])
        case _:
            return len(condition.path) == 1 and has_column(condition.path[0])


def has_order(tag: int, level: Level) -> bool:
    """Whether answers of `level` can come in the order of this attribute."""
    attribute = BY_TAG.get(tag)
    return attribute is not None and attribute.column is not Column.NONE and attribute.level <= level


def has_column(tag: int) -> bool:
    attribute = BY_TAG.get(tag)
    if attribute is None or attribute.column is Column.NONE:
        return False
    return attribute.column is not Column.COMPUTED or attribute.keyword in MATCHED_COMPUTED


def _only_narrowed(condition: Condition) -> bool:
    """A pattern that could match across two values of one column is looked at again."""
    if isinstance(condition, Alike):
        return _only_narrowed(condition.literal)
    return (
        isinstance(condition, Wildcard)
        and not normal.is_single(condition.path[0])
        and any(patterns.crosses_values(p) for p in condition.patterns)
    )

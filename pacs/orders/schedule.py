"""The modality worklist (PS3.4 K): what is to be done where, one item for each scheduled step."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from pacs.audit.looks import Looks
from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db import schema
from pacs.db.connection import Database
from pacs.dicom.attributes import keyword_of, tag_of
from pacs.errors import Invalid
from pacs.orders import narrow, rows
from pacs.orders.model import DataSet, StepStatus
from pacs.query import answer, parse
from pacs.query.evaluate import matches
from pacs.query.model import Condition, DateTimeRange, Exact, FreeText, Keys, Path, Within

DropWhen = Literal["in-progress", "completed", "never"]
SCAN_LIMIT: Final = 50_000  # items held against a search and found wanting, before it is too wide
_CHUNK: Final = 200
_o, _s = schema.orders.c, schema.scheduled_steps.c
_START = (_s.start_date, _s.start_time, _s.id)
_PATIENT = tag_of("PatientID")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a modality asks for: `returned` are the attributes it wants to see, all that it has a key
    for; `warnings` say which keys are not matched."""

    conditions: tuple[Condition, ...]
    returned: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


def ask(keys: Keys) -> Asked:
    """Raises Invalid for a value that is not of its attribute's form.

    A date and a time that are both ranges are one range of moments, without negotiation (PS3.4 Table
    K.6-1, Scheduled Procedure Step Start Time)."""
    found = tuple(keys)
    conditions, warnings = parse.conditions(found, combined=True)
    return Asked(conditions, tuple(dict.fromkeys(path for path, _ in found if path)), warnings)


class Schedule:
    """Thread-safe; no transaction stays open between items."""

    def __init__(
        self, db: Database, looks: Looks, drop_when: DropWhen = "completed", *, scan_limit: int = SCAN_LIMIT
    ) -> None:
        self._db = db
        self._looks = looks
        self._drop_when = drop_when
        self._scan_limit = scan_limit

    def stream(
        self, actor: Actor, asked: Asked, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[DataSet]:
        """The items that match, by their start, each with the attributes that were asked for; it ends
        early once it is `cancelled`, which it asks now and then.

        Raises Forbidden (audited) before the first, and Invalid on the way when the search is too wide."""
        self._admit(actor, asked)
        return (_shown(found, asked.returned) for found in self._matches(asked, cancelled))

    def _admit(self, actor: Actor, asked: Asked) -> None:
        patients = [c.values for c in asked.conditions if isinstance(c, Exact) and c.path == (_PATIENT,)]
        whose = tuple((patient, "") for values in patients for patient in values) or (("", ""),)
        keys = dict.fromkeys(keyword_of(path[-1]) for path in _paths(asked.conditions))
        detail = " ".join(["worklist", *keys])
        self._looks.admit(
            actor, Action.SCHEDULED, lambda _: whose, asked=(detail, whose), detail=detail, often=True
        )

    def _matches(self, asked: Asked, cancelled: Callable[[], bool]) -> Iterator[DataSet]:
        after: tuple[Any, ...] = ()
        wanting = 0
        while not cancelled():
            with self._db.read() as tx:
                found = tx.execute(self._select(asked, after)).all()
            for row in found:
                document = rows.document(row.root, row.step, row.status)
                if all(matches(document, condition) for condition in asked.conditions):
                    yield document
                else:
                    wanting += 1
            if len(found) < _CHUNK:
                return
            if wanting >= self._scan_limit:
                raise Invalid("the worklist search is too wide", hint="narrow it by date or station")
            after = (found[-1].start_date, found[-1].start_time, found[-1].id)

    def _select(self, asked: Asked, after: tuple[Any, ...]) -> sa.Select[Any]:
        query = (
            sa.select(*_START, _s.status, _o.attrs.label("root"), _s.attrs.label("step"))
            .select_from(schema.scheduled_steps.join(schema.orders, _o.id == _s.order_fk))
            .where(*narrow.where(asked.conditions), *self._still_listed(asked))
            .order_by(*_START)
            .limit(_CHUNK)
        )
        return query.where(sa.tuple_(*_START) > sa.tuple_(*map(sa.literal, after))) if after else query

    def _still_listed(self, asked: Asked) -> Iterator[sa.ColumnElement[bool]]:
        """Who asks for a status by name is shown what has it, whatever usually drops off."""
        if narrow.asks_for_status(asked.conditions):
            return
        if self._drop_when == "never":
            yield _s.status != StepStatus.CANCELLED.value
            return
        yield _s.ended == 0
        if self._drop_when == "in-progress":
            yield _s.status != StepStatus.STARTED.value


def _paths(conditions: tuple[Condition, ...]) -> Iterator[Path]:
    for condition in conditions:
        match condition:
            case Within(_, inner):
                yield from _paths(inner)
            case DateTimeRange(date, _, _, _):
                yield date
            case FreeText():
                pass
            case _:
                yield condition.path


def _shown(document: Mapping[str, Any], returned: tuple[Path, ...]) -> DataSet:
    """The attributes asked for, empty where nothing is known; a sequence asked for as such is whole."""
    return answer.chosen(document, returned)

"""The runs: which model was asked about which study, and how far that has come.

A run goes forward only, each step in one transaction that asks in which state it is; so a step that
is done twice, by whomever, is done once. Every piece of work to do for a run is an event of the
outbox. A later run of the same model on the same study ends the ones before it.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.outbox import deliveries, events
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import Told

_r, _d = schema.ai_runs.c, schema.deliveries.c


class State(StrEnum):
    WAITING = "waiting"  # to be asked, at once or after a pause
    ASKED = "asked"  # the model has promised an answer
    ANSWERED = "answered"  # the answer is here and checked
    REORDERED = "reordered"  # the list has it; its report is yet to be stored
    DONE = "done"
    REFUSED = "refused"  # the answer, or the question, could not be used
    SUPERSEDED = "superseded"  # the model was asked anew about this study


OPEN: Final = (State.WAITING, State.ASKED)
KEPT: Final = (State.ANSWERED, State.REORDERED)
_UNFINISHED: Final = (*OPEN, *KEPT)


@dataclass(frozen=True, slots=True)
class Run:
    """`ordinal` counts the runs of the model on the study from 1. `seq` is the event of its present
    piece of work. Times are nanoseconds since the epoch, 0 where nothing happened."""

    run: str
    study_uid: str
    model: str
    ordinal: int
    generation: int
    rule: str
    state: State
    reason: str
    asked: int
    seq: int
    created_ns: int
    until_ns: int
    answered_ns: int
    answer_digest: str
    report_uid: str


def subscriber(model: str) -> str:
    """The errand that does what is to be done for the runs of a model."""
    return f"ai:{model}"


def begin(tx: sa.Connection, study_uid: str, model: str, generation: int, rule: str) -> str:
    """A new run, which takes the place of the unfinished ones; returns its name."""
    others = (_r.study_uid == study_uid) & (_r.model == model)
    latest = tx.execute(sa.select(sa.func.max(_r.ordinal)).where(others)).scalar_one() or 0
    end = sa.update(schema.ai_runs).where(others, _r.state.in_(_UNFINISHED))
    tx.execute(end.values(state=State.SUPERSEDED.value, answer=None))
    run = secrets.token_hex(16)
    tx.execute(
        sa.insert(schema.ai_runs),
        {
            "run": run,
            "study_uid": study_uid,
            "model": model,
            "ordinal": latest + 1,
            "generation": generation,
            "rule": rule,
            "state": State.WAITING.value,
            "created_ns": clock.now_ns(),
        },
    )
    _tell(tx, run, study_uid, model)
    return run


def end_all(tx: sa.Connection, study_uid: str) -> tuple[str, ...]:
    """Nothing more is done for the unfinished runs on the study; returns their names."""
    mine = (_r.study_uid == study_uid) & _r.state.in_(_UNFINISHED)
    found = tuple(tx.execute(sa.select(_r.run).where(mine)).scalars())
    end = sa.update(schema.ai_runs).where(mine)
    tx.execute(end.values(state=State.SUPERSEDED.value, answer=None, reason="the study was deleted"))
    return found


def is_begun(tx: sa.Connection, study_uid: str, model: str, generation: int) -> bool:
    """Whether the model was asked about this settling of the study, or a later one."""
    same = (_r.study_uid == study_uid) & (_r.model == model) & (_r.generation >= generation)
    return tx.execute(sa.select(_r.id).where(same).limit(1)).first() is not None


def set_aside(tx: sa.Connection, told: Told) -> None:
    """Give the work to the errand of the model."""
    run, model = str(told.payload["run"]), str(told.payload["model"])
    tx.execute(sa.update(schema.ai_runs).where(_r.run == run).values(seq=told.seq))
    deliveries.add(tx, subscriber(model), [told])


def get(tx: sa.Connection, run: str) -> Run | None:
    row = tx.execute(_RUNS.where(_r.run == run)).first()
    return None if row is None else _run(row)


def of_study(tx: sa.Connection, study_uid: str) -> tuple[Run, ...]:
    """From the latest to the first."""
    return tuple(map(_run, tx.execute(_RUNS.where(_r.study_uid == study_uid).order_by(_r.id.desc()))))


def report_before(tx: sa.Connection, run: Run) -> str:
    """The report of the run before it that has one; empty when there is none."""
    same = (_r.study_uid == run.study_uid) & (_r.model == run.model) & (_r.ordinal < run.ordinal)
    query = sa.select(_r.report_uid).where(same, _r.report_uid != "").order_by(_r.ordinal.desc()).limit(1)
    return tx.execute(query).scalar_one_or_none() or ""


def latest(tx: sa.Connection, *, limit: int, states: Iterable[State] = ()) -> tuple[Run, ...]:
    query = _RUNS.order_by(_r.id.desc()).limit(limit)
    if wanted := [state.value for state in states]:
        query = query.where(_r.state.in_(wanted))
    return tuple(map(_run, tx.execute(query)))


def counts(tx: sa.Connection) -> dict[tuple[str, State], int]:
    """How many runs of each model are in each state."""
    rows = tx.execute(sa.select(_r.model, _r.state, sa.func.count()).group_by(_r.model, _r.state))
    return {(row[0], State(row[1])): row[2] for row in rows}


def answer_of(tx: sa.Connection, run: str) -> bytes:
    """What was answered, as long as it has not been kept as an object; else nothing."""
    return tx.execute(sa.select(_r.answer).where(_r.run == run)).scalar_one_or_none() or b""


def promised(tx: sa.Connection, run: str, until_ns: int) -> bool:
    """The model will answer later. False when it has done so already."""
    return _move(tx, run, (State.WAITING,), State.ASKED, until_ns=until_ns)


def count_question(tx: sa.Connection, run: str) -> bool:
    """It is about to be asked. False when there is nothing to ask any more."""
    return _move(tx, run, (State.WAITING,), State.WAITING, asked=_r.asked + 1)


def answered(tx: sa.Connection, run: str, answer: bytes, digest: str) -> bool:
    """Keep a checked answer. False when none is awaited."""
    values = {"answer": answer, "answer_digest": digest, "answered_ns": clock.now_ns(), "reason": ""}
    return _move(tx, run, OPEN, State.ANSWERED, **values)


def reordered(tx: sa.Connection, run: str) -> bool:
    return _move(tx, run, (State.ANSWERED,), State.REORDERED)


def done(tx: sa.Connection, run: str, report_uid: str) -> bool:
    return _move(tx, run, (State.REORDERED,), State.DONE, answer=None, report_uid=report_uid)


def refuse(tx: sa.Connection, run: str, reason: str) -> bool:
    """`reason` holds no patient data."""
    return _move(tx, run, _UNFINISHED, State.REFUSED, answer=None, reason=reason[:500])


def ask_again(tx: sa.Connection, run: Run, *, anew: bool) -> bool:
    """There is something to do for the run again, from the first attempt; what was answered and not
    yet kept is kept first. With `anew` the questions before no longer count."""
    deliveries.drop(tx, subscriber(run.model), run.seq)
    values: dict[str, Any] = {"reason": "", "until_ns": 0} | ({"asked": 0} if anew else {})
    asked = _move(tx, run.run, (*OPEN, State.REFUSED), State.WAITING, **values)
    if not asked and run.state not in KEPT:
        return False
    _tell(tx, run.run, run.study_uid, run.model)
    return True


def tell(tx: sa.Connection, run: Run) -> None:
    """There is something to do for the run."""
    _tell(tx, run.run, run.study_uid, run.model)


def overdue(tx: sa.Connection, *, limit: int) -> tuple[Run, ...]:
    """Promised answers that have not come."""
    late = (_r.state == State.ASKED.value) & (_r.until_ns <= clock.now_ns())
    return tuple(map(_run, tx.execute(_RUNS.where(late).order_by(_r.until_ns).limit(limit))))


def stuck(tx: sa.Connection, *, limit: int) -> tuple[Run, ...]:
    """What only an operator can bring on: refused, or given up after the last attempt."""
    parked = (
        sa.select(_d.seq)
        .where(_d.parked_ns > 0, _d.seq == _r.seq, _d.subscriber == sa.literal("ai:") + _r.model)
        .exists()
    )
    unfinished = _r.state.in_([state.value for state in _UNFINISHED])
    query = _RUNS.where((_r.state == State.REFUSED.value) | (unfinished & parked))
    return tuple(map(_run, tx.execute(query.order_by(_r.id).limit(limit))))


_RUNS: sa.Select[Any] = sa.select(
    *(column for column in schema.ai_runs.columns if column.name not in {"id", "answer"})
)


def _run(row: Any) -> Run:
    return Run(**(row._asdict() | {"state": State(row.state)}))


def _move(tx: sa.Connection, run: str, before: Iterable[State], after: State, **values: Any) -> bool:
    mine = (_r.run == run) & _r.state.in_([state.value for state in before])
    return tx.execute(sa.update(schema.ai_runs).where(mine).values(state=after.value, **values)).rowcount == 1


def _tell(tx: sa.Connection, run: str, study_uid: str, model: str) -> None:
    events.append(tx, Event(Kind.MODEL_RUN, study_uid, payload={"run": run, "model": model}))

"""THE unified worklist: make, see, find, change, do and cancel steps (PS3.4 CC.2, PS3.18 11)."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from pacs import clock
from pacs.audit.looks import Looks
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.dicom import uids
from pacs.dicom.attributes import tag_of
from pacs.errors import Gone, Invalid, NotFound
from pacs.query.model import Element, Exact, Query
from pacs.workitems import dataset, reports, rows, rules, watchers
from pacs.workitems.model import DataSet, Notice, Page, Rule, Step, StepRefusal, StepState
from pacs.workitems.readings import Readings
from pacs.workitems.rows import Place, study_of
from pacs.workitems.steps import Steps, fits
from pacs.workitems.table import RETURNED

PAGE_LIMIT: Final = 1000
SCAN_LIMIT: Final = 50_000
_CHUNK: Final = 200
_PATIENT_ID: Final = tag_of("PatientID")
T = TypeVar("T")


class Workitems:
    """Every method takes who asks first, raises Forbidden (audited), and leaves its trace in the audit
    trail. Thread-safe."""

    def __init__(self, db: Database, looks: Looks, steps: Steps, readings: Readings) -> None:
        self._db = db
        self._looks = looks
        self._steps = steps
        self._readings = readings

    def create(self, actor: Actor, asked: DataSet, uid: str = "") -> tuple[str, tuple[Notice, ...]]:
        """A new step, SCHEDULED. Without a UID, in `uid` or in the data set, it is given one; returns
        its UID. Raises Invalid, StepRefusal when it exists."""
        self._admit(actor, Action.SCHEDULE, "create", uid)
        own = dataset.text(asked, "SOPInstanceUID") or dataset.text(asked, "AffectedSOPInstanceUID")
        if uid and own and own != uid:
            raise Invalid("the UID in the data set is not that of the address")
        uid = uid or own or f"2.25.{uuid.uuid4().int}"
        if not uids.is_valid(uid):
            raise Invalid("the workitem is not named by a UID")
        step, notices = rules.created(asked, uid)

        def work(tx: Transaction) -> None:
            self._steps.add(tx, step)
            _audit(tx, actor, step, "create", action=Action.SCHEDULE)

        self._db.transact(work)
        return uid, notices

    def retrieve(self, actor: Actor, uid: str) -> DataSet:
        """Without the transaction UID (PS3.4 CC.2.7.3). Raises NotFound, Gone."""

        def whose(tx: Transaction) -> Iterable[tuple[str, str]]:
            step = rows.get(tx, uid)
            return () if step is None else ((_patient_of(step), study_of(step.dataset)),)

        self._looks.admit(actor, Action.WORKITEM, whose, asked=uid, detail=f"retrieve {uid}", often=True)
        with self._db.read() as tx:
            return _found(tx, uid).dataset

    def search(self, actor: Actor, query: Query) -> Page:
        """At most `query.limit` from `query.offset` on, by their scheduled start. Raises Invalid."""
        self._admit(actor, Action.WORKITEM, "search")
        limit = PAGE_LIMIT if query.limit is None else query.limit
        with self._db.write() as tx:
            asked = [c.values for c in query.conditions if isinstance(c, Exact) and c.path == (_PATIENT_ID,)]
            for patient_id in asked[0] if asked else ("",):
                record(tx, actor, Action.WORKITEM, patient_id=patient_id, detail="search")
        found = islice(self._matches(query), query.offset, query.offset + limit + 1)
        picked = [_picked(one, query) for one in found]
        return Page(tuple(picked[:limit]), len(picked) > limit, query.warnings)

    def _matches(self, query: Query) -> Iterator[DataSet]:
        after: Place | None = None
        for _ in range(SCAN_LIMIT // _CHUNK):
            with self._db.read() as tx:
                found = rows.page(tx, query.conditions, after=after, limit=_CHUNK)
            yield from (one for _, one in found if fits(one, query.conditions))
            if len(found) < _CHUNK:
                return
            after = found[-1][0]
        raise Invalid("the search reads too many workitems", hint="narrow it by state, patient or start")

    def update(self, actor: Actor, uid: str, asked: DataSet, transaction_uid: str = "") -> tuple[Notice, ...]:
        """Set attributes. Raises NotFound, Gone, Invalid, StepRefusal."""
        return self._change(actor, uid, "update", lambda step: rules.updated(step, asked, transaction_uid))

    def change_state(self, actor: Actor, uid: str, to: StepState, transaction_uid: str) -> tuple[Notice, ...]:
        """Claim, complete or cancel. Raises NotFound, Gone, Invalid, StepRefusal."""
        if transaction_uid and not uids.is_valid(transaction_uid):
            raise Invalid("the transaction UID is not a UID")
        return self._change(actor, uid, str(to), lambda step: rules.changed(step, to, transaction_uid))

    def request_cancel(self, actor: Actor, uid: str, asked: DataSet) -> tuple[Notice, ...]:
        """Cancel a step that nobody has begun; tell who has begun it that this is wished (CC.2.2).

        Raises NotFound, Gone, StepRefusal when it is completed or its performer cannot hear of it."""
        self._admit(actor, Action.WORKITEM, "cancel", uid)

        def work(tx: Transaction) -> tuple[Notice, ...]:
            step = _found(tx, uid, hold=True)
            if step.state is StepState.COMPLETED:
                raise StepRefusal(Rule.COMPLETED, "the step is COMPLETED")
            if step.state is StepState.CANCELED:
                return (Notice.ALREADY_CANCELED,)
            to = watchers.subscribers(tx, uid)
            if step.state is StepState.IN_PROGRESS and not to:
                raise StepRefusal(
                    Rule.UNREACHABLE, "nobody is subscribed to the step: its performer cannot hear"
                )
            reports.tell(tx, step, [reports.of_cancel_request(_as_aet(actor), asked)], to)
            if step.state is StepState.SCHEDULED:
                self._cancel(tx, actor, step, asked)
            _audit(tx, actor, step, "cancel request")
            return ()

        return self._told(actor, uid, "cancel request", work)

    def _cancel(self, tx: Transaction, actor: Actor, step: Step, asked: DataSet) -> None:
        """First IN PROGRESS, then CANCELED (CC.2.2.3)."""
        begun = rules.begun(step)
        self._steps.change(tx, step, begun)
        canceled = rules.ended(begun, StepState.CANCELED, asked)
        self._steps.change(tx, begun, canceled)
        self._readings.mirror(tx, actor.name, begun, canceled)

    def sweep(self, keep_s: float) -> bool:
        """Forget some steps that ended longer ago and that nobody has locked."""
        before = clock.now_ns() - round(keep_s * 1e9)
        with self._db.read() as tx:
            if not rows.forgettable(tx, before):
                return False

        def work(tx: Transaction) -> bool:
            over = rows.forgettable(tx, before)
            rows.forget(tx, over)
            watchers.drop(tx, over)
            return bool(over)

        return self._db.transact(work)

    def _change(
        self, actor: Actor, uid: str, what: str, decide: Callable[[Step], tuple[Step, tuple[Notice, ...]]]
    ) -> tuple[Notice, ...]:
        self._admit(actor, Action.WORKITEM, what, uid)

        def work(tx: Transaction) -> tuple[Notice, ...]:
            before = _found(tx, uid, hold=True)
            after, notices = decide(before)
            if after != before:
                self._readings.mirror(tx, actor.name, before, after)
                self._steps.change(tx, before, after)
            _audit(tx, actor, before, what)
            return notices

        return self._told(actor, uid, what, work)

    def _told(self, actor: Actor, uid: str, what: str, work: Callable[[Transaction], T]) -> T:
        """A refusal is written down too, apart from what it undid."""
        try:
            return self._db.transact(work)
        except StepRefusal as refusal:
            with self._db.write() as tx:
                step = rows.get(tx, uid)
                if step is not None:
                    _audit(tx, actor, step, f"{what}: {refusal.rule}", outcome="conflict")
            raise

    def _admit(self, actor: Actor, action: Action, what: str, uid: str = "") -> None:
        if not allows(actor, action):
            with self._db.write() as tx:
                record(tx, actor, action, outcome="forbidden", detail=f"{what} {uid[:64]}".strip())
        require(actor, action)


def _found(tx: Transaction, uid: str, *, hold: bool = False) -> Step:
    step = rows.get(tx, uid, hold=hold)
    if step is not None:
        return step
    if rows.was_deleted(tx, uid):
        raise Gone("this workitem has ended and was forgotten")
    raise NotFound("there is no such workitem")


def _picked(found: DataSet, query: Query) -> DataSet:
    """PS3.18 11.9.2: the return keys of type 1 and 2, what was matched, and what was asked for."""
    if query.everything:
        return found
    chosen: dict[str, Element] = {row.tag: found.get(row.tag, {"vr": row.vr}) for row in RETURNED}
    chosen["00080005"] = found["00080005"]
    for path in query.returned:
        tag = f"{path[0]:08X}"
        if tag in found:
            chosen[tag] = found[tag]
    return dict(sorted(chosen.items()))


def _patient_of(step: Step) -> str:
    return dataset.text(step.dataset, "PatientID")


def _as_aet(actor: Actor) -> str:
    """16 characters of the default repertoire (PS3.5 6.2)."""
    plain = actor.name.encode("ascii", "replace").decode().replace("\\", "?")
    return plain[:16].strip() or "UNKNOWN"


def _audit(
    tx: Transaction,
    actor: Actor,
    step: Step,
    what: str,
    *,
    outcome: str = "ok",
    action: Action = Action.WORKITEM,
) -> None:
    record(
        tx,
        actor,
        action,
        outcome=outcome,
        study_uid=study_of(step.dataset)[:64],
        patient_id=_patient_of(step),
        detail=f"{what} {step.uid}",
    )

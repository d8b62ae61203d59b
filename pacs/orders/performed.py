"""What modalities tell of their work (Modality Performed Procedure Step, PS3.4 F.7)."""

from typing import Any, Final

import orjson

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.ingest import settle
from pacs.orders import item, mpps, rows, told
from pacs.orders.model import DataSet, Declined, Fault, Progress, StepStatus, Taken

_LOOK_OUT_NS: Final = 3_600_000_000_000
"""How long the objects of a completed step are looked out for; after that their study settles by quiet."""


class Performing:
    """Every method takes who asks first and raises Forbidden (audited); what is declined is a value,
    and audited too. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, actor: Actor, uid: str, dataset: DataSet) -> Taken | Declined:
        """A step has been begun."""
        self._admit(actor, uid, item.text(dataset, "PatientID"))
        refused = mpps.created(dataset)

        def work(tx: Transaction) -> Taken | Declined:
            outcome = refused or _create(tx, uid, dataset)
            _audit(tx, actor, dataset, f"begin {uid}", outcome)
            return outcome

        return self._db.transact(work)

    def set(self, actor: Actor, uid: str, change: DataSet) -> Taken | Declined:
        """More is known of a step, or it has ended."""
        self._admit(actor, uid, "")

        def work(tx: Transaction) -> Taken | Declined:
            row = told.hold(tx, uid)
            if row is None:
                unknown = Declined(Fault.UNKNOWN, "there is no such performed procedure step")
                _audit(tx, actor, {}, f"set {uid}", unknown)
                return unknown
            before: DataSet = orjson.loads(row.attrs)
            outcome = _change(tx, row.id, before, change)
            _audit(tx, actor, before, f"set {uid} {item.text(change, mpps.STATUS)}".strip(), outcome)
            return outcome

        return self._db.transact(work)

    def _admit(self, actor: Actor, uid: str, patient_id: str) -> None:
        if not allows(actor, Action.PERFORM):
            with self._db.write() as tx:
                record(tx, actor, Action.PERFORM, outcome="forbidden", patient_id=patient_id, detail=uid[:64])
        require(actor, Action.PERFORM)


def _create(tx: Transaction, uid: str, dataset: DataSet) -> Taken | Declined:
    performed_fk = told.add(tx, uid, dataset, clock.now_ns())
    if performed_fk is None:
        return Declined(Fault.DUPLICATE, "there is a performed procedure step of this UID")
    named = mpps.scheduled(dataset)
    steps = _steps(tx, named, item.text(dataset, "PatientID"))
    told.link(tx, performed_fk, (one.study_uid for one in named), steps)
    _follow(tx, performed_fk)
    return Taken()


def _steps(tx: Transaction, named: tuple[mpps.Scheduled, ...], patient_id: str) -> set[int]:
    """The scheduled steps it is for. Accession numbers are used again: the patient must be the same."""
    return {
        row.id
        for one in named
        if one.step_id
        for row in rows.scheduled_for(tx, one.study_uid, one.accession_number, one.step_id)
        if patient_id in ("", row.patient_id)
    }


def _change(tx: Transaction, performed_fk: int, before: DataSet, change: DataSet) -> Taken | Declined:
    outcome = mpps.changed(before, change)
    if isinstance(outcome, Declined):
        return outcome
    after, kept = outcome
    told.save(tx, performed_fk, after, clock.now_ns())
    _follow(tx, performed_fk)
    if item.text(after, mpps.STATUS) == Progress.COMPLETED:
        _look_out(tx, performed_fk, after)
    return Taken(kept)


def _look_out(tx: Transaction, performed_fk: int, dataset: DataSet) -> None:
    """Their study settles as soon as all that was made is here (`pacs.orders.whole`). Where nothing is
    named nobody can say when that is, and quiet decides."""
    instances = mpps.instances(dataset)
    if not instances:
        return
    told.look_out(tx, performed_fk, instances, clock.now_ns() + _LOOK_OUT_NS)
    if told.waits(tx, performed_fk):
        return
    if not any(settle.is_unsettled(tx, study) for study in told.studies_of(tx, performed_fk)):
        told.wait_no_more(tx, [performed_fk])


def _follow(tx: Transaction, performed_fk: int) -> None:
    """What was scheduled follows what is performed."""
    for step_fk in told.scheduled_of(tx, performed_fk):
        rows.set_status(tx, step_fk, status_of(*told.progress_of(tx, step_fk)))


def status_of(said: StepStatus, performed: list[tuple[Progress, str]]) -> StepStatus:
    """Of a scheduled step: begun while anything is at work on it, completed once something has
    completed it. What was begun by mistake leaves no trace on it."""
    states = {state for state, reason in performed if reason != "^".join(mpps.WRONG_ENTRY)}
    if Progress.IN_PROGRESS in states:
        return StepStatus.STARTED
    if Progress.COMPLETED in states:
        return StepStatus.COMPLETED
    return StepStatus.DISCONTINUED if states else said


def _audit(tx: Transaction, actor: Actor, dataset: DataSet, detail: str, outcome: Any) -> None:
    named = mpps.scheduled(dataset)
    record(
        tx,
        actor,
        Action.PERFORM,
        outcome=outcome.fault.value if isinstance(outcome, Declined) else "ok",
        study_uid=named[0].study_uid[:64] if named else "",
        patient_id=item.text(dataset, "PatientID")[:64],
        detail=detail[:200],
    )

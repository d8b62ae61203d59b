"""The reading list as steps: a study that is to be read is a step, too, and goes with its item.

Whoever claims the step claims the study, and ends it with the step. A study that is claimed at the list
has a step IN PROGRESS, done by the archive for the reader, and one that is finished there ends it. A
claim that is given back, or runs out, cancels the step: another takes its place, since none becomes
SCHEDULED again (PS3.4 CC.1.1).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pacs import clock
from pacs.db.connection import Transaction
from pacs.errors import Conflict
from pacs.index import survey
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Follower
from pacs.reading import claims
from pacs.reading import rows as reading
from pacs.reading.model import State, WorkItem
from pacs.reading.priority import DEFAULT, Weights
from pacs.workitems import dataset, rows, rules
from pacs.workitems.dataset import element, tag
from pacs.workitems.model import DataSet, Rule, Step, StepRefusal, StepState
from pacs.workitems.steps import Steps

NAME: Final = "workitems"
_LEASE_NS: Final = 86_400 * 1_000_000_000
_PATIENT: Final = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")


def _code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    return {
        tag("CodeValue"): element("CodeValue", value),
        tag("CodingSchemeDesignator"): element("CodingSchemeDesignator", scheme),
        tag("CodeMeaning"): element("CodeMeaning", meaning),
    }


_INTERPRETATION: Final = _code("110005", "DCM", "Interpretation")  # PS3.16 CID 9231
_HERE: Final = _code("HILUM", "99HILUM", "Reading list of the archive")


class Readings:
    """Thread-safe."""

    def __init__(self, steps: Steps, weights: Weights = DEFAULT) -> None:
        self._steps = steps
        self._weights = weights

    def follower(self) -> Follower:
        return Follower(NAME, frozenset({Kind.SETTLED, Kind.READ, Kind.CLAIM}), self._work)

    def _work(self, tx: Transaction, told: Sequence[Told]) -> None:
        for event in told:
            if event.kind == Kind.READ and event.payload.get("state") == State.DONE:
                self._finish(tx, event.study_uid, str(event.payload.get("reader", "")))
            elif event.kind == Kind.CLAIM:
                self._follow(tx, event)
            else:
                self._list(tx, event)

    def _list(self, tx: Transaction, event: Told) -> None:
        """Make the step, unless there is one that has not ended."""
        found = survey.attributes(tx, event.study_uid)
        if found is None or rows.to_be_read(tx, event.study_uid) is not None:
            return
        step, _ = rules.created(_asked(found, event), _uid(event))
        self._steps.add(tx, Step(step.uid, step.state, step.dataset, is_reading=True))

    def _follow(self, tx: Transaction, event: Told) -> None:
        """The step goes by the claim that there is now, whatever has been meanwhile."""
        step = rows.to_be_read(tx, event.study_uid)
        item = reading.get(tx, event.study_uid, clock.now_ns())
        if item is not None and item.state is State.DONE:
            return  # the end of it is told by itself
        holder = item.holder if item is not None else ""
        if step is None and item is not None:
            self._list(tx, event)
            step = rows.to_be_read(tx, event.study_uid)
        if step is None:
            return
        if holder:
            self._begin(tx, step, holder)
        elif step.is_ours:
            self._steps.change(tx, step, rules.ended(step, StepState.CANCELED, _GIVEN_BACK))
            if item is not None:
                self._list(tx, event)

    def _begin(self, tx: Transaction, step: Step, reader: str) -> None:
        """Who claims a step by itself has begun it already."""
        if not step.is_ours and step.state is not StepState.SCHEDULED:
            return
        if step.is_ours and _reader_of(step) == reader:
            return
        found = step.dataset | {tag(_PERFORMED): element(_PERFORMED, _performed(reader))}
        self._steps.change(tx, step, rules.begun(replace(step, dataset=found)))

    def _finish(self, tx: Transaction, study_uid: str, reader: str) -> None:
        step = rows.to_be_read(tx, study_uid)
        if step is None:
            return
        end = _performed(reader, ended=True, since=_since(step) if step.is_ours else "")
        found = step.dataset | {tag(_PERFORMED): element(_PERFORMED, end)}
        done = rules.ended(Step(step.uid, step.state, found, step.transaction_uid, True), StepState.COMPLETED)
        self._steps.change(tx, step, done)

    def mirror(self, tx: Transaction, who: str, before: Step, after: Step) -> None:
        """Let the reading list know, in the transaction of the change. Raises StepRefusal when the
        study is in other hands."""
        study = dataset.text(before.dataset, "StudyInstanceUID")
        if not before.is_reading or before.state is after.state:
            return
        number, now = reading.begin(tx), clock.now_ns()
        item = reading.get(tx, study, now)
        if item is None:
            return
        try:
            changed = _decide(item, after.state, who, now)
        except Conflict as refusal:
            raise StepRefusal(Rule.HELD, str(refusal), hint=refusal.hint) from None
        if changed != item:
            reading.save(tx, changed, number, self._weights)


def _decide(item: WorkItem, state: StepState, who: str, now: int) -> WorkItem:
    match state:
        case StepState.IN_PROGRESS:
            return claims.claim(item, who, now + _LEASE_NS)
        case StepState.COMPLETED:
            return claims.finish(item, who, now)
        case _:
            return claims.release(item, who) if item.holder == who else item


_GIVEN_BACK: Final[DataSet] = {
    tag("ReasonForCancellation"): element("ReasonForCancellation", "Not claimed any more at the reading list")
}
_PERFORMED: Final = "UnifiedProcedureStepPerformedProcedureSequence"


def _uid(event: Told) -> str:
    """The same for the same event, which may be told twice."""
    digest = hashlib.sha256(f"{event.study_uid} {event.seq} {event.at_ns}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def _asked(found: DataSet, event: Told) -> DataSet:
    """What is asked for: to interpret the study."""
    moment = _dt(event.at_ns)
    asked: DataSet = {tag(keyword): found[tag(keyword)] for keyword in _PATIENT if tag(keyword) in found}
    description = dataset.text(found, "StudyDescription")
    said = {
        "StudyInstanceUID": event.study_uid,
        "ScheduledProcedureStepPriority": "MEDIUM",
        "ProcedureStepLabel": f"Read {description}".strip()[:64],
        "WorklistLabel": "Reading",
        "ScheduledProcedureStepStartDateTime": moment,
        "InputReadinessState": "READY",
        "ScheduledWorkitemCodeSequence": _INTERPRETATION,
        "ReferencedRequestSequence": _request(found, event.study_uid),
        "InputInformationSequence": {
            tag("TypeOfInstances"): element("TypeOfInstances", "DICOM"),
            tag("StudyInstanceUID"): element("StudyInstanceUID", event.study_uid),
        },
    }
    return asked | {tag(keyword): element(keyword, value) for keyword, value in said.items()}


def _request(found: DataSet, study_uid: str) -> DataSet:
    number = found.get(tag("AccessionNumber"), element("AccessionNumber"))
    return {
        tag("StudyInstanceUID"): element("StudyInstanceUID", study_uid),
        tag("AccessionNumber"): number,
    }


def _performed(reader: str, *, ended: bool = False, since: str = "") -> dict[str, Any]:
    now = dataset.now()
    performer = {tag("HumanPerformerName"): element("HumanPerformerName", {"Alphabetic": reader})}
    said = {
        "ActualHumanPerformersSequence": performer,
        "PerformedStationNameCodeSequence": _HERE,
        "PerformedProcedureStepStartDateTime": since or now,
        "PerformedWorkitemCodeSequence": _INTERPRETATION,
    } | ({"PerformedProcedureStepEndDateTime": now} if ended else {})
    made = {tag(keyword): element(keyword, value) for keyword, value in said.items()}
    return dict(sorted((made | {tag("OutputInformationSequence"): {"vr": "SQ"}}).items()))


def _performance(step: Step) -> DataSet:
    found: list[DataSet] = dataset.values(step.dataset, _PERFORMED)
    return found[0] if found else {}


def _since(step: Step) -> str:
    return dataset.text(_performance(step), "PerformedProcedureStepStartDateTime")


def _reader_of(step: Step) -> str:
    people: list[DataSet] = dataset.values(_performance(step), "ActualHumanPerformersSequence")
    names = dataset.values(people[0], "HumanPerformerName") if people else []
    return str(names[0].get("Alphabetic", "")) if names else ""


def _dt(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, tz=UTC).strftime("%Y%m%d%H%M%S.%f+0000")

"""Event reports: what subscribers of a step are told (PS3.4 CC.2.4).

They are written to the outbox in the transaction of what they tell of, addressed to those who were
subscribed at that moment.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

import orjson

from pacs.db.connection import Transaction
from pacs.outbox import events
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import Told
from pacs.workitems import dataset
from pacs.workitems.model import DataSet, EventType, Report, Step

_ASKED: Final = (
    "ReasonForCancellation",
    "ProcedureStepDiscontinuationReasonCodeSequence",
    "ContactURI",
    "ContactDisplayName",
)
_ASSIGNED: Final = ("ScheduledStationNameCodeSequence", "ScheduledHumanPerformersSequence")
_PROGRESS: Final = "ProcedureStepProgressInformationSequence"
_STATE: Final = ("ProcedureStepState", "InputReadinessState")
_OF_A_PERFORMER: Final = ("HumanPerformerCodeSequence", "HumanPerformerOrganization")


def of_creation(step: Step) -> list[tuple[EventType, DataSet]]:
    return [_state(step), *([_assigned(step)] if _is_assigned(step) else [])]


def of_change(before: Step, after: Step) -> list[tuple[EventType, DataSet]]:
    """What CC.2.4.3 wants told of the change."""
    told = []
    if any(_differ(before, after, keyword) for keyword in _STATE):
        told.append(_state(after))
    elif _differ(before, after, _PROGRESS):
        told.append((EventType.PROGRESS, _picked(after.dataset, (_PROGRESS,))))
    if any(_differ(before, after, keyword) for keyword in _ASSIGNED):
        told.append(_assigned(after))
    return told


def of_cancel_request(requesting: str, asked: DataSet) -> tuple[EventType, DataSet]:
    who = {dataset.tag("RequestingAE"): dataset.element("RequestingAE", requesting)}
    return EventType.CANCEL_REQUESTED, who | _picked(asked, _ASKED)


def of_restart() -> tuple[EventType, DataSet]:
    """Nothing of the lists is ever lost by it, so both start warm."""
    said = {
        "SCPStatus": "RESTARTED",
        "SubscriptionListStatus": "WARM START",
        "UnifiedProcedureStepListStatus": "WARM START",
    }
    return EventType.SCP_STATUS, {
        dataset.tag(keyword): dataset.element(keyword, value) for keyword, value in said.items()
    }


def state_of(step: Step) -> tuple[EventType, DataSet]:
    """As it is now: the first report of a new subscription."""
    return _state(step)


def tell(tx: Transaction, step: Step, told: Iterable[tuple[EventType, DataSet]], to: Collection[str]) -> None:
    """In the outbox; also when nobody is subscribed, as the change feed tells of it, too."""
    for kind, found in told:
        payload: dict[str, str | int] = {
            "workitem": step.uid,
            "event": int(kind),
            "to": "\\".join(sorted(to)),
            "info": orjson.dumps(found).decode(),
        }
        study = dataset.text(step.dataset, "StudyInstanceUID")
        events.append(tx, Event(Kind.WORKITEM, study_uid=study, payload=payload))


def addressed(told: Told, aet: str) -> Report | None:
    """The report for this subscriber that an event of the outbox holds, if it holds one."""
    if told.kind != Kind.WORKITEM or aet not in str(told.payload.get("to", "")).split("\\"):
        return None
    info = str(told.payload.get("info", ""))
    found: DataSet = orjson.loads(info) if info else _flat(told.payload)
    # A US, and never 0 (PS3.7 E.1): distinct among all that is under way.
    message_id = told.seq % 65_535 + 1
    return Report(message_id, str(told.payload["workitem"]), EventType(int(told.payload["event"])), found)


def _flat(payload: Any) -> DataSet:
    """Written by the database itself when one subscribes to every step at once."""
    return {
        dataset.tag(keyword): dataset.element(keyword, str(payload[name]))
        for keyword, name in (("ProcedureStepState", "state"), ("InputReadinessState", "ready"))
    }


def _state(step: Step) -> tuple[EventType, DataSet]:
    found = _picked(step.dataset, _STATE)
    for item in step.dataset.get(dataset.tag(_PROGRESS), {}).get("Value") or []:
        found |= _picked(item, _ASKED[:2])
    return EventType.STATE, dict(sorted(found.items()))


def _assigned(step: Step) -> tuple[EventType, DataSet]:
    found = _picked(step.dataset, _ASSIGNED[:1])
    for performer in step.dataset.get(dataset.tag(_ASSIGNED[1]), {}).get("Value") or []:
        found |= _picked(performer, _OF_A_PERFORMER)
    return EventType.ASSIGNED, found


def _is_assigned(step: Step) -> bool:
    return any(dataset.has_value(step.dataset.get(dataset.tag(keyword))) for keyword in _ASSIGNED)


def _differ(before: Step, after: Step, keyword: str) -> bool:
    tag = dataset.tag(keyword)
    return before.dataset.get(tag) != after.dataset.get(tag)


def _picked(found: DataSet, keywords: Iterable[str]) -> DataSet:
    tags = (dataset.tag(keyword) for keyword in keywords)
    return {tag: found[tag] for tag in tags if dataset.has_value(found.get(tag))}

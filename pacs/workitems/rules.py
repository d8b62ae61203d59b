"""What may become of a step: from the data set as it is, or as it is asked for, to what it will be. Pure.

PS3.4 CC.1.1 (states), CC.2.5.1.1 (final states) and Table CC.2.5-3.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pacs.errors import Invalid
from pacs.query.model import Element
from pacs.workitems import dataset
from pacs.workitems.dataset import has_value
from pacs.workitems.model import PUSH, DataSet, Notice, Rule, Step, StepRefusal, StepState
from pacs.workitems.table import BY_TAG, TABLE, TERMS, AtEnd, Create, Row

_STATE: Final = dataset.tag("ProcedureStepState")
_TRANSACTION: Final = dataset.tag("TransactionUID")
_MODIFIED: Final = dataset.tag("ScheduledProcedureStepModificationDateTime")
_PROGRESS: Final = dataset.tag("ProcedureStepProgressInformationSequence")
_CANCELLATION: Final = dataset.tag("ProcedureStepCancellationDateTime")
_REASON_CODE: Final = dataset.tag("ProcedureStepDiscontinuationReasonCodeSequence")
_REASON: Final = dataset.tag("ReasonForCancellation")
_LABEL: Final = "Hilum"
# PS3.16 CID 9300. A step can be canceled without any N-SET before (PS3.4 CC.2.5.1.3.2, note), so the
# archive says at least this much.
_UNSPECIFIED: Final = {
    "00080100": {"vr": "SH", "Value": ["110513"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
}


def created(asked: DataSet, uid: str) -> tuple[Step, tuple[Notice, ...]]:
    """A new step. What is of type 2 and not there is added empty. Raises Invalid."""
    given = {tag: found for tag, found in asked.items() if not tag.startswith(("0000", "0002"))}
    if has_value(given.pop(_TRANSACTION, None)):
        raise Invalid("a step is not claimed while it is made: TransactionUID has to be empty")
    if dataset.text(given, "ProcedureStepState") not in ("", StepState.SCHEDULED):
        raise Invalid("a step begins as SCHEDULED (PS3.4 CC.2.5.3)")
    if dataset.text(given, "SOPClassUID") not in ("", PUSH):
        raise Invalid(f"the SOP class of a step is {PUSH}")
    stateless = not has_value(given.get(_STATE))
    given[_STATE] = dataset.element("ProcedureStepState", StepState.SCHEDULED.value)
    completed, added = _completed(given, TABLE, "")
    _check_terms(completed)
    step = Step(uid, StepState.SCHEDULED, _ours(completed, uid))
    return step, (Notice.CREATED_MODIFIED,) if added or stateless else ()


def updated(step: Step, asked: DataSet, transaction_uid: str) -> tuple[Step, tuple[Notice, ...]]:
    """Elements take the place of those that are there (N-SET, CC.2.6). Raises Invalid, StepRefusal."""
    given = {tag: found for tag, found in asked.items() if not tag.startswith(("0000", "0002"))}
    transaction_uid = transaction_uid or dataset.text(given, "TransactionUID")
    given.pop(_TRANSACTION, None)
    if step.state.is_final:
        raise StepRefusal(Rule.FINAL, f"the step is {step.state} and changes no more")
    if step.state is StepState.SCHEDULED and transaction_uid:
        raise StepRefusal(Rule.NOT_CLAIMED, "the step is not in progress: it has no transaction")
    if step.state is StepState.IN_PROGRESS:
        _check_transaction(step, transaction_uid)
    ours = given.pop(_MODIFIED, None) is not None
    for tag, found in given.items():
        _check_settable(BY_TAG.get(tag), found)
    _check_terms(given)
    after = step.dataset | given
    return replace(step, dataset=_ours(after, step.uid)), (Notice.UPDATED_MODIFIED,) if ours else ()


def changed(step: Step, to: StepState, transaction_uid: str) -> tuple[Step, tuple[Notice, ...]]:
    """PS3.4 Table CC.1.1-2. Raises Invalid, StepRefusal."""
    if to is StepState.SCHEDULED:
        raise Invalid("a step becomes SCHEDULED when it is made, and never again (PS3.4 CC.1.1)")
    if not transaction_uid:
        raise StepRefusal(Rule.TRANSACTION_MISSING, "the transaction UID is missing")
    if to is StepState.IN_PROGRESS:
        return _claimed(step, transaction_uid), ()
    if step.state is StepState.SCHEDULED:
        raise StepRefusal(Rule.NOT_CLAIMED, "the step is not in progress", hint="claim it first")
    _check_transaction(step, transaction_uid)
    if step.state is to:
        return step, (Notice.ALREADY_COMPLETED if to is StepState.COMPLETED else Notice.ALREADY_CANCELED,)
    if step.state.is_final:
        raise StepRefusal(Rule.FINAL, f"the step is {step.state} and changes no more")
    return ended(step, to), ()


def ended(step: Step, to: StepState, cancel: DataSet | None = None) -> Step:
    """In a final state, with what that requires. `cancel` is what a request for it said. Raises
    StepRefusal."""
    found = _cancellation(step.dataset, cancel or {}) if to is StepState.CANCELED else dict(step.dataset)
    missing = sorted(_missing(found, TABLE, to, ""))
    if missing:
        raise StepRefusal(
            Rule.REQUIREMENTS,
            f"the step lacks what {to} requires (PS3.4 Table CC.2.5-3): {', '.join(missing)}",
            hint="set these attributes first",
        )
    return _in_state(replace(step, dataset=found), to)


def begun(step: Step) -> Step:
    """By the archive itself, which needs no transaction UID: nobody else has the step then."""
    return _in_state(step, StepState.IN_PROGRESS)


def _claimed(step: Step, transaction_uid: str) -> Step:
    if step.state is StepState.IN_PROGRESS:
        raise StepRefusal(Rule.IN_PROGRESS, "the step is in progress already")
    if step.state.is_final:
        raise StepRefusal(Rule.FINAL, f"the step is {step.state} and changes no more")
    return _in_state(replace(step, transaction_uid=transaction_uid), StepState.IN_PROGRESS)


def _check_transaction(step: Step, given: str) -> None:
    if not given:
        raise StepRefusal(Rule.TRANSACTION_MISSING, "the transaction UID is missing")
    # What the archive itself ended has none, and what it has begun is nobody else's.
    if given != step.transaction_uid and not (step.state.is_final and not step.transaction_uid):
        raise StepRefusal(Rule.TRANSACTION_WRONG, "the transaction UID is not that of the step")


def _in_state(step: Step, state: StepState) -> Step:
    found = step.dataset | {_STATE: dataset.element("ProcedureStepState", state.value)}
    return replace(step, state=state, dataset=_ours(found, step.uid))


def _ours(found: DataSet, uid: str) -> DataSet:
    """What the archive gives a value: identity, when it was changed, a list, and that text is UTF-8."""
    ours = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        dataset.tag("SOPClassUID"): dataset.element("SOPClassUID", PUSH),
        dataset.tag("SOPInstanceUID"): dataset.element("SOPInstanceUID", uid),
        _MODIFIED: dataset.element("ScheduledProcedureStepModificationDateTime", dataset.now()),
    }
    if not has_value(found.get(dataset.tag("WorklistLabel"))):
        ours[dataset.tag("WorklistLabel")] = dataset.element("WorklistLabel", _LABEL)
    return dict(sorted((found | ours).items()))


def _completed(given: DataSet, rows: Iterable[Row], where: str) -> tuple[DataSet, bool]:
    """With the empty elements that are missing, and whether there were any."""
    found, added = dict(given), False
    for row in rows:
        here = found.get(row.tag)
        if row.create is Create.VALUE and not has_value(here):
            raise Invalid(f"{where}{row.keyword} has to have a value (PS3.4 Table CC.2.5-3)")
        if row.create is Create.EMPTY and has_value(here):
            raise Invalid(f"{where}{row.keyword} has to be empty while the step is SCHEDULED")
        if row.create in {Create.PRESENT, Create.EMPTY} and here is None:
            found[row.tag] = {"vr": row.vr}
            added = True
        elif here is not None and row.items and row.create is not Create.EMPTY:
            inner = [_completed(item, row.items, f"{row.keyword}.") for item in here.get("Value") or []]
            if inner:
                found[row.tag] = {"vr": "SQ", "Value": [item for item, _ in inner]}
            added = added or any(more for _, more in inner)
    return dict(sorted(found.items())), added


def _check_settable(row: Row | None, found: Element) -> None:
    if row is None:
        return
    if not row.settable:
        hint = "change the state instead" if row.keyword == "ProcedureStepState" else ""
        raise Invalid(f"{row.keyword} cannot be changed (PS3.4 Table CC.2.5-3)", hint=hint)
    if not row.clearable and not has_value(found):
        raise Invalid(f"{row.keyword} cannot be emptied (PS3.4 Table CC.2.5-3)")


def _check_terms(found: DataSet) -> None:
    for keyword, terms in TERMS.items():
        value = dataset.text(found, keyword)
        if value and value not in terms:
            raise Invalid(f"{keyword} is one of {', '.join(terms)}")


def _missing(found: DataSet, rows: Iterable[Row], to: StepState, where: str) -> Iterable[str]:
    completed = to is StepState.COMPLETED
    needed = {AtEnd.EITHER, AtEnd.COMPLETED if completed else AtEnd.CANCELED}
    for row in rows:
        here = found.get(row.tag)
        absent = (row.final in needed and not _is_valued(here)) or (
            completed and row.final is AtEnd.COMPLETED_PRESENT and here is None
        )
        if absent:
            yield where + row.keyword
        elif row.final in needed:
            for item in (here or {}).get("Value") or []:
                if row.items:
                    yield from _missing(item, row.items, to, f"{row.keyword}.")


def _is_valued(found: Element | None) -> bool:
    """An item counts, whatever it holds: what it has to hold is said by its own rows."""
    if found is not None and found.get("vr") == "SQ":
        return bool(found.get("Value"))
    return has_value(found)


def _cancellation(found: DataSet, cancel: DataSet) -> DataSet:
    """The moment is the archive's to fill in where the performer did not (PS3.4 Table CC.2.5-3)."""
    items = found.get(_PROGRESS, {}).get("Value") or [{}]
    first = dict(items[0])
    if has_value(cancel.get(_REASON)):
        first.setdefault(_REASON, cancel[_REASON])
    if not has_value(first.get(_CANCELLATION)):
        first[_CANCELLATION] = dataset.element("ProcedureStepCancellationDateTime", dataset.now())
    if not _is_valued(first.get(_REASON_CODE)):
        proposed = cancel.get(_REASON_CODE)
        first[_REASON_CODE] = (
            proposed
            if proposed is not None and _is_valued(proposed)
            else dataset.element("ProcedureStepDiscontinuationReasonCodeSequence", _UNSPECIFIED)
        )
    progress = {"vr": "SQ", "Value": [dict(sorted(first.items())), *items[1:]]}
    return found | {_PROGRESS: progress}

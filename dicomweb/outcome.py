"""What became of each instance of a store request, and the Store Instances Response (PS3.18 I.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomweb import problems
from dicomweb.urls import Outside
from pacs.dicom.uids import InstanceKey
from pacs.ingest.receipt import Duplicate, Receipt, Refused

# Failure Reason (0008,1197): PS3.18 Table I.2-2, PS3.7 Annex C, PS3.4 Table B.2-1.
PROCESSING_FAILURE: Final = 0x0110
DUPLICATE_INSTANCE: Final = 0x0111
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
SOP_CLASS_MISMATCH: Final = 0xA900  # data set does not match SOP class
STUDY_MISMATCH: Final = 0xA901
CANNOT_UNDERSTAND: Final = 0xC000
TRANSFER_SYNTAX: Final = 0xC122  # referenced transfer syntax not supported

# Warning Reason (0008,1196)
ELEMENTS_DISCARDED: Final = 0xB006
DOES_NOT_MATCH: Final = 0xB007  # data set does not match SOP class

FAILURE_REASONS: Final[dict[str, int]] = {
    "empty": CANNOT_UNDERSTAND,
    "not-dicom": CANNOT_UNDERSTAND,
    "truncated": CANNOT_UNDERSTAND,
    "unreadable": CANNOT_UNDERSTAND,
    "missing-uid": CANNOT_UNDERSTAND,
    "invalid-uid": CANNOT_UNDERSTAND,
    "too-deep": CANNOT_UNDERSTAND,
    "too-large-inflated": CANNOT_UNDERSTAND,
    "transfer-syntax": TRANSFER_SYNTAX,
    "described": CANNOT_UNDERSTAND,
    "bulk-data": CANNOT_UNDERSTAND,
    "expected-study": STUDY_MISMATCH,
    "expected-sop-class": SOP_CLASS_MISMATCH,
    "expected-sop-instance": SOP_CLASS_MISMATCH,
    "expected-patient": STUDY_MISMATCH,
    "no-result": SOP_CLASS_NOT_SUPPORTED,
    "keep-first": DUPLICATE_INSTANCE,
}

_MOST_WARNINGS: Final = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failure` is 0 for an instance that is in the archive now; `reason` says why one is not, or what is
    wrong with it all the same. `warning` is 0 for one that is there as it was sent, and right."""

    sop_class: str
    sop_instance: str
    study: str = ""
    series: str = ""
    failure: int = 0
    reason: str = ""
    warning: int = 0

    @classmethod
    def of(cls, receipt: Receipt, warning: int = 0) -> "Outcome":
        if isinstance(receipt, Refused):
            failure = FAILURE_REASONS.get(receipt.rule, PROCESSING_FAILURE)
            return cls(receipt.sop_class, receipt.sop_instance, failure=failure, reason=receipt.reason)
        remark = "" if isinstance(receipt, Duplicate) else receipt.remark
        return cls(
            receipt.sop_class,
            receipt.key.instance,
            receipt.key.study,
            receipt.key.series,
            reason=remark,
            warning=warning or (DOES_NOT_MATCH if remark else 0),
        )


def status_of(outcomes: Sequence[Outcome]) -> int:
    """PS3.18 Table 10.5.3-1."""
    failed = sum(1 for outcome in outcomes if outcome.failure)
    if not failed:
        return problems.ACCEPTED if any(outcome.warning for outcome in outcomes) else problems.OK
    return problems.ALL_FAILED if failed == len(outcomes) else problems.ACCEPTED


def warnings_of(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The reasons in words, each once: a Failure Reason alone tells a sender little."""
    return tuple(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason))[:_MOST_WARNINGS]


def report(outcomes: Sequence[Outcome], outside: Outside) -> dict[str, Any]:
    """The response module as DICOM JSON; a sequence that would be empty is left out."""
    stored = [_referenced(outcome, outside) for outcome in outcomes if not outcome.failure]
    failed = [_failed(outcome) for outcome in outcomes if outcome.failure]
    studies = {outcome.study for outcome in outcomes if not outcome.failure}
    body: dict[str, Any] = {}
    if len(studies) == 1:
        body["00081190"] = _element("UR", outside.study(*studies))
    if failed:
        body["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        body["00081199"] = {"vr": "SQ", "Value": stored}
    return body


def _referenced(outcome: Outcome, outside: Outside) -> dict[str, Any]:
    key = InstanceKey(outcome.study, outcome.series, outcome.sop_instance)
    warning = {"00081196": _element("US", outcome.warning)} if outcome.warning else {}
    return _identity(outcome) | warning | {"00081190": _element("UR", outside.instance(key))}


def _failed(outcome: Outcome) -> dict[str, Any]:
    return _identity(outcome) | {"00081197": _element("US", outcome.failure)}


def _identity(outcome: Outcome) -> dict[str, Any]:
    return {"00081150": _element("UI", outcome.sop_class), "00081155": _element("UI", outcome.sop_instance)}


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr} if value == "" else {"vr": vr, "Value": [value]}

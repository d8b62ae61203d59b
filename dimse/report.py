"""The result of a storage commitment (PS3.4 J.3.3): the message, and the call that brings it."""

from collections.abc import Iterable
from typing import Any, Final

from dimse import calls, dataset, status
from dimse.associate import Role
from dimse.calls import Call
from dimse.command import HAS_DATASET, Command, Operation
from dimse.contexts import STORAGE_COMMITMENT
from dimse.status import Status
from pacs.commitment.model import Answer, Result, Verdict
from pacs.config import Config
from pacs.dicom.attributes import tag_of
from pacs.errors import Unavailable

INSTANCE: Final = "1.2.840.10008.1.20.1.1"  # the well-known SOP instance of the push model (PS3.4 J.3.5)
_ALL_KEPT, _SOME_FAILED = 1, 2  # Event Type ID (PS3.4 Table J.3-2)

_TRANSACTION: Final = tag_of("TransactionUID")
_RETRIEVE_AET: Final = tag_of("RetrieveAETitle")
_KEPT: Final = tag_of("ReferencedSOPSequence")
_FAILED: Final = tag_of("FailedSOPSequence")
_CLASS: Final = f"{tag_of('ReferencedSOPClassUID'):08X}"
_OBJECT: Final = f"{tag_of('ReferencedSOPInstanceUID'):08X}"
_REASON: Final = f"{tag_of('FailureReason'):08X}"


def message(result: Result, message_id: int) -> Command:
    failed = any(one.verdict is not Verdict.SAFE for one in result.objects)
    return Command(
        Operation.N_EVENT_REPORT,
        message_id=message_id,
        sop_class=STORAGE_COMMITMENT,
        sop_instance=INSTANCE,
        dataset_type=HAS_DATASET,
        event_type=_SOME_FAILED if failed else _ALL_KEPT,
    )


def body(result: Result, aet: str, transfer_syntax: str) -> bytes:
    kept = [_item(one) for one in result.objects if one.verdict is Verdict.SAFE]
    failed = [_item(one) for one in result.objects if one.verdict is not Verdict.SAFE]
    elements: dict[int, dict[str, Any]] = {
        _TRANSACTION: _element("UI", result.transaction_uid),
        _RETRIEVE_AET: _element("AE", aet),
    }
    elements |= {tag: {"vr": "SQ", "Value": items} for tag, items in _present(kept, failed)}
    return dataset.encode(elements, transfer_syntax)


def is_taken(response: Command) -> bool:
    answer = Status(0x0110 if response.status is None else response.status)
    return answer.is_success or answer.is_warning


def call(config: Config, result: Result) -> None:
    """Tell the station over an association of our own, in the role of the SCP (PS3.4 J.3.3, PS3.7
    D.3.3.4). Raises Unavailable."""
    target = calls.target_of(config.dimse, result.aet)
    roles = (Role(STORAGE_COMMITMENT, scu=False, scp=True),)
    with Call.open(target, ((STORAGE_COMMITMENT, calls.PLAIN),), roles) as line:
        response = line.request(
            message(result, line.new_message_id()),
            lambda transfer_syntax: (body(result, config.dimse.aet, transfer_syntax),),
        )
    if not is_taken(response):
        said = status.comment(Status(0, response.error_comment))
        raise Unavailable(
            f"{result.aet} did not take the result: status {response.status or 0:04X} {said}".rstrip()
        )


def _present(kept: list[Any], failed: list[Any]) -> Iterable[tuple[int, list[Any]]]:
    """A sequence that would be empty is left out: it has one item at least (PS3.4 Table J.3-3)."""
    return ((tag, items) for tag, items in ((_KEPT, kept), (_FAILED, failed)) if items)


def _item(one: Answer) -> dict[str, Any]:
    item = {
        _CLASS: _element("UI", one.reference.sop_class),
        _OBJECT: _element("UI", one.reference.sop_instance),
    }
    if one.verdict is not Verdict.SAFE:
        item[_REASON] = _element("US", status.FAILURE_REASONS[one.verdict])
    return item


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}

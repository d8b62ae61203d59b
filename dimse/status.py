"""The one file that knows DIMSE status codes (PS3.7 C, PS3.4 B.2.3, C.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dimse.command import Operation
from pacs.commitment.model import Verdict
from pacs.dicom.attributes import tag_of
from pacs.errors import Conflict, Forbidden, Invalid, NotAcceptable, NotFound, PacsError, Unavailable
from pacs.ingest.examine import RULES
from pacs.ingest.receipt import Duplicate, Receipt, Refused
from pacs.orders.model import Declined, Fault

COMMENT_LENGTH: Final = 64  # Error Comment (0000,0902) has the VR LO


@dataclass(frozen=True, slots=True)
class Status:
    """`error_id` tells more of a failure, where a service defines such numbers (PS3.7 C.5), and
    `attributes` which ones it is about."""

    code: int
    comment: str = ""
    error_id: int | None = None
    attributes: tuple[int, ...] = ()

    @property
    def is_pending(self) -> bool:
        return self.code in {0xFF00, 0xFF01}

    @property
    def is_warning(self) -> bool:
        """PS3.7 C.1: warnings are 0001, 0107, 0116 and Bxxx."""
        return self.code >> 12 == 0xB or self.code in {0x0001, 0x0107, 0x0116}

    @property
    def is_success(self) -> bool:
        return self.code == 0


SUCCESS: Final = Status(0x0000)
CANCEL: Final = Status(0xFE00)
PENDING: Final = Status(0xFF00)
PENDING_UNSUPPORTED_KEYS: Final = Status(0xFF01)  # PS3.4 Table C.4-1

PROCESSING_FAILURE: Final = Status(0x0110, "internal error; see the archive's log")
INVALID_SOP_INSTANCE: Final = Status(0x0117, "Affected SOP Instance UID is not a UID")
NOT_NEGOTIATED: Final = Status(0x0122, "SOP class differs from the presentation context")
UNRECOGNIZED_OPERATION: Final = Status(0x0211, "operation not supported for this SOP class")
MISTYPED_ARGUMENT: Final = Status(0x0212, "the request has no Message ID")

# Of normalized services (PS3.7 10.1.4.1.10, C.5).
NO_SUCH_SOP_INSTANCE: Final = Status(0x0112, "no such SOP instance")
NO_SUCH_ACTION: Final = Status(0x0123, "no such action")

SOME_FAILED: Final = Status(0xB000, "one or more sub-operations failed or warned")
ALL_FAILED: Final = Status(0xA702, "no sub-operation succeeded")
DESTINATION_UNKNOWN: Final = Status(0xA801, "move destination is not configured")

IDENTIFIER_MISMATCH: Final = Status(0xA900, "identifier does not match SOP class")

# Our own, for sub-operations that never reached a peer; only counted, never sent.
_NO_CONTEXT: Final = 0xC301
NOT_SENT: Final = Status(0xC302)
NOT_READ: Final = Status(0xC303, "stored object cannot be read")

# Refused.rule to status (PS3.4 Table B.2-1). The low digits of A9xx and Cxxx are ours. 0111 (duplicate
# SOP instance) is not among the statuses of C-STORE (PS3.7 9.1.1.1.9), so keep-first has one of ours.
_REFUSED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "expected-sop-class": 0xA900,
        "expected-sop-instance": 0xA901,
        "expected-study": 0xA902,
        "expected-patient": 0xA903,
        "empty": 0xC000,
        "not-dicom": 0xC001,
        "truncated": 0xC002,
        "unreadable": 0xC003,
        "missing-uid": 0xC004,
        "invalid-uid": 0xC005,
        "transfer-syntax": 0xC006,
        "too-deep": 0xC007,
        "too-large-inflated": 0xC008,
        "described": 0xC009,
        "bulk-data": 0xC00A,
        "keep-first": 0xC011,
        "no-result": 0xC012,
    }
)
CANNOT_UNDERSTAND: Final = 0xC000

_ATTRIBUTES_KEPT: Final = 0x0107  # a warning: the rest is done (PS3.7 10.1.3.1.9)

# What is told of a performed procedure step and not taken (PS3.7 10.1.3.1.9 and 10.1.5.1.6, PS3.4 F.7.2).
_DECLINED: Final[Mapping[Fault, int]] = MappingProxyType(
    {
        Fault.DUPLICATE: 0x0111,
        Fault.UNKNOWN: 0x0112,
        Fault.FINAL: 0x0110,
        Fault.MISSING: 0x0120,
        Fault.EMPTY: 0x0121,
        Fault.INVALID: 0x0106,
    }
)
_NO_LONGER_UPDATED: Final = 0xA710  # Error ID beside 0110 (PS3.4 Table F.7.2-2)
# B000 (coercion) and B006 (elements discarded) are never due: every byte is kept as it came.
DOES_NOT_MATCH: Final = Status(0xB007, "data set does not match SOP class")

# PS3.4 Tables B.2-1, C.4-1, C.4-2 and C.4-3: out of resources differs by service.
_UNAVAILABLE: Final[Mapping[int, int]] = MappingProxyType(
    {Operation.C_STORE: 0xA700, Operation.C_FIND: 0xA700, Operation.C_MOVE: 0xA701, Operation.C_GET: 0xA701}
)
RESOURCE_LIMITATION: Final = 0x0213
_KINDS: Final[tuple[tuple[type[PacsError], int], ...]] = (
    (Forbidden, 0x0124),
    (Invalid, 0xC100),
    (NotFound, 0xC101),
    (Conflict, 0xC102),
    (NotAcceptable, 0xC103),
)
# The services of PS3.7 10 have no codes of their own to add.
_NORMALIZED_KINDS: Final[tuple[tuple[type[PacsError], int], ...]] = (
    (Forbidden, 0x0124),
    (Invalid, 0x0115),  # invalid argument value
    (NotFound, NO_SUCH_SOP_INSTANCE.code),
)
_MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x0112: "no such SOP instance",
        0x0115: "a value that is none",
        0x0124: "not authorized: the station lacks the right",
        0xC100: "unable to process: a value that is none, or a search that is too wide",
        0xC101: "unable to process: not found",
        0xC102: "unable to process: it contradicts what the archive holds",
        0xC103: "unable to process: it cannot be given in the form asked for",
    }
)


# What each service answers, besides what every one of them may.
OF_SERVICE: Final[Mapping[int, tuple[Status, ...]]] = MappingProxyType(
    {
        Operation.C_ECHO: (SUCCESS,),
        Operation.C_STORE: (
            SUCCESS,
            DOES_NOT_MATCH,
            INVALID_SOP_INSTANCE,
            NOT_NEGOTIATED,
            *(Status(code, RULES.get(rule, rule)) for rule, code in _REFUSED.items()),
        ),
        Operation.C_FIND: (SUCCESS, PENDING, PENDING_UNSUPPORTED_KEYS, CANCEL, IDENTIFIER_MISMATCH),
        Operation.C_MOVE: (
            SUCCESS, PENDING, CANCEL, SOME_FAILED, ALL_FAILED, DESTINATION_UNKNOWN, IDENTIFIER_MISMATCH,
        ),
        Operation.C_GET: (SUCCESS, PENDING, CANCEL, SOME_FAILED, ALL_FAILED, IDENTIFIER_MISMATCH),
        Operation.N_ACTION: (SUCCESS, NO_SUCH_SOP_INSTANCE, NO_SUCH_ACTION),
        **dict.fromkeys(
            (Operation.N_CREATE, Operation.N_SET),
            (
                SUCCESS,
                Status(_ATTRIBUTES_KEPT, "done; attributes of other SOP classes are kept as they are"),
                INVALID_SOP_INSTANCE,
                NOT_NEGOTIATED,
                *(Status(code, fault.value) for fault, code in _DECLINED.items()),
            ),
        ),
    }
)  # fmt: skip
OF_EVERY_SERVICE: Final = (UNRECOGNIZED_OPERATION, MISTYPED_ARGUMENT, PROCESSING_FAILURE)


def of_errors(operation: int) -> tuple[Status, ...]:
    """What the kinds of refusal become for a service."""
    unavailable = Status(_UNAVAILABLE.get(operation, RESOURCE_LIMITATION), "out of resources; try later")
    return (unavailable, *(Status(code, _MEANINGS[code]) for _, code in _kinds(operation)))


def _kinds(operation: int) -> tuple[tuple[type[PacsError], int], ...]:
    return _NORMALIZED_KINDS if Operation.N_EVENT_REPORT <= operation <= Operation.N_DELETE else _KINDS


# Failure Reason (0008,1197) of an object that a commitment does not cover (PS3.3 C.14.1.1).
FAILURE_REASONS: Final[Mapping[Verdict, int]] = MappingProxyType(
    {
        Verdict.DAMAGED: 0x0110,  # processing failure
        Verdict.ABSENT: 0x0112,  # no such object instance
        Verdict.OTHER_CLASS: 0x0119,  # class/instance conflict
        Verdict.REPEATED: 0x0131,  # duplicate transaction UID
    }
)


def of_receipt(receipt: Receipt) -> Status:
    if isinstance(receipt, Refused):
        return Status(_REFUSED.get(receipt.rule, CANNOT_UNDERSTAND), receipt.reason)
    if not isinstance(receipt, Duplicate) and receipt.remark:
        return replace(DOES_NOT_MATCH, comment=receipt.remark)
    return SUCCESS


def of_error(operation: int, error: PacsError) -> Status:
    if isinstance(error, Unavailable):
        return Status(_UNAVAILABLE.get(operation, RESOURCE_LIMITATION), str(error))
    code = next(
        (code for kind, code in _kinds(operation) if isinstance(error, kind)), PROCESSING_FAILURE.code
    )
    return Status(code, str(error))


def of_declined(declined: Declined) -> Status:
    error_id = _NO_LONGER_UPDATED if declined.fault is Fault.FINAL else None
    return Status(_DECLINED[declined.fault], declined.reason, error_id, declined.tags)


def kept(keywords: Iterable[str]) -> Status:
    """Done, but for attributes that may not be set."""
    tags = tuple(map(tag_of, keywords))
    return Status(_ATTRIBUTES_KEPT, "attributes that may not be set were left", attributes=tags)


def not_converted(error: NotAcceptable) -> Status:
    """Of a sub-operation: no transfer syntax that the peer accepts."""
    return Status(_NO_CONTEXT, str(error))


def because(status: Status, reason: str) -> Status:
    """The same with the first reason that was found, where there is one."""
    return replace(status, comment=reason) if reason else status


def mismatch(comment: str) -> Status:
    """Identifier does not match SOP Class (PS3.4 Tables C.4-1 to C.4-3)."""
    return replace(IDENTIFIER_MISMATCH, comment=comment)


def comment(status: Status) -> str:
    """The text as an LO value: its first 64 characters, without what would end or split it."""
    clean = "".join(c if " " <= c <= "~" and c != "\\" else " " for c in status.comment)
    return clean[:COMMENT_LENGTH].strip()

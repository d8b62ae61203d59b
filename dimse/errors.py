"""What can end an association before its time. None of these leaves the edge."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class AbortReason(IntEnum):
    """Reason/Diag. of an A-ABORT by the service provider (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class ProtocolError(Exception):
    """The peer sent what PS3.7 or PS3.8 does not allow; the association is aborted for `reason`."""

    def __init__(self, message: str, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


class AssociationEnded(Exception):
    """There is no association any more: lost, aborted by the peer, or silent for too long."""


class Released(AssociationEnded):
    """The peer released the association while an answer was awaited from it."""


class TimedOut(AssociationEnded):
    """The peer was silent for too long."""


class Unreached(Exception):
    """There is no association with a station that an object should go to."""


# PS3.8 Table 9-21, by source and reason.
_REJECTIONS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 1): "no reason given",
        (1, 2): "application context not supported",
        (1, 3): "our AE title is not known there",
        (1, 7): "it is not known under this AE title",
        (2, 1): "no reason given",
        (2, 2): "protocol version not supported",
        (3, 1): "temporary congestion",
        (3, 2): "local limit exceeded",
    }
)


class Rejected(AssociationEnded):
    """The peer refused our association request (PS3.8 9.3.4)."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        said = _REJECTIONS.get((source, reason), f"source {source}, reason {reason}")
        super().__init__(f"association rejected: {said}")
        self.result = result
        self.source = source
        self.reason = reason

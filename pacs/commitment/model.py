"""What a commitment is about, as values."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of one object that was to be kept."""

    OPEN = ""  # not looked at yet
    SAFE = "safe"  # its bytes were read just now, and are the recorded ones
    ABSENT = "absent"
    OTHER_CLASS = "other class"  # held under another SOP class than the one named
    DAMAGED = "damaged"  # recorded, but not found whole anywhere
    REPEATED = "repeated"  # not looked at: the transaction UID was used before


@dataclass(frozen=True, slots=True)
class Reference:
    sop_class: str
    sop_instance: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: that these objects be kept."""

    transaction_uid: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said of one object."""

    reference: Reference
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What the station `aet` is to be told."""

    id: int
    aet: str
    transaction_uid: str
    objects: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Commitment:
    """A row of the table. Moments are 0 until they have come; `told_by` says over which association."""

    id: int
    aet: str
    transaction_uid: str
    objects: int
    failed: int
    asked_ns: int
    decided_ns: int
    told_ns: int
    told_by: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A commitment as an operator sees it. `parked`: it is tried no more until somebody asks."""

    commitment: Commitment
    attempts: int
    parked: bool
    reason: str

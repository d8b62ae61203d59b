"""Values of the reading list."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pacs.errors import Invalid

_LONGEST_TEXT: Final = 200


class Requested(StrEnum):
    """Requested Procedure Priority (0040,1003), PS3.3 C.4.11, as far as it orders anything."""

    STAT = "STAT"
    HIGH = "HIGH"
    ROUTINE = "ROUTINE"
    LOW = "LOW"


class State(StrEnum):
    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"
    GONE = "gone"  # deleted: not in the list any more, and only ever told as a change


class Verdict(StrEnum):
    """What a reader thinks of a finding."""

    ACCEPTED = "accepted"
    MODIFIED = "modified"  # right in substance, not as it was said
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a model believes it saw. Severity and confidence are 0..1. Raises Invalid."""

    name: str
    severity: float
    confidence: float

    def __post_init__(self) -> None:
        check_text("finding", self.name)
        for what, value in (("severity", self.severity), ("confidence", self.confidence)):
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise Invalid(f"the {what} of a finding lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Run:
    """One answer of a model; `id` is the caller's, and the same run is taken once. A run of a lower
    `ordinal` than another of the model on the same study came too late. Raises Invalid."""

    id: str
    model: str
    version: str
    ordinal: int = 0

    def __post_init__(self) -> None:
        for what, value in (("run", self.id), ("model", self.model), ("model version", self.version)):
            check_text(what, value)


@dataclass(frozen=True, slots=True)
class Raised:
    """A finding on record."""

    id: int
    model: str
    model_version: str
    finding: Finding
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A study in the list. `patient_id` is for the audit trail only; `lead` is the finding behind
    the urgency (0..1). Times are nanoseconds since the epoch, 0 where nothing happened."""

    study_uid: str
    patient_id: str
    state: State
    waiting_since_ns: int
    requested: Requested = Requested.ROUTINE
    urgency: float = 0.0
    lead: Raised | None = None
    holder: str = ""
    held_until_ns: int = 0
    done_by: str = ""
    done_ns: int = 0
    generation: int = 0
    rank_ns: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the list: what comes behind it is behind it at any time."""

    rank_ns: int
    study_uid: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """`version` is the one to ask for changes since."""

    items: tuple[WorkItem, ...]
    next: Place | None
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Items as they are now that changed; ask again with `version`, at once when there are `more`."""

    items: tuple[WorkItem, ...]
    version: int
    more: bool


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """How the findings of one version of a model fared with the readers."""

    model: str
    model_version: str
    accepted: int
    modified: int
    rejected: int


def check_text(what: str, value: str) -> None:
    if not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        raise Invalid(f"the {what} needs a name of 1 to {_LONGEST_TEXT} printable characters")

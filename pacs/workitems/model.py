"""Values of the unified worklist (PS3.4 CC)."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from pacs.errors import Conflict
from pacs.query.model import Element

PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
"""SOP class of every step, whoever made it (PS3.4 CC.2.5.1.3.1)."""
EVERY: Final = "1.2.840.10008.5.1.4.34.5"
"""Stands for all steps in a subscription (PS3.4 CC.2.3.2)."""
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"
"""Stands for the steps that match the keys of a subscription."""

DataSet = dict[str, Element]


class StepState(StrEnum):
    """Procedure Step State (0074,1000), PS3.4 CC.1.1."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        return self in {StepState.COMPLETED, StepState.CANCELED}


class Notice(StrEnum):
    """What a caller whose request was met should know beside that (the warnings of PS3.4 CC.2)."""

    CREATED_MODIFIED = "created with modifications"
    UPDATED_MODIFIED = "updated with modifications"
    ALREADY_CANCELED = "already canceled"
    ALREADY_COMPLETED = "already completed"


class Rule(StrEnum):
    """Why a step does not allow what is asked (the failures of PS3.4 CC.2)."""

    EXISTS = "exists"  # 0111
    FINAL = "final"  # C300
    TRANSACTION_MISSING = "transaction missing"  # C301
    TRANSACTION_WRONG = "transaction wrong"  # C301
    IN_PROGRESS = "in progress"  # C302
    REQUIREMENTS = "final state requirements"  # C304
    NOT_CLAIMED = "not in progress"  # C310
    COMPLETED = "completed"  # C311
    UNREACHABLE = "performer unreachable"  # C312
    HELD = "held"  # the study is in other hands


class StepRefusal(Conflict):
    """The state of the step, or whose it is, does not allow it."""

    def __init__(self, rule: Rule, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Step:
    """One unified procedure step. `dataset` is DICOM JSON without the transaction UID, which only its
    performer knows; that is empty before anybody has claimed the step, and while the archive itself does
    it. `is_reading`: the step is an item of the reading list, and goes with it."""

    uid: str
    state: StepState
    dataset: DataSet
    transaction_uid: str = ""
    is_reading: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether the archive itself does it, for somebody who does not know of steps."""
        return self.state is StepState.IN_PROGRESS and not self.transaction_uid


@dataclass(frozen=True, slots=True)
class Page:
    """`more` says that there are matches beyond."""

    matches: tuple[DataSet, ...]
    more: bool
    warnings: tuple[str, ...] = ()


class EventType(IntEnum):
    """PS3.4 Table CC.2.4-1."""

    STATE = 1
    CANCEL_REQUESTED = 2
    PROGRESS = 3
    SCP_STATUS = 4
    ASSIGNED = 5


@dataclass(frozen=True, slots=True)
class Report:
    """One event report, as it goes to a subscriber; `dataset` holds the attributes of its type."""

    message_id: int
    uid: str
    type: EventType
    dataset: DataSet

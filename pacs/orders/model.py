"""Values of this room. The whole of what was said is a data set of the DICOM JSON Model; the types
are what people and programs mostly ask of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

DataSet = dict[str, dict[str, Any]]


class StepStatus(StrEnum):
    """Scheduled Procedure Step Status (0040,0020), PS3.3 C.4.10. The last three are ours: its terms
    are defined, not enumerated, and it has none for what is over."""

    SCHEDULED = "SCHEDULED"
    ARRIVED = "ARRIVED"
    READY = "READY"
    STARTED = "STARTED"
    DEPARTED = "DEPARTED"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"
    CANCELLED = "CANCELLED"


TO_BE_SAID: Final = frozenset(
    {StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.READY, StepStatus.DEPARTED}
)
"""What an order may say of its steps; the rest comes of what is done with them."""

ENDED: Final = frozenset({StepStatus.COMPLETED, StepStatus.DISCONTINUED, StepStatus.CANCELLED})


class Progress(StrEnum):
    """Performed Procedure Step Status (0040,0252), PS3.3 C.4.14."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class Code:
    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Patient:
    """`birth_date` is YYYYMMDD; what is not known is empty."""

    id: str
    name: str
    issuer: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Procedure:
    """What was asked for (requested procedure)."""

    id: str
    description: str = ""
    codes: tuple[Code, ...] = ()
    priority: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What a station is to do for it (scheduled procedure step)."""

    id: str
    station_aets: tuple[str, ...]
    modality: str
    start_date: str
    start_time: str
    status: StepStatus
    performing_physician: str = ""
    station_name: str = ""
    location: str = ""
    description: str = ""
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Performed:
    """What a station told of its work. `reason` is why it was discontinued, if it said so."""

    uid: str
    status: Progress
    station: str
    created_ns: int
    changed_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """`dataset` is the whole worklist item, all its steps in it; `cancelled_ns` 0 while it stands."""

    number: int
    placed_by: str
    placed_ns: int
    cancelled_ns: int
    study_uid: str
    accession_number: str
    patient: Patient
    referring_physician: str
    requesting_physician: str
    procedure: Procedure
    steps: tuple[Step, ...]
    performed: tuple[Performed, ...] = ()
    dataset: DataSet = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Newest first; `next` is the number to go on below, None at the end."""

    orders: tuple[Order, ...]
    next: int | None


class Fault(StrEnum):
    """Why what a modality tells of its work is not taken (PS3.7 C.5)."""

    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"
    FINAL = "final"  # nothing can be said of it any more
    MISSING = "missing attribute"
    EMPTY = "missing value"
    INVALID = "invalid value"


@dataclass(frozen=True, slots=True)
class Declined:
    """`reason` names attributes, never their values."""

    fault: Fault
    reason: str
    tags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """`kept` names attributes that were to be changed and may not be: they are as they were."""

    kept: tuple[str, ...] = ()

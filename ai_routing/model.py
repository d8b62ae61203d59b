"""What a model is asked, what it answers, and the one thing it has to be able to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """How bad it would be, if it is there; `ai_routing.results` says what each is worth."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class InstanceListed:
    """`frames` is 0 for an object without pixel data."""

    uid: str
    sop_class: str
    frames: int


@dataclass(frozen=True, slots=True)
class SeriesListed:
    uid: str
    modality: str
    instances: tuple[InstanceListed, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one model over one study. `version` is empty when any version will do; `series`
    holds what was acquired, in stable order, without reports, presentation states and segmentations."""

    run: str
    study_uid: str
    patient_id: str
    model: str
    version: str
    series: tuple[SeriesListed, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Where it is seen; `frames` count from 1, none means the whole instance."""

    series_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingSaid:
    """What a model says it saw, not yet checked. `confidence` is 0..1."""

    name: str
    severity: Severity
    confidence: float
    code: Code | None = None
    references: tuple[Reference, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`version` is that of the model which answered; no findings mean that it found nothing."""

    version: str
    findings: tuple[FindingSaid, ...]


class Model(Protocol):
    """One configured model. A module that provides a kind of model has a function
    `build(config: AiModel, archive: Archive) -> Model` (see `ai_routing.dispatch`)."""

    def read(self, job: Job) -> Answer | None:
        """The findings; None when they will be told later. May be asked the same job again.

        Raises Unavailable when it may work later, any other PacsError when it never will."""
        ...

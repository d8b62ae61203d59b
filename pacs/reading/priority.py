"""Which study is read next. Pure functions.

Urgency and requested priority are worth a head start: so much waiting time that the study is given
for nothing. At any moment the order is by waiting time plus head start, longest first. Because all
that wait grow older together, that is the same as the order by the moment a study *would have* begun
to wait without its head start: a number that need not be written again as time passes.

Nothing starves: whatever comes later than the greatest head start stands behind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pacs.reading.model import Finding, Place, Raised, Requested, Verdict

_HOUR_NS: Final = 3_600_000_000_000
_REQUESTED: Final = MappingProxyType(
    {
        Requested.STAT: 12 * _HOUR_NS,
        Requested.HIGH: 4 * _HOUR_NS,
        Requested.ROUTINE: 0,
        Requested.LOW: -4 * _HOUR_NS,
    }
)


@dataclass(frozen=True, slots=True)
class Weights:
    """What the greatest urgency and each requested priority are worth, in nanoseconds of waiting.
    They may be set to anything that keeps STAT >= HIGH >= ROUTINE >= LOW."""

    urgency_ns: int = 24 * _HOUR_NS
    requested_ns: Mapping[Requested, int] = field(default_factory=lambda: _REQUESTED)


DEFAULT: Final = Weights()


def weight(finding: Finding) -> float:
    """0..1, growing with severity and with confidence."""
    return finding.severity * finding.confidence


def leading(findings: Iterable[Raised]) -> Raised | None:
    """The finding that decides: the weightiest that no reader has rejected; the earliest of equals.

    Not a sum: many small findings, or the same one told by many models, do not add up to a great one."""
    standing = [raised for raised in findings if raised.verdict is not Verdict.REJECTED]
    return max(standing, key=lambda raised: (weight(raised.finding), -raised.id), default=None)


def urgency(findings: Iterable[Raised]) -> float:
    """0..1; 0 without findings. No finding makes it less."""
    lead = leading(findings)
    return 0.0 if lead is None else weight(lead.finding)


def head_start_ns(urgent: float, requested: Requested, weights: Weights = DEFAULT) -> int:
    return round(urgent * weights.urgency_ns) + weights.requested_ns[requested]


def place(
    study_uid: str, waiting_since_ns: int, urgent: float, requested: Requested, weights: Weights = DEFAULT
) -> Place:
    """Its place in the list, lowest first; one study is never at the place of another."""
    return Place(waiting_since_ns - head_start_ns(urgent, requested, weights), study_uid)

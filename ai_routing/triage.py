"""From what a model says to how urgent the study is: pure, and monotone in severity and confidence."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ai_routing.model import Answer, Severity
from pacs.reading.model import Finding

WORTH: Final[Mapping[Severity, float]] = MappingProxyType(
    {Severity.MILD: 0.25, Severity.MODERATE: 0.5, Severity.SEVERE: 0.75, Severity.CRITICAL: 1.0}
)


def findings(answer: Answer) -> Iterable[Finding]:
    """As the reading list takes them (`pacs.reading.priority` weighs severity by confidence)."""
    return tuple(Finding(said.name, WORTH[said.severity], said.confidence) for said in answer.findings)

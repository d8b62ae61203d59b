"""An Answer as JSON and back. What comes back was made by somebody else's program."""

import math
from collections.abc import Mapping
from typing import Any, Final

from ai_routing.model import Answer, Code, FindingSaid, Reference, Severity

_MOST_FINDINGS: Final = 1000
_LONGEST: Final = 10_000
_MOST_REFERENCES: Final = 10_000


def plain(answer: Answer) -> dict[str, Any]:
    """Numbers may be those of numpy. Raises TypeError, ValueError for what is none."""
    return {"version": str(answer.version), "findings": [_finding(one) for one in answer.findings]}


def parse(said: Any) -> Answer:
    """Raises ValueError."""
    try:
        findings = said["findings"][: _MOST_FINDINGS + 1]
        if len(findings) > _MOST_FINDINGS:
            raise ValueError("too many findings")
        return Answer(_text(said["version"]), tuple(_parsed(one) for one in findings))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("this is no answer of a model") from error


def _finding(said: FindingSaid) -> dict[str, Any]:
    code = said.code
    return {
        "name": str(said.name),
        "severity": Severity(said.severity).value,
        "confidence": float(said.confidence),
        "code": None if code is None else [code.value, code.scheme, code.meaning],
        "references": [
            [one.series_uid, one.sop_instance_uid, [int(n) for n in one.frames]] for one in said.references
        ],
        "text": str(said.text),
    }


def _parsed(said: Mapping[str, Any]) -> FindingSaid:
    confidence = float(said["confidence"])
    if not (math.isfinite(confidence) and 0 <= confidence <= 1):
        raise ValueError("a confidence lies between 0 and 1")
    references = said["references"]
    if len(references) > _MOST_REFERENCES:
        raise ValueError("too many references")
    code = said["code"]
    return FindingSaid(
        name=_text(said["name"]),
        severity=Severity(said["severity"]),
        confidence=confidence,
        code=None if code is None else Code(*map(_text, code)),
        references=tuple(_reference(*one) for one in references),
        text=_text(said["text"]),
    )


def _reference(series: str, instance: str, frames: list[int]) -> Reference:
    if any(type(number) is not int or number < 1 for number in frames):
        raise ValueError("frame numbers begin at 1")
    return Reference(_text(series), _text(instance), tuple(frames))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("a text is missing or too long")
    return value

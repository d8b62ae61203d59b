"""An Answer as JSON, in the form that `ai_routing.wire` reads and checks."""

from typing import Any

from ai_routing.model import Answer, FindingSaid, Severity


def plain(answer: Answer) -> dict[str, Any]:
    """Numbers may be those of numpy. Raises TypeError, ValueError for what is none."""
    return {"version": str(answer.version), "findings": [_finding(one) for one in answer.findings]}


def _finding(said: FindingSaid) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": str(said.name),
        "severity": Severity(said.severity).value,
        "confidence": float(said.confidence),
        "references": [
            {
                "series": one.series_uid,
                "instance": one.sop_instance_uid,
                "frames": [int(number) for number in one.frames],
            }
            for one in said.references
        ],
        "text": str(said.text),
    }
    if said.code is not None:
        code = said.code
        found["code"] = {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}
    return found

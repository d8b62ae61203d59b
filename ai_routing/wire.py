"""The wire between the archive and a model over HTTP, as docs/ai-models.md has it. No I/O."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ai_routing.model import Answer, Code, FindingSaid, Job, Reference, Severity
from pacs.dicom import uids
from pacs.errors import Invalid

MOST_BYTES: Final = 1 << 20
MOST_FINDINGS: Final = 100
MOST_REFERENCES: Final = 100  # of one finding
MOST_FRAMES: Final = 1000  # of one reference
_LONGEST_NAME: Final = 64  # the meaning of a code is a LO (PS3.5 6.2)
_LONGEST_TEXT: Final = 1000
_DEEPEST: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Access:
    """How the model reaches the study and tells its findings."""

    dicomweb: str
    findings_url: str
    token: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class About:
    """What an answer has to be about. `version` is empty when any will do."""

    run: str
    study_uid: str
    patient_id: str
    model: str
    version: str


def job(asked: Job, access: Access) -> bytes:
    """The body of a job."""
    series = [
        {
            "series": one.uid,
            "modality": one.modality,
            "instances": [
                {"instance": item.uid, "sop_class": item.sop_class, "frames": item.frames}
                for item in one.instances
            ],
        }
        for one in asked.series
    ]
    expires = datetime.fromtimestamp(access.until_ns // 10**9, tz=UTC)
    return orjson.dumps(
        {
            "run": asked.run,
            "model": {"name": asked.model, "version": asked.version},
            "study": asked.study_uid,
            "patient_id": asked.patient_id,
            "series": series,
            "dicomweb": access.dicomweb,
            "findings_url": access.findings_url,
            "token": access.token,
            "expires": expires.isoformat().replace("+00:00", "Z"),
        }
    )


def spelled(said: Answer, about: About) -> bytes:
    """An answer as a model would send it."""
    return orjson.dumps(
        {
            "run": about.run,
            "model": {"name": about.model, "version": said.version},
            "study": about.study_uid,
            "patient_id": about.patient_id,
            "findings": [_spelled(one) for one in said.findings],
        }
    )


def answer(body: bytes, about: About) -> Answer:
    """Raises Invalid for anything but an answer in form, about the right run, study and patient."""
    if len(body) > MOST_BYTES:
        raise Invalid(f"an answer has at most {MOST_BYTES} bytes")
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the answer is not JSON") from None
    fields = _object(tree, "the answer", {"run", "model", "study", "patient_id", "findings"})
    model = _object(fields["model"], "model", {"name", "version"})
    version = _text(model["version"], "model.version", _LONGEST_NAME)
    _same(fields["run"], about.run, "run")
    _same(fields["study"], about.study_uid, "study")
    _same(fields["patient_id"], about.patient_id, "patient_id")
    _same(model["name"], about.model, "model.name")
    if about.version and version != about.version:
        raise Invalid("model.version is not the version configured for this model")
    return Answer(version, _several(fields["findings"], "findings", MOST_FINDINGS, _finding))


def _spelled(said: FindingSaid) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": said.name,
        "severity": said.severity,
        "confidence": said.confidence,
        "references": [
            {"series": one.series_uid, "instance": one.sop_instance_uid, "frames": list(one.frames)}
            for one in said.references
        ],
        "text": said.text,
    }
    if said.code is not None:
        found["code"] = {
            "value": said.code.value,
            "scheme": said.code.scheme,
            "meaning": said.code.meaning,
        }
    return found


def _finding(raw: Any, where: str) -> FindingSaid:
    fields = _object(raw, where, {"name", "severity", "confidence"}, {"code", "references", "text"})
    references = fields.get("references", [])
    return FindingSaid(
        name=_text(fields["name"], f"{where}.name", _LONGEST_NAME),
        severity=_severity(fields["severity"], f"{where}.severity"),
        confidence=_confidence(fields["confidence"], f"{where}.confidence"),
        code=_code(fields["code"], f"{where}.code") if "code" in fields else None,
        references=_several(references, f"{where}.references", MOST_REFERENCES, _reference),
        text=_text(fields.get("text", ""), f"{where}.text", _LONGEST_TEXT, least=0),
    )


def _severity(raw: Any, where: str) -> Severity:
    if raw not in list(Severity):
        raise Invalid(f"{where} is one of {', '.join(Severity)}")
    return Severity(raw)


def _confidence(raw: Any, where: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise Invalid(f"{where} is a number from 0 to 1")
    if not 0.0 <= raw <= 1.0:
        raise Invalid(f"{where} is a number from 0 to 1")
    return float(raw)


def _code(raw: Any, where: str) -> Code:
    fields = _object(raw, where, {"value", "scheme", "meaning"})
    return Code(
        _text(fields["value"], f"{where}.value", 16),  # SH
        _text(fields["scheme"], f"{where}.scheme", 16),
        _text(fields["meaning"], f"{where}.meaning", _LONGEST_NAME),
    )


def _reference(raw: Any, where: str) -> Reference:
    fields = _object(raw, where, {"series", "instance"}, {"frames"})
    frames = _several(fields.get("frames", []), f"{where}.frames", MOST_FRAMES, _frame)
    return Reference(
        _uid(fields["series"], f"{where}.series"), _uid(fields["instance"], f"{where}.instance"), frames
    )


def _frame(raw: Any, where: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < _DEEPEST:
        raise Invalid(f"{where} is a frame number from 1")
    return raw


def _uid(raw: Any, where: str) -> str:
    if not isinstance(raw, str) or not uids.is_valid(raw):
        raise Invalid(f"{where} is no UID")
    return raw


def _object(raw: Any, where: str, needed: set[str], allowed: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise Invalid(f"{where} is a JSON object")
    if missing := needed - raw.keys():
        raise Invalid(f"{where} lacks {', '.join(sorted(missing))}")
    if raw.keys() - needed - set(allowed):  # its name is the sender's: it is not repeated
        raise Invalid(
            f"{where} has a member that is not known",
            hint=f"known are {', '.join(sorted({*needed, *allowed}))}",
        )
    return raw


def _several(raw: Any, where: str, most: int, read: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if not isinstance(raw, list) or len(raw) > most:
        raise Invalid(f"{where} is a list of at most {most}")
    return tuple(read(one, f"{where}[{number}]") for number, one in enumerate(raw))


def _text(raw: Any, where: str, longest: int, *, least: int = 1) -> str:
    """Neither line breaks nor backslashes: it is to stand in one value of an object (PS3.5 6.1.3)."""
    if not isinstance(raw, str) or not least <= len(raw) <= longest:
        raise Invalid(f"{where} is text of {least} to {longest} characters")
    if raw and (not raw.isprintable() or "\\" in raw or raw != raw.strip()):
        raise Invalid(f"{where} holds a character that it may not hold")
    return raw


def _same(raw: Any, expected: str, where: str) -> None:
    # What it is instead is not repeated: it may tell of another patient.
    if raw != expected:
        raise Invalid(f"{where} is not the one of this job")

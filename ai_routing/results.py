"""Is the answer about what was asked? What an answer names is looked up before any of it is believed."""

import hashlib
from collections.abc import Mapping

from ai_routing.model import Answer, Reference
from pacs.dicom import uids
from pacs.errors import Invalid
from pacs.index.survey import Object


def check(answer: Answer, known: Mapping[str, Object]) -> None:
    """`known` are the objects of the study among those named. Raises Invalid."""
    for number, said in enumerate(answer.findings):
        for reference in said.references:
            _check(reference, known.get(reference.sop_instance_uid), f"findings[{number}]")


def named(answer: Answer) -> frozenset[str]:
    """Every SOP Instance UID that the answer refers to."""
    return frozenset(reference.sop_instance_uid for said in answer.findings for reference in said.references)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _check(reference: Reference, found: Object | None, where: str) -> None:
    if found is None or found.series_uid != reference.series_uid:
        raise Invalid(f"{where} refers to an object that is not in the study")
    if uids.is_remark(found.sop_class):
        raise Invalid(f"{where} refers to an object that is not what was acquired")
    if any(frame > max(found.frames, 1) for frame in reference.frames):
        raise Invalid(f"{where} refers to a frame that the object does not have")

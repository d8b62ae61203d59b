"""What a modality must tell of a performed procedure step, and what may come after what: pure.

PS3.4 Table F.7.2-1 as data: the requirement on the SCU at N-CREATE, whether N-SET may change it, and
what must be there in the final state where that is more. Attributes that are not here are optional.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pacs.dicom import uids
from pacs.dicom.attributes import tag_of
from pacs.orders import item
from pacs.orders.model import DataSet, Declined, Fault, Progress

STATUS: Final = "PerformedProcedureStepStatus"
WRONG_ENTRY: Final = ("110514", "DCM")
"""Discontinuation reason "Incorrect worklist entry selected" (PS3.16 CID 9300): the scheduled step was
not touched, and is to be done."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`create` and `final` are the types of PS3.5 7.4, 3 where nothing is required; `items` is what each
    item of a sequence needs."""

    keyword: str
    create: int = 3
    final: int = 3
    may_be_set: bool = True
    items: tuple["Rule", ...] = ()


def _fixed(keyword: str, create: int, *items: Rule) -> Rule:
    return Rule(keyword, create, may_be_set=False, items=items)


_REFERENCE: Final = (Rule("ReferencedSOPClassUID", 1), Rule("ReferencedSOPInstanceUID", 1))
_FIXED_REFERENCE: Final = tuple(_fixed(rule.keyword, 1) for rule in _REFERENCE)
_SERIES: Final = (
    Rule("PerformingPhysicianName", 2),
    Rule("ProtocolName", 1),
    Rule("OperatorsName", 2),
    Rule("SeriesInstanceUID", 1),
    Rule("SeriesDescription", 2),
    Rule("RetrieveAETitle", 2),
    Rule("ReferencedImageSequence", 2, items=_REFERENCE),
    Rule("ReferencedNonImageCompositeSOPInstanceSequence", 2, items=_REFERENCE),
)
RULES: Final = (
    _fixed(
        "ScheduledStepAttributesSequence",
        1,
        _fixed("StudyInstanceUID", 1),
        _fixed("ReferencedStudySequence", 2, *_FIXED_REFERENCE),
        _fixed("AccessionNumber", 2),
        _fixed("RequestedProcedureID", 2),
        _fixed("RequestedProcedureDescription", 2),
        _fixed("ScheduledProcedureStepID", 2),
        _fixed("ScheduledProcedureStepDescription", 2),
        _fixed("ScheduledProtocolCodeSequence", 2),
    ),
    _fixed("PatientName", 2),
    _fixed("PatientID", 2),
    _fixed("IssuerOfPatientID", 3),
    _fixed("OtherPatientIDsSequence", 3),
    _fixed("PatientBirthDate", 2),
    _fixed("PatientSex", 2),
    _fixed("ReferencedPatientSequence", 2, *_FIXED_REFERENCE),
    _fixed("AdmissionID", 3),
    _fixed("ServiceEpisodeID", 3),
    _fixed("ServiceEpisodeDescription", 3),
    _fixed("PerformedProcedureStepID", 1),
    _fixed("PerformedStationAETitle", 1),
    _fixed("PerformedStationName", 2),
    _fixed("PerformedLocation", 2),
    _fixed("PerformedProcedureStepStartDate", 1),
    _fixed("PerformedProcedureStepStartTime", 1),
    Rule(STATUS, 1, 1),
    Rule("PerformedProcedureStepDescription", 2),
    Rule("PerformedProcedureTypeDescription", 2),
    Rule("ProcedureCodeSequence", 2),
    Rule("PerformedProcedureStepEndDate", 2, 1),
    Rule("PerformedProcedureStepEndTime", 2, 1),
    _fixed("Modality", 1),
    _fixed("StudyID", 2),
    Rule("PerformedProtocolCodeSequence", 2),
    Rule("PerformedSeriesSequence", 2, 1, items=_SERIES),
)
_NOT_TO_BE_SET: Final = MappingProxyType(
    {item.key(rule.keyword): rule.keyword for rule in RULES if not rule.may_be_set}
)
_UIDS: Final = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "ReferencedSOPInstanceUID"})


def created(dataset: DataSet) -> Declined | None:
    """Whether a step may begin so (F.7.2.1)."""
    said = item.text(dataset, STATUS)
    if said and said != Progress.IN_PROGRESS:
        return Declined(Fault.INVALID, f"{STATUS} must be IN PROGRESS at first", (tag_of(STATUS),))
    return _lacking(dataset, final=False) or _malformed(dataset)


def changed(before: Mapping[str, Any], change: DataSet) -> tuple[DataSet, tuple[str, ...]] | Declined:
    """The step as it will be, and the attributes that were to be changed but may not (F.7.2.2)."""
    if item.text(before, STATUS) != Progress.IN_PROGRESS:
        return Declined(Fault.FINAL, "Performed Procedure Step Object may no longer be updated")
    if item.key(STATUS) in change and item.text(change, STATUS) not in set(Progress):
        return Declined(Fault.INVALID, f"{STATUS} has no such value", (tag_of(STATUS),))
    kept = tuple(
        keyword for tag, keyword in _NOT_TO_BE_SET.items() if tag in change and change[tag] != before.get(tag)
    )
    allowed = {tag: element for tag, element in change.items() if tag not in _NOT_TO_BE_SET}
    after = dict(sorted((dict(before) | allowed).items()))
    final = item.text(after, STATUS) != Progress.IN_PROGRESS
    refused = (_lacking(after, final=True) if final else None) or _malformed(after)
    return refused or (after, kept)


def _lacking(dataset: DataSet, *, final: bool) -> Declined | None:
    missing: list[int] = []
    empty: list[int] = []
    for fault, rule in _faults(dataset, RULES, final=final):
        (missing if fault is Fault.MISSING else empty).append(tag_of(rule.keyword))
    for fault, tags in ((Fault.MISSING, missing), (Fault.EMPTY, empty)):
        if tags:
            return Declined(fault, f"{fault} " + _listed(tags), tuple(dict.fromkeys(tags)))
    return None


def _faults(
    dataset: Mapping[str, Any], rules: Iterable[Rule], *, final: bool
) -> Iterator[tuple[Fault, Rule]]:
    stopped = item.text(dataset, STATUS) == Progress.DISCONTINUED
    for rule in rules:
        needed = min(rule.create, rule.final) if final else rule.create
        if stopped and rule.keyword == "PerformedSeriesSequence":
            # What was stopped before its first image has no series to tell of. The table wants one,
            # but a step that cannot be ended for it would stand there as in progress for ever.
            needed = 2
        if needed <= 2 and item.key(rule.keyword) not in dataset:
            yield Fault.MISSING, rule
        elif needed == 1 and item.is_empty(dataset, rule.keyword):
            yield Fault.EMPTY, rule
        for inner in item.items(dataset, rule.keyword) if rule.items else ():
            yield from _faults(inner, rule.items, final=final)


def _malformed(dataset: Mapping[str, Any]) -> Declined | None:
    wrong = [keyword for keyword, uid in _named(dataset, RULES) if not uids.is_valid(uid)]
    if not wrong:
        return None
    tags = tuple(map(tag_of, dict.fromkeys(wrong)))
    return Declined(Fault.INVALID, f"{_listed(tags)} holds what is no UID", tags)


def _named(dataset: Mapping[str, Any], rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        if rule.keyword in _UIDS:
            yield from ((rule.keyword, uid) for uid in item.texts(dataset, rule.keyword))
        for inner in item.items(dataset, rule.keyword) if rule.items else ():
            yield from _named(inner, rule.items)


def _listed(tags: Iterable[int]) -> str:
    return " ".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in dict.fromkeys(tags))


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Which scheduled step a performed one is for, as the modality says; empty where it is for none."""

    study_uid: str
    accession_number: str
    step_id: str


def scheduled(dataset: Mapping[str, Any]) -> tuple[Scheduled, ...]:
    return tuple(
        Scheduled(
            item.text(one, "StudyInstanceUID"),
            item.text(one, "AccessionNumber"),
            item.text(one, "ScheduledProcedureStepID"),
        )
        for one in item.items(dataset, "ScheduledStepAttributesSequence")
    )


def instances(dataset: Mapping[str, Any]) -> frozenset[str]:
    """The SOP Instance UIDs of all that was made."""
    return frozenset(
        item.text(reference, "ReferencedSOPInstanceUID")
        for series in item.items(dataset, "PerformedSeriesSequence")
        for kind in ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
        for reference in item.items(series, kind)
    )


def reason(dataset: Mapping[str, Any]) -> tuple[str, str]:
    """Code and scheme of why it was discontinued; empty when it does not say."""
    for code in item.items(dataset, "PerformedProcedureStepDiscontinuationReasonCodeSequence"):
        return item.text(code, "CodeValue"), item.text(code, "CodingSchemeDesignator")
    return "", ""

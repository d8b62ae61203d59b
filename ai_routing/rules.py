"""Which models a study goes to: a pure function of the study and the rules."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pacs.config import AiRule
from pacs.dicom import uids
from pacs.index.survey import Survey

_YEAR_DAYS: Final = 365.2425
_AGE: Final = re.compile(r"(\d{3})([DWMY])")  # AS, PS3.5 6.2
_DAYS: Final = {"D": 1.0, "W": 7.0, "M": _YEAR_DAYS / 12, "Y": _YEAR_DAYS}


@dataclass(frozen=True, slots=True)
class Study:
    """What the rules look at: what was acquired, not what was said of it since. `age_years` is None
    while it is unknown."""

    modalities: frozenset[str]
    body_parts: frozenset[str]
    sop_classes: frozenset[str]
    description: str
    instances: int
    age_years: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model, and the first rule that names it."""

    model: str
    rule: str


def study_of(survey: Survey) -> Study:
    acquired = [part for part in survey.parts if not uids.is_remark(part.sop_class)]
    return Study(
        modalities=frozenset(part.modality.upper() for part in acquired if part.modality),
        body_parts=frozenset(part.body_part.upper() for part in acquired if part.body_part),
        sop_classes=frozenset(part.sop_class for part in acquired),
        description=survey.description,
        instances=sum(part.count for part in acquired),
        age_years=_age_years(survey),
    )


def wanted(study: Study, rules: Sequence[AiRule]) -> tuple[Wanted, ...]:
    """Every model once, in the order of the rules. Nothing that was acquired goes to no model."""
    found: dict[str, Wanted] = {}
    for rule in rules if study.instances else ():
        if rule.model not in found and all(condition(rule, study) for condition in _CONDITIONS):
            found[rule.model] = Wanted(rule.model, rule.name)
    return tuple(found.values())


def _any_of(asked: tuple[str, ...], found: frozenset[str]) -> bool:
    return not asked or not found.isdisjoint(value.upper() for value in asked)


def _described(rule: AiRule, study: Study) -> bool:
    # No [seq] of fnmatch: a description can hold brackets.
    pattern = rule.description.replace("[", "[[]").casefold()
    return not pattern or fnmatch.fnmatchcase(study.description.casefold(), pattern)


def _counted(rule: AiRule, study: Study) -> bool:
    return rule.min_instances <= study.instances <= (rule.max_instances or study.instances)


def _old_enough(rule: AiRule, study: Study) -> bool:
    if not rule.min_age_years and not rule.max_age_years:
        return True
    if study.age_years is None:
        return False
    return rule.min_age_years <= study.age_years <= (rule.max_age_years or study.age_years)


_CONDITIONS: Final[tuple[Callable[[AiRule, Study], bool], ...]] = (
    lambda rule, study: _any_of(rule.modalities, study.modalities),
    lambda rule, study: _any_of(rule.body_parts, study.body_parts),
    lambda rule, study: _any_of(rule.sop_classes, study.sop_classes),
    _described,
    _counted,
    _old_enough,
)


def _age_years(survey: Survey) -> float | None:
    """By the dates; else as it was written down."""
    born, then = _day(survey.birth_date), _day(survey.study_date)
    if born is not None and then is not None and then >= born:
        return (then - born).days / _YEAR_DAYS
    said = _AGE.fullmatch(survey.age.strip())
    return int(said[1]) * _DAYS[said[2]] / _YEAR_DAYS if said else None


def _day(date: str) -> datetime | None:
    try:
        return datetime.strptime(date, "%Y%m%d")  # noqa: DTZ007 - a day of the calendar, no moment
    except ValueError:
        return None

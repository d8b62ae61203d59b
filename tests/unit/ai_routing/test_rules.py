"""Which models a study goes to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_routing.rules import Study, Wanted, study_of, wanted
from pacs.config import AiRule
from pacs.index.survey import Part, Survey

CT, SR, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.66.4"
STUDY = Study(
    frozenset({"CT", "PT"}), frozenset({"CHEST"}), frozenset({CT}), "CT Thorax [low dose]", 300, 45.0
)


def rule(**conditions: object) -> AiRule:
    return AiRule("r", "m", **conditions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "study", "applies"),
    [
        (rule(), STUDY, True),
        (rule(), replace(STUDY, instances=0), False),
        (rule(modalities=("CT", "MR")), STUDY, True),
        (rule(modalities=("ct",)), STUDY, True),
        (rule(modalities=("MR",)), STUDY, False),
        (rule(body_parts=("Chest",)), STUDY, True),
        (rule(body_parts=("HEAD",)), STUDY, False),
        (rule(body_parts=("HEAD",)), replace(STUDY, body_parts=frozenset()), False),
        (rule(sop_classes=(CT,)), STUDY, True),
        (rule(sop_classes=(SEG,)), STUDY, False),
        (rule(description="*thorax*"), STUDY, True),
        (rule(description="ct thorax [low dose]"), STUDY, True),
        (rule(description="CT ?horax *"), STUDY, True),
        (rule(description="thorax"), STUDY, False),
        (rule(description="*[abc]*"), replace(STUDY, description="a"), False),
        (rule(description="*"), replace(STUDY, description=""), True),
        (rule(min_instances=300), STUDY, True),
        (rule(min_instances=301), STUDY, False),
        (rule(max_instances=300), STUDY, True),
        (rule(max_instances=299), STUDY, False),
        (rule(min_age_years=45), STUDY, True),
        (rule(min_age_years=46), STUDY, False),
        (rule(max_age_years=45), STUDY, True),
        (rule(max_age_years=17), STUDY, False),
        (rule(min_age_years=1), replace(STUDY, age_years=None), False),
        (rule(max_age_years=100), replace(STUDY, age_years=None), False),
        (rule(modalities=("CT",), description="head*"), STUDY, False),
    ],
)
def test_a_rule_applies_when_every_condition_is_met(asked: AiRule, study: Study, applies: bool) -> None:  # noqa: FBT001
    assert wanted(study, [asked]) == ((Wanted("m", "r"),) if applies else ())


def test_every_model_once_with_the_first_rule_that_names_it() -> None:
    rules = [
        AiRule("none", "a", modalities=("MR",)),
        AiRule("first", "a"),
        AiRule("other", "b"),
        AiRule("second", "a"),
    ]
    assert wanted(STUDY, rules) == (Wanted("a", "first"), Wanted("b", "other"))


@given(st.frozensets(st.sampled_from(["CT", "MR", "SR", "PR", "SEG"])), st.integers(0, 3))
def test_a_rule_without_conditions_takes_whatever_was_acquired(
    modalities: frozenset[str], count: int
) -> None:
    study = replace(STUDY, modalities=modalities, instances=count)
    assert bool(wanted(study, [rule()])) == (count > 0)


def survey(*parts: Part, born: str = "", then: str = "", age: str = "") -> Survey:
    return Survey("P", "d", then, born, age, parts)


def test_what_was_said_of_a_study_is_not_the_study() -> None:
    """Else an answer could be a reason to ask."""
    parts = (Part("CT", "CHEST", CT, 3), Part("SR", "", SR, 9), Part("SEG", "HEAD", SEG, 1))
    study = study_of(survey(*parts))
    assert (study.modalities, study.body_parts, study.instances) == (
        frozenset({"CT"}),
        frozenset({"CHEST"}),
        3,
    )
    assert study.sop_classes == {CT}
    assert wanted(study_of(survey(*parts[1:])), [rule()]) == ()


@pytest.mark.parametrize(
    ("born", "then", "age", "years"),
    [
        ("19700102", "20260102", "", 56.0),
        ("20251231", "20260102", "", 0.0),
        ("", "20260102", "045Y", 45.0),
        ("19700102", "", "006M", 0.5),
        ("20270102", "20260102", "003W", 0.06),
        ("1970", "20260102", "", None),
        ("", "", "old", None),
        ("19701301", "20260102", "030D", 0.08),
    ],
)
def test_how_old_the_patient_was(born: str, then: str, age: str, years: float | None) -> None:
    found = study_of(survey(born=born, then=then, age=age)).age_years
    assert found == (None if years is None else pytest.approx(years, abs=0.03))

"""The wire as docs/ai-models.md shows it, and what is refused on it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_routing import wire
from ai_routing.model import (
    Answer,
    Code,
    FindingSaid,
    InstanceListed,
    Job,
    Reference,
    SeriesListed,
    Severity,
)
from ai_routing.wire import About, Access
from pacs.errors import Invalid

PAGE = (Path(__file__).parents[3] / "docs" / "ai-models.md").read_text()


def examples(kind: str) -> list[dict[str, Any]]:
    found = re.findall(rf"<!-- example: {kind} -->\n```json\n(.*?)```", PAGE, re.DOTALL)
    return [json.loads(text) for text in found]


(JOB,) = examples("job")
FULL, EMPTY = examples("answer")
ABOUT = About(JOB["run"], JOB["study"], JOB["patient_id"], JOB["model"]["name"], JOB["model"]["version"])


def read(tree: Any, about: About = ABOUT) -> Answer:
    return wire.answer(json.dumps(tree).encode(), about)


def test_the_documented_job_is_what_is_sent() -> None:
    series = tuple(
        SeriesListed(
            one["series"],
            one["modality"],
            tuple(InstanceListed(i["instance"], i["sop_class"], i["frames"]) for i in one["instances"]),
        )
        for one in JOB["series"]
    )
    job = Job(JOB["run"], JOB["study"], JOB["patient_id"], "chest", "2.1", series)
    until_ns = 1_795_253_400 * 10**9 + 5  # 2026-11-21 09:30 UTC
    access = Access(JOB["dicomweb"], JOB["findings_url"], JOB["token"], until_ns)
    assert json.loads(wire.job(job, access)) == JOB
    assert JOB["expires"] == "2026-11-21T09:30:00Z"


def test_the_documented_answers_are_understood() -> None:
    assert read(EMPTY) == Answer("2.1", ())
    reference = Reference(JOB["series"][0]["series"], JOB["series"][0]["instances"][0]["instance"], (1,))
    assert read(FULL) == Answer(
        "2.1",
        (
            FindingSaid(
                "pneumothorax",
                Severity.CRITICAL,
                0.97,
                Code("36118008", "SCT", "Pneumothorax"),
                (reference,),
                "left apical",
            ),
        ),
    )


def test_every_member_and_every_limit_is_documented() -> None:
    for name in (*JOB, *FULL, *FULL["findings"][0], *Severity):
        assert f"`{name}`" in PAGE or f"`{name}." in PAGE, name
    assert f"At most {wire.MOST_FINDINGS}." in PAGE
    assert wire.MOST_BYTES == 1 << 20


FINDINGS = st.builds(
    FindingSaid,
    st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=64),
    st.sampled_from(Severity),
    st.floats(0, 1),
    st.none() | st.just(Code("1", "99X", "meaning")),
    st.lists(
        st.builds(Reference, st.just("1.2"), st.just("1.3"), st.lists(st.integers(1, 99)).map(tuple))
    ).map(tuple),
    st.sampled_from(["", "said"]),
)


@given(st.lists(FINDINGS, max_size=5).map(tuple))
def test_what_is_put_down_is_read_again(findings: tuple[FindingSaid, ...]) -> None:
    said = Answer("2.1", findings)
    assert wire.answer(wire.spelled(said, ABOUT), ABOUT) == said


def changed(tree: Any, path: list[str | int], value: Any) -> Any:
    tree = json.loads(json.dumps(tree))
    inner = tree
    for step in path[:-1]:
        inner = inner[step]
    if value is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return tree


F: list[str | int] = ["findings", 0]
WRONG: list[tuple[list[str | int], Any]] = [
    (["run"], "another"),
    (["study"], "1.2.3"),
    (["patient_id"], "SYN-2"),
    (["patient_id"], None),
    (["patient_id"], KeyError),
    (["model"], "chest"),
    (["model", "name"], "head"),
    (["model", "version"], "2.2"),
    (["model", "version"], ""),
    (["model", "version"], "2" * 65),
    (["more"], 1),
    (["findings"], None),
    (["findings"], {}),
    (["findings"], [FULL["findings"][0]] * 101),
    (F, "pneumothorax"),
    ([*F, "name"], ""),
    ([*F, "name"], " x"),
    ([*F, "name"], "x\ny"),
    ([*F, "name"], "x\\y"),
    ([*F, "name"], "x" * 65),
    ([*F, "name"], KeyError),
    ([*F, "severity"], "dreadful"),
    ([*F, "severity"], 1),
    ([*F, "severity"], []),
    ([*F, "confidence"], 1.01),
    ([*F, "confidence"], -0.01),
    ([*F, "confidence"], True),
    ([*F, "confidence"], "0.9"),
    ([*F, "confidence"], None),
    ([*F, "urgency"], 9),
    ([*F, "code"], None),
    ([*F, "code", "value"], "1" * 17),
    ([*F, "code", "scheme"], KeyError),
    ([*F, "text"], "x" * 1001),
    ([*F, "text"], 5),
    ([*F, "references"], {}),
    ([*F, "references"], [FULL["findings"][0]["references"][0]] * 101),
    ([*F, "references", 0, "series"], "1.2.a"),
    ([*F, "references", 0, "instance"], KeyError),
    ([*F, "references", 0, "frames"], [0]),
    ([*F, "references", 0, "frames"], [True]),
    ([*F, "references", 0, "frames"], [1.5]),
    ([*F, "references", 0, "frames"], list(range(1, 1002))),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_out_of_form_is_refused(path: list[str | int], value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        read(changed(FULL, path, value))
    assert "SYN-2" not in str(caught.value) + caught.value.hint, "what it is instead may be another patient's"


def test_any_version_will_do_when_none_is_expected() -> None:
    anything = About(ABOUT.run, ABOUT.study_uid, ABOUT.patient_id, ABOUT.model, "")
    assert read(changed(EMPTY, ["model", "version"], "9"), anything).version == "9"


HUGE = (b"[" * 100_000, b'{"run": NaN}', b" " * ((1 << 20) + 1))
NAMES = st.sampled_from([*FULL, *FULL["findings"][0]])


@pytest.mark.parametrize(
    "body",
    [*(b"", b"null", b"[]", b"7", b'"x"', b"{", b"<html>", b"\xff\xfe"), *HUGE],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_answer_at_all(body: bytes) -> None:
    with pytest.raises(Invalid):
        wire.answer(body, ABOUT)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
        max_leaves=12,
    ),
    st.sampled_from([["findings"], F, [*F, "references"], [*F, "code"], ["model"], [*F, "severity"]]),
)
def test_nothing_that_is_sent_raises_anything_else(value: Any, path: list[str | int]) -> None:
    body = json.dumps(changed(FULL, path, value)).encode()
    try:
        wire.answer(body, ABOUT)
    except Invalid as refusal:
        assert str(refusal)

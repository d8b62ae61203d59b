"""The order of the list: total, deterministic, monotone in urgency, and nothing starves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.reading.model import Finding, Raised, Requested, Verdict
from pacs.reading.priority import DEFAULT, head_start_ns, leading, place, urgency, weight

SHARE = st.floats(0, 1)
TIMES = st.integers(0, 2_000_000_000_000_000_000)
REQUESTED = st.sampled_from(Requested)
UIDS = st.integers(1, 50).map(lambda n: f"1.2.{n}")
FINDINGS = st.builds(Finding, st.just("finding"), SHARE, SHARE)
RAISED = st.builds(
    Raised,
    st.integers(1, 1000),
    st.just("model"),
    st.just("1"),
    FINDINGS,
    st.sampled_from([None, *Verdict]),
)
Studies = list[tuple[str, int, float, Requested]]
STUDIES = st.lists(st.tuples(UIDS, TIMES, SHARE, REQUESTED), unique_by=lambda s: s[0], max_size=20)


def by_place(studies: Studies) -> list[str]:
    return [uid for uid, *_ in sorted(studies, key=lambda s: place(*s))]


@given(st.lists(RAISED, max_size=8), RAISED)
def test_a_further_finding_never_lessens_the_urgency(findings: list[Raised], more: Raised) -> None:
    assert 0.0 <= urgency(findings) <= urgency([*findings, more]) <= 1.0


@given(st.lists(RAISED, min_size=1, max_size=8), st.data())
def test_urgency_grows_with_severity_and_confidence(findings: list[Raised], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(findings) - 1))
    was = findings[at].finding
    graver = Finding(
        was.name,
        data.draw(st.floats(was.severity, 1)),
        data.draw(st.floats(was.confidence, 1)),
    )
    changed = [*findings[:at], replace(findings[at], finding=graver), *findings[at + 1 :]]
    assert urgency(changed) >= urgency(findings)


@given(st.lists(RAISED, max_size=8, unique_by=lambda r: r.id), st.randoms())
def test_urgency_does_not_depend_on_the_order_of_findings(findings: list[Raised], random: object) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert urgency(shuffled) == urgency(findings)
    assert leading(shuffled) == leading(findings)


@given(st.lists(RAISED, max_size=8))
def test_what_was_rejected_does_not_count(findings: list[Raised]) -> None:
    rejected = [replace(raised, verdict=Verdict.REJECTED) for raised in findings]
    assert urgency(rejected) == 0.0
    assert leading(rejected) is None
    assert urgency([*findings, *rejected]) == urgency(findings)


def test_the_same_finding_by_many_models_is_not_more_urgent() -> None:
    finding = Finding("nodule", 0.5, 0.4)
    assert urgency([Raised(n, f"m{n}", "1", finding) for n in range(50)]) == weight(finding)


@given(STUDIES, st.randoms())
def test_the_order_is_total_and_deterministic(studies: Studies, random: object) -> None:
    shuffled = list(studies)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert by_place(shuffled) == by_place(studies)
    places = [place(*study) for study in studies]
    assert len(set(places)) == len(studies)


@given(STUDIES)
def test_two_places_compare_in_one_way_only(studies: Studies) -> None:
    places = [place(*study) for study in studies]
    for a in places:
        for b in places:
            assert (a < b) + (b < a) + (a == b) == 1
            assert all(a < c for c in places if a < b < c)


@given(STUDIES, st.integers(0, 10**18))
def test_the_stored_order_is_the_order_at_any_time(studies: Studies, later: int) -> None:
    now = max((since for _, since, *_ in studies), default=0) + later

    def pressing(study: tuple[str, int, float, Requested]) -> tuple[int, str]:
        uid, since, urgent, requested = study
        return -(now - since + head_start_ns(urgent, requested)), uid

    assert by_place(studies) == [uid for uid, *_ in sorted(studies, key=pressing)]


@given(UIDS, TIMES, SHARE, SHARE, REQUESTED)
def test_more_urgent_never_stands_behind(
    uid: str, since: int, one: float, other: float, requested: Requested
) -> None:
    low, high = sorted((one, other))
    assert place(uid, since, high, requested) <= place(uid, since, low, requested)


@given(UIDS, TIMES, st.integers(0, 99), REQUESTED)
def test_a_hundredth_of_urgency_already_moves(
    uid: str, since: int, hundredths: int, requested: Requested
) -> None:
    more = place(uid, since, (hundredths + 1) / 100, requested)
    assert more < place(uid, since, hundredths / 100, requested)


@given(UIDS, TIMES, SHARE)
def test_requested_priority_orders_what_is_otherwise_equal(uid: str, since: int, urgent: float) -> None:
    ranks = [place(uid, since, urgent, requested) for requested in Requested]
    assert ranks == sorted(set(ranks))


@given(UIDS, UIDS, TIMES, st.integers(1, 10**15), SHARE, REQUESTED)
def test_of_equals_the_one_that_waits_longer_is_first(
    one: str, other: str, since: int, longer: int, urgent: float, requested: Requested
) -> None:
    assert place(one, since, urgent, requested) < place(other, since + longer, urgent, requested)


GREATEST = DEFAULT.urgency_ns + max(DEFAULT.requested_ns.values())
LEAST = min(DEFAULT.requested_ns.values())


@given(UIDS, UIDS, TIMES, SHARE, REQUESTED, st.integers(1, 10**18))
def test_nothing_starves(
    ordinary: str, lying: str, since: int, urgent: float, requested: Requested, later: int
) -> None:
    """Whatever is claimed of studies that come later than the greatest head start, the least urgent
    study of all is read before them: only finitely many can ever overtake it."""
    least = place(ordinary, since, 0.0, Requested.LOW)
    assert least < place(lying, since + GREATEST - LEAST + later, urgent, requested)


@pytest.mark.parametrize("requested", Requested)
def test_every_requested_priority_has_a_weight(requested: Requested) -> None:
    assert isinstance(head_start_ns(0.0, requested), int)

"""Where a study belongs, and what follows from it."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.config import TierConfig, TierRule
from pacs.store.care import Care
from tiering.plan import Act, Step, plan
from tiering.rules import Moment, Tier, wanted

DAY = 86_400 * 10**9
NOW = 1_800_000_000 * 10**9  # 2027-01-15
CARE = Care("1.2", "20260101", NOW - 100 * DAY, ("CT",), 1000, 1000, 0, 0, 0, "")
COLD = TierRule("everything")


def want(care: Care = CARE, *rules: TierRule, hot_bytes: int = 0) -> tuple[Tier | None, str]:
    decided = wanted(care, TierConfig(rules), Moment(NOW, hot_bytes))
    return decided.tier, decided.reason


@pytest.mark.parametrize(
    ("rule", "care", "applies"),
    [
        (COLD, CARE, True),
        (TierRule("r", modalities=("CT", "MR")), CARE, True),
        (TierRule("r", modalities=("MR",)), CARE, False),
        (TierRule("r", modalities=("CT",)), replace(CARE, modalities=("CT", "SR")), False),
        (TierRule("r", modalities=("CT",)), replace(CARE, modalities=()), False),
        (TierRule("r", older_than_days=300), CARE, True),
        (TierRule("r", older_than_days=400), CARE, False),
        (TierRule("r", older_than_days=99), replace(CARE, study_date=""), True),
        (TierRule("r", older_than_days=101), replace(CARE, study_date="2026"), False),
        (TierRule("r", received_days_ago=99), CARE, True),
        (TierRule("r", received_days_ago=101), CARE, False),
        (TierRule("r", unread_for_days=99), CARE, True),
        (TierRule("r", unread_for_days=99), replace(CARE, last_read_ns=NOW - 98 * DAY), False),
        (TierRule("r", unread_for_days=9, modalities=("MR",)), CARE, False),
    ],
)
def test_conditions(rule: TierRule, care: Care, applies: bool) -> None:  # noqa: FBT001
    assert want(care, rule)[0] == (Tier.COLD if applies else None)


def test_what_comes_first() -> None:
    hot = TierRule("mr stays", tier="hot", modalities=("MR",))
    assert want(CARE, hot, COLD) == (Tier.COLD, "rule everything")
    assert want(replace(CARE, modalities=("MR",)), hot, COLD) == (Tier.HOT, "rule mr stays")
    assert want(replace(CARE, hold="trial"), COLD) == (Tier.HOT, "held: trial")
    assert want(replace(CARE, last_read_ns=NOW - DAY // 2), COLD) == (Tier.HOT, "read recently")
    assert want(replace(CARE, last_read_ns=NOW - 2 * DAY), COLD)[0] == Tier.COLD
    assert want(CARE) == (None, "no rule applies")


def steps(
    *cares: Care, rules: tuple[TierRule, ...] = (COLD,), hot_bytes: int = 0, limit: int = 9
) -> list[Step]:
    return plan(cares, TierConfig(rules), Moment(NOW, hot_bytes), grace_ns=DAY, limit=limit)


def acts(*cares: Care) -> list[tuple[Act, int]]:
    return [(step.act, step.bytes) for step in steps(*cares)]


def test_steps_are_what_is_wanted_less_what_is() -> None:
    assert acts(CARE) == [(Act.PACK, 1000)]
    on_both = replace(CARE, cold_bytes=1000, packed_ns=NOW - 2 * DAY)
    assert acts(on_both) == [(Act.EVICT, 1000)]
    gone = replace(on_both, hot_bytes=0)
    assert acts(gone) == []
    assert acts(replace(gone, hold="x")) == [(Act.RECALL, 1000)]
    assert acts(replace(gone, hot_bytes=300, bytes=1300)) == [(Act.PACK, 300)]  # more came
    assert steps(gone, on_both, rules=()) == []  # nothing speaks for moving them


def test_the_grace_time_is_waited_for() -> None:
    fresh = replace(CARE, cold_bytes=1000, packed_ns=NOW - DAY // 2)
    (step,) = steps(fresh)
    assert (step.act, step.not_before_ns) == (Act.EVICT, NOW + DAY // 2)
    later = replace(CARE, study="1.3")
    assert [one.study for one in steps(fresh, later)] == ["1.3", "1.2"]


def test_the_most_pressing_first() -> None:
    cold = replace(CARE, hot_bytes=0, cold_bytes=1000, packed_ns=1)
    pack = [replace(CARE, study=f"p{n}", received_ns=NOW - (50 + n) * DAY) for n in range(3)]
    evict = replace(CARE, study="e", cold_bytes=1000, packed_ns=1)
    recall = [replace(cold, study=f"r{n}", last_read_ns=NOW - n) for n in (2, 1)]
    for some in itertools.permutations([*pack, evict, *recall], 6):
        assert [step.study for step in steps(*some)] == ["r1", "r2", "e", "p2", "p1", "p0"]
    assert [step.study for step in steps(*pack, evict, *recall, limit=3)] == ["r1", "r2", "e"]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(0, 12_000))
def test_a_watermark_sends_away_no_more_than_it_takes(sizes: list[int], above: int) -> None:
    cares = [
        replace(CARE, study=f"{n:02}", received_ns=NOW - (100 - n) * DAY, bytes=size, hot_bytes=size)
        for n, size in enumerate(sizes)
    ]
    total = sum(sizes)
    rules = (TierRule("full", hot_above_bytes=max(1, above)),)
    gone = {step.study for step in steps(*cares, rules=rules, hot_bytes=total, limit=100)}
    expected, left = set(), total
    for care in cares:  # read longest ago first
        if left > max(1, above):
            expected.add(care.study)
            left -= care.bytes
    assert gone == expected


def test_what_other_rules_send_away_counts_for_the_watermark() -> None:
    old = replace(CARE, study="old", modalities=("MR",))
    rules = (TierRule("mr", modalities=("MR",)), TierRule("full", hot_above_bytes=1000))
    assert [step.study for step in steps(CARE, old, rules=rules, hot_bytes=2000)] == ["old"]
    evicted = replace(CARE, hot_bytes=0, cold_bytes=1000, packed_ns=1)
    assert steps(evicted, rules=rules, hot_bytes=500) == [], "room alone brings nothing back"


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_limit_gives_the_first_of_all(limit: int, count: int) -> None:
    cares = [replace(CARE, study=f"{n:02}", received_ns=NOW - (n * 7919 % 61) * DAY) for n in range(count)]
    assert steps(*cares, limit=limit) == steps(*cares, limit=1000)[:limit]

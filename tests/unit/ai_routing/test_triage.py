"""From findings to urgency: monotone, whatever the numbers are."""

from hypothesis import given
from hypothesis import strategies as st

from ai_routing.model import Answer, FindingSaid, Severity
from ai_routing.triage import WORTH, findings
from pacs.reading.model import Raised
from pacs.reading.priority import urgency

SAID = st.builds(FindingSaid, st.just("x"), st.sampled_from(Severity), st.floats(0, 1))
ORDER = list(Severity)


def urgent(*said: FindingSaid) -> float:
    found = findings(Answer("1", said))
    return urgency(Raised(number, "m", "1", finding) for number, finding in enumerate(found))


def test_every_severity_is_worth_more_than_the_one_below() -> None:
    assert set(WORTH) == set(Severity)
    assert [WORTH[one] for one in ORDER] == sorted({WORTH[one] for one in ORDER})
    assert urgent() == 0.0
    assert urgent(FindingSaid("x", Severity.CRITICAL, 1.0)) == 1.0


@given(SAID, st.integers(0, 3), st.floats(0, 1))
def test_worse_or_surer_is_never_less_urgent(said: FindingSaid, up: int, more: float) -> None:
    worse = ORDER[min(len(ORDER) - 1, ORDER.index(said.severity) + up)]
    surer = said.confidence + (1 - said.confidence) * more
    assert urgent(FindingSaid("x", worse, min(1.0, surer))) >= urgent(said)


@given(st.lists(SAID, max_size=5), SAID)
def test_one_more_finding_is_never_less_urgent(before: list[FindingSaid], one: FindingSaid) -> None:
    assert urgent(*before, one) >= urgent(*before)

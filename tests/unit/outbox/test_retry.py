"""Pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from pacs.outbox.retry import Backoff

RETRY = Backoff(attempts=5, first_s=1.0, longest_s=60.0)


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [RETRY.pause_ns(n, 1.0) / 1e9 for n in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_at_least_half_and_never_beyond_the_longest(attempts: int, spread: float) -> None:
    whole = RETRY.pause_ns(attempts, 1.0)
    assert whole / 2 <= RETRY.pause_ns(attempts, spread) <= whole <= 60e9


def test_it_is_over_after_so_many() -> None:
    assert [RETRY.is_over(n) for n in (0, 4, 5, 6)] == [False, False, True, True]

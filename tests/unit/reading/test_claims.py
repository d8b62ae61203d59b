"""What a reader may do with an item."""

from collections.abc import Callable

import pytest

from pacs.errors import Conflict
from pacs.reading import claims
from pacs.reading.model import State, WorkItem

FREE = WorkItem("1.2", "P", State.WAITING, 100, generation=1)
MINE = claims.claim(FREE, "me", 500)
READ = claims.finish(MINE, "me", 300)


def test_a_free_study_can_be_claimed_and_prolonged() -> None:
    assert (MINE.state, MINE.holder, MINE.held_until_ns) == (State.CLAIMED, "me", 500)
    assert claims.claim(MINE, "me", 900).held_until_ns == 900


def test_what_another_holds_is_in_conflict() -> None:
    attempts: list[Callable[[], WorkItem]] = [
        lambda: claims.claim(MINE, "you", 900),
        lambda: claims.release(MINE, "you"),
        lambda: claims.finish(MINE, "you", 900),
        lambda: claims.claim(READ, "me", 900),
        lambda: claims.finish(READ, "you", 900),
    ]
    for attempt in attempts:
        with pytest.raises(Conflict):
            attempt()


def test_release_gives_it_back_as_it_was() -> None:
    assert claims.release(MINE, "me") == FREE
    assert claims.release(FREE, "you") == FREE


def test_finishing_twice_is_finishing_once() -> None:
    assert (READ.state, READ.done_by, READ.done_ns, READ.holder) == (State.DONE, "me", 300, "")
    assert claims.finish(READ, "me", 900) == READ


def test_finishing_without_a_claim_is_allowed() -> None:
    assert claims.finish(FREE, "me", 300) == READ


def test_reopened_has_waited_all_the_time() -> None:
    assert claims.reopen(READ) == FREE
    assert claims.reopen(MINE) == MINE


def test_more_arrived_brings_back_what_was_read() -> None:
    again = claims.more_arrived(READ, 2, 700)
    assert (again.state, again.waiting_since_ns, again.generation) == (State.WAITING, 700, 2)
    assert claims.more_arrived(READ, 1, 700) == READ


def test_more_arrived_leaves_claim_and_waiting_time() -> None:
    again = claims.more_arrived(MINE, 2, 700)
    assert (again.state, again.holder, again.waiting_since_ns) == (State.CLAIMED, "me", 100)

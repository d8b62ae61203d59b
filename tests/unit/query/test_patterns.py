"""Wild cards: the same by our own matcher, by LIKE, and within the bounds given to an index."""

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.query import patterns

PATTERN = st.text(alphabet="ab*?%_\\é", max_size=8)
TEXT = st.text(alphabet="ab%_\\é", max_size=10)


@pytest.fixture(scope="module")
def like() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = ON")
    return connection


@given(pattern=PATTERN, text=TEXT)
def test_fits_is_what_a_regular_expression_says(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    assert patterns.fits(pattern, text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


@given(pattern=PATTERN, text=TEXT)
def test_like_says_the_same(like: sqlite3.Connection, pattern: str, text: str) -> None:
    (found,) = like.execute("SELECT ? LIKE ? ESCAPE '\\'", (text, patterns.like(pattern))).fetchone()
    assert bool(found) == patterns.fits(pattern, text)


@given(text=st.text(max_size=5), other=st.text(max_size=8))
def test_everything_with_a_prefix_lies_below_its_successor(text: str, other: str) -> None:
    after = patterns.successor(text)
    inside = text <= other and (not after or other < after)
    assert inside == other.startswith(text)


@pytest.mark.parametrize(
    ("text", "after"),
    [("DOE", "DOF"), ("", ""), ("a\U0010ffff", "b"), ("\U0010ffff", ""), ("\ud7ff", "\ue000")],
)
def test_successor(text: str, after: str) -> None:
    assert patterns.successor(text) == after


def test_many_stars_take_no_time() -> None:
    assert not patterns.fits("*a" * 500 + "*b", "a" * 2000)


@pytest.mark.parametrize(
    ("pattern", "crosses"), [("C*", False), ("*C", False), ("*C*", False), ("C*T", True), ("?T", True)]
)
def test_patterns_that_could_match_across_joined_values(pattern: str, *, crosses: bool) -> None:
    assert patterns.crosses_values(pattern) is crosses

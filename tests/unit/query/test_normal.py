"""Normal forms of keys and stored values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.query import normal


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("20200229", "20200229"),
        ("2020.02.29", "20200229"),
        (" 20200101 ", "20200101"),
        ("20210229", ""),
        ("2020.0229", ""),
        ("2020-02-29", ""),
        ("00000101", ""),
        ("٢٠٢٠٠١٠١", ""),
        ("", ""),
    ],
)
def test_date(text: str, found: str) -> None:
    assert normal.date(text) == found


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("10", "100000.000000", "105960.999999"),
        ("1015", "101500.000000", "101560.999999"),
        ("101530", "101530.000000", "101530.999999"),
        ("101530.5", "101530.500000", "101530.599999"),
        ("10:15:30", "101530.000000", "101530.999999"),
        ("235960", "235960.000000", "235960.999999"),
    ],
)
def test_time_stands_for_what_it_leaves_open(text: str, low: str, high: str) -> None:
    assert normal.time_bounds(text) == (low, high)


@pytest.mark.parametrize("text", ["", "1", "24", "1060", "101561", "101530.", "10:1530", "101530.1234567"])
def test_no_time(text: str) -> None:
    assert normal.time_bounds(text) is None


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020", "20200101000000.000000", "20201231235959.999999"),
        ("202002", "20200201000000.000000", "20200229235959.999999"),
        ("20200115101530.25", "20200115101530.250000", "20200115101530.259999"),
        ("20200115101530+0100", "20200115091530.000000Z", "20200115091530.999999Z"),
        ("2020-0500", "20200101050000.000000Z", "20210101045959.999999Z"),
    ],
)
def test_moment(text: str, low: str, high: str) -> None:
    assert normal.moment_bounds(text) == (low, high)


@pytest.mark.parametrize(
    "text", ["", "20", "20201301", "20200230", "2020+2000", "00010101+1400", "2020011510153"]
)
def test_no_moment(text: str) -> None:
    assert normal.moment_bounds(text) is None


@pytest.mark.parametrize(
    ("vr", "one", "other"),
    [
        ("DS", "1.50", "1.5"),
        ("DS", "100", "1E2"),
        ("DS", "-0", "0"),
        ("FL", "0.1", "0.10000000149011612"),
        ("FD", "0.10", "0.1"),
        ("IS", "+007", "7"),
        ("AT", "0010abcd", "0010ABCD"),
        ("LO", " a ", "a"),
        ("PN", "DOE^J^^", "doe^j"),
        ("PN", "A=B", "a=b="),
    ],
)
def test_equal_values(vr: str, one: str, other: str) -> None:
    assert normal.value(vr, one) == normal.value(vr, other) != ""


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DS", "NaN"),
        ("DS", "1e9999999"),
        ("FL", "1e40"),
        ("FD", "inf"),
        ("IS", "1_0"),
        ("US", "1.0"),
        ("AT", "1"),
    ],
)
def test_no_number(vr: str, text: str) -> None:
    assert normal.value(vr, text) == ""


def test_leading_spaces_of_long_text_count() -> None:
    assert normal.value("LT", "  a ") == "  a"


@given(vr=st.sampled_from(["DA", "TM", "DT", "IS", "DS", "FL", "FD", "AT", "PN", "LO", "UN"]), text=st.text())
def test_never_fails_and_says_it_twice(vr: str, text: str) -> None:
    once = normal.value(vr, text)
    if vr not in {"TM", "DT"}:
        assert normal.value(vr, once) == once

"""Byte ranges (RFC 9110 14)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb import ranges
from dicomweb.problems import RangeNotSatisfiable
from dicomweb.ranges import Span


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("bytes=0-", [(0, 10)]),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=-1", [(9, 10)]),
        ("bytes=-99", [(0, 10)]),
        ("bytes=4-99", [(4, 10)]),
        ("Bytes = 1-2 , 5-6", [(1, 3), (5, 7)]),
        ("bytes=0-1,20-30", [(0, 2)]),
        ("", []),
        ("lines=1-2", []),
        ("bytes=3-2", []),
        ("bytes=a-b", []),
        ("bytes=-", []),
        ("bytes=0-9,0-9", []),
        ("bytes=" + ",".join(["1-1"] * 99), []),
    ],
)
def test_spans(text: str, spans: list[tuple[int, int]]) -> None:
    assert ranges.parse(text, 10) == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-11,50-", "bytes=-0"])
def test_beyond_the_end(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        ranges.parse(text, 10)


@given(st.text(max_size=30), st.integers(0, 100))
def test_whatever_is_sent(text: str, size: int) -> None:
    with contextlib.suppress(RangeNotSatisfiable):
        assert all(0 <= span.start < span.stop <= size for span in ranges.parse(text, size))
        ranges.parse("bytes=" + text, size)


@given(st.lists(st.binary(max_size=5)), st.integers(0, 40), st.integers(0, 40))
def test_a_cut_is_a_slice(pieces: list[bytes], start: int, length: int) -> None:
    whole = b"".join(pieces)
    assert b"".join(ranges.cut(iter(pieces), Span(start, start + length))) == whole[start : start + length]

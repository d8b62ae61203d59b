"""Look-up tables as objects really have them."""

from struct import pack, unpack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels.processing import _expand_segmented_lut

from pacs.errors import NotAcceptable
from pacs.pixels import lut
from pacs.pixels.lut import Descriptor

Segments = list[tuple[int, list[int]]]
VALUES = st.integers(0, 255)
DISCRETE = st.lists(VALUES, min_size=1, max_size=9).map(lambda values: (0, values))
# Of an odd number of steps, so that no entry lies half way between two numbers: how to round those is
# not said (PS3.3 C.7.9.2.2), and there floating point numbers go either way.
LINEAR = st.tuples(st.integers(0, 5), VALUES).map(lambda pair: (1, [2 * pair[0] + 1, pair[1]]))
SEGMENTS = st.tuples(DISCRETE, st.lists(st.one_of(DISCRETE, LINEAR), max_size=6)).map(
    lambda parts: [parts[0], *parts[1]]
)


def words_of(segments: Segments) -> list[int]:
    words: list[int] = []
    for opcode, values in segments:
        words += [0, len(values), *values] if opcode == 0 else [1, *values]
    return words


@settings(max_examples=200, deadline=None)
@given(segments=SEGMENTS, wide=st.booleans(), again=st.integers(0, 3))
def test_segments_are_expanded_as_pydicom_does(segments: Segments, wide: bool, again: int) -> None:  # noqa: FBT001
    words = words_of(segments)
    if again:  # the first segments once more, from offset 0
        repeated = min(again, len(segments))
        words += [2, repeated, 0, 0] + ([] if wide else [0, 0])
    kind = "H" if wide else "B"
    data = pack(f"<{len(words)}{kind}", *words)
    expected = _expand_segmented_lut(unpack(f"<{len(words)}{kind}", data), f"<{kind}")
    found = lut.from_segments(Descriptor(len(expected), 0, 16 if wide else 8), data + b"\0" * (len(data) % 2))
    assert found.entries.tolist() == expected


def test_between_two_numbers_a_line_goes_up() -> None:
    found = lut.from_segments(Descriptor(5, 0, 8), bytes([0, 1, 1, 1, 4, 3]))
    assert found.entries.tolist() == [1, 2, 2, 3, 3]


def test_eight_bit_entries_in_sixteen_bit_segments() -> None:
    words = [0, 2, 10, 20, 1, 3, 200]
    found = lut.from_segments(Descriptor(5, 0, 8), pack("<7H", *words))
    assert found.entries.tolist() == [10, 20, 80, 140, 200]


@pytest.mark.parametrize(
    "words",
    [
        [1, 4, 9],  # nothing to draw a line from
        [0, 9, 1, 2],  # says more than there is
        [0, 1, 7, 2, 1, 6, 0],  # repeats what is not behind it
        [0, 1, 7, 5, 1, 1],  # no such segment
        [0, 1, 7],  # too few entries
        [0, 5, 1, 2, 3, 4, 5],  # too many
        [0, 1, 7, 2, 3, 0, 0, 0],  # repeats itself
        [],
    ],
)
def test_segments_that_contradict_themselves(words: list[int]) -> None:
    with pytest.raises(NotAcceptable):
        lut.from_segments(Descriptor(4, 0, 16), pack(f"<{len(words)}H", *words))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), bits=st.sampled_from([8, 16]), count=st.integers(1, 300))
def test_any_bytes_are_a_table_or_refused(data: bytes, bits: int, count: int) -> None:
    for read in (lut.from_segments, lut.from_bytes):
        try:
            found = read(Descriptor(count, 0, bits), data)
        except NotAcceptable:
            continue
        assert len(found.entries) == count


def test_descriptors() -> None:
    assert Descriptor.of((0, 0, 16), signed=False).count == 65536
    assert Descriptor.of((256, 64512, 8), signed=True).first == -1024
    assert Descriptor.of((256, 64512, 8), signed=False).first == 64512
    assert Descriptor.of((-1, -5, 12), signed=True) == Descriptor(65535, -5, 12)
    for wrong in ((1, 2), (1, 2, 0), (1, 2, 17)):
        with pytest.raises(NotAcceptable):
            Descriptor.of(wrong, signed=False)


def test_values_outside_a_table_take_its_ends() -> None:
    table = lut.from_numbers(Descriptor(3, 10, 8), np.array([5, 6, 7], np.uint16))
    assert table.look_up(np.array([-100, 10, 11, 12, 5000])).tolist() == [5, 5, 6, 7, 7]


def test_entries_wider_than_said_are_believed() -> None:
    assert lut.from_numbers(Descriptor(2, 0, 8), np.array([0, 1000], np.uint16)).top == 1023

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import uids
from tests.unit.pixels.encapsulation import (
    AHEAD,
    BEGINNINGS,
    BEHIND,
    DELIMITER,
    H264,
    HTJ2K,
    JPEG,
    Frame,
    edges_of,
    encapsulated,
    even,
    file_of,
    joined,
    offsets_of,
)


@st.composite
def layouts(draw: st.DrawFn, transfer_syntax: str, most: int = 6) -> list[Frame]:
    """Frames that begin as their code stream does, cut into fragments that do not."""
    beginning = BEGINNINGS[transfer_syntax]
    pieces = st.binary(max_size=30).filter(lambda piece: not beginning or not piece.startswith(beginning[:2]))
    fragments = st.lists(pieces.map(even), max_size=0 if transfer_syntax == uids.RLE else 3)
    frames = st.tuples(pieces.map(lambda piece: even(beginning + piece)), fragments)
    drawn = draw(st.lists(frames, min_size=1, max_size=most))
    return [(first, *rest) for first, rest in drawn]


syntaxes = st.sampled_from(list(BEGINNINGS))
cases = syntaxes.flatmap(lambda syntax: st.tuples(st.just(syntax), layouts(syntax)))


@given(cases, st.sampled_from(["none", "basic", "extended", "extended and padding"]))
def test_frames_come_back_as_they_went_in(case: tuple[str, list[Frame]], kind: str) -> None:
    syntax, frames = case
    offsets, basic, extended = offsets_of(frames), b"", (b"", b"")
    if kind == "basic":
        basic = struct.pack(f"<{len(frames)}I", *offsets)
    if kind.startswith("extended"):
        lengths = [max(0, len(b"".join(frame)) - kind.endswith("padding")) for frame in frames]
        extended = tuple(struct.pack(f"<{len(frames)}Q", *numbers) for numbers in (offsets, lengths))  # type: ignore[assignment]
    file = file_of(encapsulated(frames, basic))
    table = file.table(len(frames), syntax, extended)
    assert table is not None
    assert not table.native
    assert table.verbatim
    assert table.complete
    assert file.data[table.end :] == BEHIND
    assert file.frames(table) == joined(frames)
    assert file.reads <= sum(map(len, frames)) + 3
    assert file.bytes_read <= 16 * file.reads + len(basic)


@given(cases, st.data())
def test_wrong_basic_table_falls_back_to_the_markers(
    case: tuple[str, list[Frame]], data: st.DataObject
) -> None:
    syntax, frames = case
    offsets = data.draw(st.lists(st.integers(0, 2**32 - 1), max_size=len(frames) + 1))
    heads = {sum(len(fragment) + 8 for fragment in frame) for frame in frames}
    if len(offsets) == len(frames) and len(frames) > 1 and (offsets[0] == 0 or offsets[1] in heads):
        offsets = [4, *offsets[1:]]
    file = file_of(encapsulated(frames, struct.pack(f"<{len(offsets)}I", *offsets)))
    assert file.frames(file.table(len(frames), syntax)) == joined(frames)


@given(cases, st.sampled_from(["none", "basic"]), st.data())
def test_file_that_ends_early_gives_only_whole_frames(
    case: tuple[str, list[Frame]],
    kind: str,
    data: st.DataObject,
) -> None:
    syntax, frames = case
    offsets = struct.pack(f"<{len(frames)}I", *offsets_of(frames)) if kind == "basic" else b""
    whole = encapsulated(frames, offsets)
    kept = data.draw(st.integers(0, len(whole) - 1))
    file = file_of(whole[:kept], behind=b"")
    table = file.table(len(frames), syntax)
    assert table is not None
    assert not table.complete
    assert table.end == len(file.data)
    found = file.frames(table)
    # Nothing tells whether the very last frame would go on when the file ends between two items.
    between = any(kept - edge in range(8) for edge in edges_of(frames, len(offsets)))
    certain = found[:-1] if between and len(found) == len(frames) else found
    assert certain == joined(frames)[: len(certain)]


def test_no_delimiter_at_the_end_of_the_file() -> None:
    frames = [(b"\xff\xd8\xff\xe0", b"rest"), (b"\xff\xd8\xff\xe1",)]
    file = file_of(encapsulated(frames, delimiter=b""), behind=b"")
    table = file.table(2)
    assert table is not None
    assert not table.complete
    assert file.frames(table) == joined(frames)


def test_something_else_where_an_item_must_be() -> None:
    file = file_of(encapsulated([(b"\xff\xd8\xff\xe0",)], delimiter=b""))
    table = file.table(1)
    assert table is not None
    assert not table.complete
    assert file.data[table.end :] == BEHIND


@pytest.mark.parametrize("length", [0, 2, 6])
def test_what_begins_behind_a_short_fragment_is_not_its_own(length: int) -> None:
    frames = [(b"\xff\xd8\xff\xe0", bytes(length)), (b"\xff\xd8\xff\xe0", bytes(length))]
    file = file_of(encapsulated(frames))
    assert file.frames(file.table(2)) == joined(frames)


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_fragments_that_nothing_divides(frames: int) -> None:
    file = file_of(encapsulated([(b"1234",)] * 4))
    table = file.table(frames, HTJ2K)
    assert table is not None
    assert table.count == 0
    assert table.complete
    assert file.data[table.end :] == BEHIND


def test_rle_with_another_number_of_fragments_is_not_divided() -> None:
    table = file_of(encapsulated([(b"1234",)] * 4)).table(3, uids.RLE)
    assert table is not None
    assert table.count == 0


@pytest.mark.parametrize("transfer_syntax", [H264, H264 + ".1", "1.2.840.10008.1.2.4.100"])
def test_video_is_one_stream(transfer_syntax: str) -> None:
    fragments = (b"abcd", b"ef", b"ghijkl")
    file = file_of(encapsulated([fragments]))
    table = file.table(250, transfer_syntax)
    assert table is not None
    assert table.stream
    assert file.frames(table) == [b"abcdefghijkl"]


def test_no_fragments() -> None:
    for value in (encapsulated([]), DELIMITER):
        table = file_of(value).table(1)
        assert table is not None
        assert table.count == 0
        assert table.complete


def test_items_in_a_value_of_defined_length() -> None:
    frames = [(b"\xff\xd8\xff\xe0", b"rest"), (b"\xff\xd8\xff\xe0",)]
    for delimiter in (DELIMITER, b""):
        value = encapsulated(frames, delimiter=delimiter)
        file = file_of(value)
        table = file.table(2, length=len(value))
        assert table is not None
        assert table.complete
        assert table.end == len(AHEAD) + len(value)
        assert file.frames(table) == joined(frames)


def test_raw_bytes_in_a_compressed_transfer_syntax() -> None:
    fits = file_of(bytes(range(128))).table(2, length=128)
    other = file_of(bytes(100)).table(2, length=100)
    assert fits is not None
    assert other is not None
    assert (fits.native, fits.count, other.count) == (True, 2, 0)
    assert other.end == len(AHEAD) + 100


def test_extended_table_that_contradicts_the_items() -> None:
    frames = [(b"\xff\xd8\xff\xe0",), (b"\xff\xd8\xff\xe0", b"rest")]
    right, wrong = struct.pack("<2Q", 0, 12), struct.pack("<2Q", 0, 24)
    file = file_of(encapsulated(frames))
    for offsets, lengths in ((wrong, b""), (right, wrong), (right[:9], b""), (b"", right)):
        assert file.frames(file.table(2, JPEG, (offsets, lengths))) == joined(frames)

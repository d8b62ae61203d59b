import os
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import uids
from pacs.pixels.frames import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, FrameTable, PixelShape, build

AHEAD = b"header"


def table_of(
    shape: PixelShape,
    value: bytes,
    transfer_syntax: str = uids.EXPLICIT_LE,
    length: int | None = None,
) -> FrameTable:
    def read(_position: int, _count: int) -> bytes:
        raise AssertionError("native pixel data needs no look into the file")

    end = len(AHEAD) + len(value)
    length = len(value) if length is None else length
    table = build(read, shape, transfer_syntax, offset=len(AHEAD), length=length, end=end)
    assert table is not None
    assert table.native
    assert table.end == min(end, len(AHEAD) + length)
    assert FrameTable.from_bytes(table.to_bytes()) == table
    return table


def frames_of(table: FrameTable, value: bytes) -> list[bytes]:
    file = AHEAD + value
    frames = []
    for number in range(table.count):
        stored = b"".join(file[at : at + length] for at, length in table.ranges(number))
        frames.append(table.deliver(number, stored))
        assert len(frames[-1]) == table.length(number)
        assert not table.verbatim or frames[-1] == stored
    return frames


@given(
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 8, 12, 16, 24, 32, 64]),
    st.integers(1, 9),
    st.sampled_from(["OB", "OW"]),
    st.sampled_from([uids.EXPLICIT_LE, uids.EXPLICIT_BE]),
)
def test_frames_are_slices_of_the_bits(
    rows: int, columns: int, samples: int, bits: int, frames: int, vr: str, transfer_syntax: str
) -> None:
    shape = PixelShape(rows, columns, samples, bits, frames, vr=vr)
    frame_bits = rows * columns * samples * bits
    size = -(-frame_bits * frames // 64) * 8
    little = os.urandom(size)
    value = int.from_bytes(little, "little")
    wanted = [
        (value >> first & (1 << frame_bits) - 1).to_bytes((frame_bits + 7) // 8, "little")
        for first in range(0, frames * frame_bits, frame_bits)
    ]
    word = {16: 2, 32: 4, 64: 8}.get(bits, 2 if vr == "OW" else 1)
    word = word if transfer_syntax == uids.EXPLICIT_BE else 1
    stored = b"".join(little[at : at + word][::-1] for at in range(0, size, word))
    table = table_of(shape, stored, transfer_syntax)
    assert table.count == frames
    assert table.frame_bits == frame_bits
    assert frames_of(table, stored) == wanted


def test_one_bit_frames_share_bytes() -> None:
    table = table_of(PixelShape(3, 3, 1, 1, 4), bytes(6))
    assert [table.ranges(number) for number in range(4)] == [((6, 2),), ((7, 2),), ((8, 2),), ((9, 2),)]
    assert [table.bit_offset(number) for number in range(4)] == [0, 1, 2, 3]
    assert table.length(3) == 2


def test_every_frame_costs_the_same() -> None:
    table = table_of(PixelShape(2, 2, 1, 8, 10**9), bytes(64))
    assert len(table.to_bytes()) == len(table_of(PixelShape(2, 2, 1, 8, 1), bytes(64)).to_bytes()) < 48


@pytest.mark.parametrize(("size", "count"), [(0, 0), (17, 0), (18, 1), (53, 2), (54, 3), (60, 3)])
def test_frames_that_are_not_whole_are_absent(size: int, count: int) -> None:
    value = os.urandom(size)
    table = table_of(PixelShape(3, 3, 1, 16, 3), value)
    assert table.complete
    assert frames_of(table, value) == [value[18 * i : 18 * i + 18] for i in range(count)]


def test_file_that_ends_inside_the_value() -> None:
    table = table_of(PixelShape(3, 3, 1, 8, 4), bytes(30), length=36)
    assert not table.complete
    assert table.count == 3


def test_ybr_full_422_stores_two_samples_a_pixel() -> None:
    shape = PixelShape(4, 4, 3, 8, 2, photometric="YBR_FULL_422")
    assert table_of(shape, bytes(64)).frame_bits == 4 * 4 * 2 * 8


def test_ybr_full_422_that_is_not() -> None:
    shape = PixelShape(4, 4, 3, 8, 2, photometric="YBR_FULL_422")
    assert table_of(shape, bytes(96)).frame_bits == 4 * 4 * 3 * 8


@pytest.mark.parametrize(("element", "code"), [(FLOAT_PIXEL_DATA, "f"), (DOUBLE_FLOAT_PIXEL_DATA, "d")])
def test_floats(element: int, code: str) -> None:
    shape = PixelShape(2, 3, 1, 0, 2, element=element)
    little = struct.pack(f"<12{code}", *range(12))
    big = struct.pack(f">12{code}", *range(12))
    assert b"".join(frames_of(table_of(shape, little), little)) == little
    assert b"".join(frames_of(table_of(shape, big, uids.EXPLICIT_BE), big)) == little


@pytest.mark.parametrize("shape", [PixelShape(0, 3, 1, 8), PixelShape(2, 2, 1, 0), PixelShape(2, 2, 0, 8)])
def test_shape_that_says_nothing(shape: PixelShape) -> None:
    assert table_of(shape, bytes(8)).count == 0


def test_number_of_frames_below_one_is_one() -> None:
    shape = PixelShape(2, 2, 1, 8, 0)
    assert (
        table_of(shape, bytes(8)).count == table_of(replace(shape, number_of_frames=-3), bytes(8)).count == 1
    )


@pytest.mark.parametrize("number", [-1, 2, 10**12])
def test_frame_that_is_not_there(number: int) -> None:
    table = table_of(PixelShape(2, 2, 1, 8, 2), bytes(8))
    for ask in (table.ranges, table.bit_offset, table.length):
        with pytest.raises(IndexError):
            ask(number)


@given(st.binary(max_size=80))
def test_damaged_table(blob: bytes) -> None:
    try:
        table = FrameTable.from_bytes(blob)
    except ValueError:
        return
    assert FrameTable.from_bytes(table.to_bytes()) == table


def test_table_of_another_version() -> None:
    blob = table_of(PixelShape(2, 2, 1, 8, 2), bytes(8)).to_bytes()
    with pytest.raises(ValueError, match="version 9"):
        FrameTable.from_bytes(b"\x09" + blob[1:])

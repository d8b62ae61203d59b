"""What is large, and what is no pixel data at all."""

import struct
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import uids
from pacs.pixels import items
from pacs.pixels.frames import FrameTable, PixelShape, build
from tests.unit.pixels.encapsulation import BEGINNINGS, DELIMITER, H264, HTJ2K, File, item


class Sparse:
    """A file of `count` fragments of `size` bytes each of which only the headers exist."""

    def __init__(self, count: int, size: int, table: bytes) -> None:
        self.head = item(table)
        self.item = struct.pack("<HHI", 0xFFFE, 0xE000, size) + bytes(8)
        self.step = size + 8
        self.behind = len(self.head) + count * self.step
        self.reads = 0

    def read(self, at: int, count: int) -> bytes:
        self.reads += 1
        if at < len(self.head):
            return self.head[at : at + count]
        if at >= self.behind:
            return DELIMITER[at - self.behind :][:count]
        assert (at - len(self.head)) % self.step == 0
        return self.item[:count]

    def table(self, frames: int) -> FrameTable | None:
        shape = PixelShape(8, 8, 1, 8, frames)
        return build(self.read, shape, HTJ2K, offset=0, length=None, end=self.behind + 8)


def test_basic_table_that_overflowed() -> None:
    size, fragments = 1 << 30, 12  # no code stream begins anywhere, two fragments a frame
    true = [number * 2 * (size + 8) for number in range(fragments // 2)]
    file = Sparse(fragments, size, struct.pack("<6I", *(offset % 2**32 for offset in true)))
    table = file.table(6)
    assert table is not None
    assert table.count == 6
    at = len(file.head) + true[5] + 8
    assert table.ranges(5) == ((at, size), (at + size + 8, size))


def test_large_table_is_small_and_fast() -> None:
    file = Sparse(2000, 500_000, b"")
    table = file.table(2000)
    assert table is not None
    assert file.reads == 2000 + 2
    blob = table.to_bytes()
    assert len(blob) < 5 * 2000

    def once() -> float:
        begun = time.perf_counter()
        FrameTable.from_bytes(blob).ranges(1999)
        return time.perf_counter() - begun

    assert min(once() for _ in range(20)) < 100e-6
    assert table.ranges(1999) == ((8 + 1999 * 500_008 + 8, 500_000),)


def test_items_beyond_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_FRAGMENTS", 100)
    assert Sparse(100, 0, b"").table(1) is not None
    assert Sparse(101, 0, b"").table(1) is None


pieces_of_items = st.sampled_from(
    [item(b""), item(b"\xff\xd8\xff\xe0"), DELIMITER, b"\xfe\xff\x00\xe0", b"\xff" * 4]
)
rubbish = st.lists(pieces_of_items | st.binary(max_size=12), max_size=12).map(b"".join)
numbers = st.integers(-5, 2**40)


@given(
    rubbish,
    st.builds(
        PixelShape, numbers, numbers, numbers, numbers, st.integers(-3, 6) | numbers, st.just("YBR_FULL_422")
    ),
    st.sampled_from([*BEGINNINGS, H264, uids.EXPLICIT_LE, uids.EXPLICIT_BE, "", "9.9"]),
    st.integers(0, 30),
    st.none() | st.integers(0, 2**32),
    st.binary(max_size=24),
)
def test_rubbish_raises_nothing(
    data: bytes, shape: PixelShape, transfer_syntax: str, offset: int, length: int | None, extended: bytes
) -> None:
    file = File(data)
    for bounded in (shape, replace(shape, rows=2, columns=2, samples=1, bits_allocated=1)):
        table = build(
            file.read,
            bounded,
            transfer_syntax,
            offset=offset,
            length=length,
            end=len(data),
            extended_offsets=extended,
            extended_lengths=extended,
        )
        if table is None:
            continue
        assert FrameTable.from_bytes(table.to_bytes()) == table
        assert offset <= table.end <= len(data)
        for number in range(min(table.count, 50)):
            ranges = table.ranges(number)
            assert all(at >= 0 and at + size <= len(data) for at, size in ranges)
            table.deliver(number, b"".join(data[at : at + size] for at, size in ranges))

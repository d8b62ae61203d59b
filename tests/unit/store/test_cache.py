"""The cache of ranges: asked for once, bounded, and never half written."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs.errors import Unavailable
from pacs.store.cache import Range, RangeCache
from pacs.store.locations import Location
from pacs.store.reader import PIECE, ColdBlob, Reader

DATA = os.urandom(3 << 20)


class Origin:
    """Counts what it is asked for."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.asked: list[Range] = []
        self.away = False
        self.before: Callable[[], object] = lambda: None

    def __call__(self, wanted: Range) -> Iterator[bytes]:
        self.asked.append(wanted)
        self.before()
        if self.away:
            raise Unavailable("away")
        end = wanted.offset + wanted.length
        for begin in range(wanted.offset, end, 1 << 20):
            yield self.data[begin : min(begin + (1 << 20), end)]


def read(cache: RangeCache, offset: int, length: int, key: str = "k") -> bytes:
    blob, begin = cache.get(Range(key, offset, length))
    return blob.pread(begin, length)


def test_a_range_is_asked_for_once(tmp_path: Path) -> None:
    origin = Origin()
    cache = RangeCache(tmp_path, 1 << 30, origin)
    for _ in range(3):
        assert read(cache, 100, 5000) == DATA[100:5100]
    assert read(cache, 200, 300) == DATA[200:500]  # inside what is there
    assert read(cache, 100, 5001) == DATA[100:5101]
    assert origin.asked == [Range("k", 100, 5000), Range("k", 100, 5001)]
    assert read(RangeCache(tmp_path, 1 << 30, origin), 100, 5000) == DATA[100:5100]  # another process
    assert len(origin.asked) == 2


def test_those_who_ask_together_wait_for_one_answer(tmp_path: Path) -> None:
    origin = Origin()
    cache = RangeCache(tmp_path, 0, origin)  # nothing is kept
    everybody = threading.Barrier(9)

    def slowly() -> None:
        everybody.wait(10)
        threading.Event().wait(0.5)

    origin.before = slowly

    def ask() -> bytes:
        everybody.wait(10)
        return read(cache, 0, 1000)

    # The one who leads meets the others inside `before`: they are all waiting or about to.
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(read, cache, 0, 1000)
        rest = [pool.submit(ask) for _ in range(7)]
        everybody.wait(10)
        assert first.result(10) == DATA[:1000]
        assert {one.result(10) for one in rest} == {DATA[:1000]}
    assert len(origin.asked) == 1


def test_a_failure_is_told_to_all_and_not_remembered(tmp_path: Path) -> None:
    origin = Origin()
    cache = RangeCache(tmp_path, 1 << 30, origin)
    origin.away = True
    with pytest.raises(Unavailable):
        read(cache, 0, 10)
    origin.away = False
    assert read(cache, 0, 10) == DATA[:10]


def test_fewer_bytes_than_promised_are_not_kept(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 1 << 30, Origin(b"short"))
    with pytest.raises(Unavailable):
        read(cache, 0, 10)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    origin = Origin()
    limit = 1_000_000
    cache = RangeCache(tmp_path, limit, origin)
    for number in range(100):
        read(cache, number * 20_000, 20_000)
        read(cache, 0, 20_000)
        held = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert held <= limit + limit // 32 + 20_000
    assert origin.asked.count(Range("k", 0, 20_000)) == 1, "what is used stays"
    assert cache.trim() <= limit


def test_entries_of_an_earlier_system_are_dropped(tmp_path: Path) -> None:
    earlier = tmp_path / "an-earlier-boot" / "ab"
    earlier.mkdir(parents=True)
    (earlier / "0-10").write_bytes(b"half a wri")
    assert read(RangeCache(tmp_path, 1 << 30, Origin()), 0, 10) == DATA[:10]
    assert not earlier.exists()


def cold_blob(cache: RangeCache, offset: int, length: int) -> ColdBlob:
    opened = Reader(None, cache).open([Location("cold", "k", offset, length)])  # type: ignore[arg-type]
    assert isinstance(opened, ColdBlob)
    return opened


def test_a_cold_object_asks_for_what_is_read_and_no_more(tmp_path: Path) -> None:
    origin = Origin()
    with cold_blob(RangeCache(tmp_path, 1 << 30, origin), 1000, 2_000_000) as blob:
        assert origin.asked == []
        assert b"".join(blob.chunks(500, 300_000)) == DATA[1500:301_500]
        assert blob.pread(1_999_990, 100) == DATA[2_000_990:2_001_000]
        assert blob.pread(5_000_000, 1) == b""
        assert origin.asked == [Range("k", 1500, 300_000), Range("k", 2_000_990, 10)]
        assert b"".join(blob.chunks()) == DATA[1000:2_001_000]


def test_what_is_expected_is_asked_for_at_once(tmp_path: Path) -> None:
    origin = Origin()
    with cold_blob(RangeCache(tmp_path, 1 << 30, origin), 10, 100_000) as blob:
        blob.expect(1000, 5000)
        fragments = [blob.pread(1000, 100), blob.pread(1108, 2000), b"".join(blob.chunks(3116, 2884))]
        assert fragments == [DATA[1010:1110], DATA[1118:3118], DATA[3126:6010]]
    assert origin.asked == [Range("k", 1010, 5000)]


def test_a_large_cold_object_comes_in_pieces_and_as_a_file(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 70
    origin = Origin(data)
    with cold_blob(RangeCache(tmp_path, 0, origin), 5, len(data) - 5) as blob:
        assert b"".join(blob.chunks()) == data[5:]
        assert [one.length for one in origin.asked] == [PIECE, PIECE, len(data) - 5 - 2 * PIECE]
        assert os.pread(blob.fileno(), 100, PIECE - 50) == data[PIECE - 45 : PIECE + 55]
        assert os.fstat(blob.fileno()).st_size == len(data) - 5


def test_no_file_stays_open(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 1 << 30, Origin())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(50):
        read(cache, number, 100)
        read(cache, number, 100)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1

"""Kept pictures: whole or not at all, within the budget, and safe to lose at any moment."""

import os
import threading
import time
from pathlib import Path

import pytest

from pacs.renditions.shelf import Held, Shelf

HOUR = 3600.0


def picture(size: int, fill: bytes = b"x") -> bytes:
    return b"\xff\xd8" + fill * (size - 4) + b"\xff\xd9"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def age(shelf: Shelf, name: str, hours: float) -> None:
    then = time.time() - hours * HOUR
    os.utime(shelf._path(name), (then, then))


def test_what_is_put_is_there_for_every_process(tmp_path: Path) -> None:
    data = picture(500)
    assert Shelf(tmp_path / "r", 10_000).put("abcd.1", data)
    again = Shelf(tmp_path / "r", 10_000)
    assert again.has("abcd.1")
    assert again.get("abcd.1") == data
    assert again.get("abcd.2") is None
    assert again.held() == Held(1, 500)
    assert files(tmp_path / "r") == [tmp_path / "r" / "ab" / "abcd.1.jpg"]


def test_a_lost_folder_loses_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 10_000)
    assert shelf.get("ab") is None
    assert shelf.held() == Held(0, 0)
    assert shelf.evict() == 0
    shelf.put("ab", picture(10))
    shelf._path("ab").unlink()
    shelf._path("ab").parent.rmdir()
    assert shelf.get("ab") is None
    assert shelf.put("ab", picture(10))


@pytest.mark.parametrize("torn", [b"", b"\0" * 500, picture(500)[:300], picture(500)[200:]])
def test_a_torn_file_is_none(tmp_path: Path, torn: bytes) -> None:
    shelf = Shelf(tmp_path / "r", 10_000)
    shelf.put("ab", picture(500))
    shelf._path("ab").write_bytes(torn)
    assert shelf.get("ab") is None
    assert not shelf.has("ab")


def test_the_least_asked_for_goes_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 3000)
    for number in range(6):
        shelf.put(f"{number}{number}", picture(1000))
        age(shelf, f"{number}{number}", 2 + 5 * number)
    assert shelf.get("55") is not None  # asked for now, so it is the youngest
    assert shelf.evict() == 3
    assert [name for name in ("00", "11", "22", "33", "44", "55") if shelf.has(name)] == ["00", "11", "55"]
    assert shelf.evict() == 0


def test_no_more_is_removed_than_is_too_much(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 2500)
    for number in range(10):
        shelf.put(f"{number}a", picture(500))  # all of one hour
    assert shelf.evict() == 5
    assert shelf.held() == Held(5, 2500)


def test_without_a_budget_nothing_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 0)
    assert not shelf.put("ab", picture(10))
    assert not (tmp_path / "r").exists()


def test_what_a_dead_process_left_half_written_goes(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 10_000)
    shelf.put("ab", picture(10))
    old, young = (tmp_path / "r" / "ab" / f"{name}.part" for name in ("old", "young"))
    old.write_bytes(b"\xff\xd8half")
    young.write_bytes(b"\xff\xd8half")
    os.utime(old, (time.time() - 2 * HOUR,) * 2)
    assert shelf.evict() == 1
    assert not old.exists()
    assert young.exists()  # somebody may be at it
    assert shelf.held() == Held(1, 10)


def test_a_folder_that_cannot_be_written_fails_nobody(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("a file where the folder belongs")
    shelf = Shelf(tmp_path / "r", 10_000)
    assert not shelf.put("ab", picture(10))
    assert shelf.get("ab") is None


def test_readers_never_see_a_piece_while_it_is_written_and_evicted(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "r", 1)  # every eviction takes all of it
    wholes = {picture(20_000, fill) for fill in (b"a", b"b", b"c")}
    stop = threading.Event()
    wrong: list[bytes] = []
    found = 0

    def write() -> None:
        while not stop.is_set():
            for whole in wholes:
                shelf.put("ab", whole)
            shelf.evict()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    until = time.monotonic() + 1.0
    while time.monotonic() < until or not found:
        data = shelf.get("ab")
        found += data is not None
        if data is not None and data not in wholes:
            wrong.append(data)
        assert time.monotonic() < until + 30
    stop.set()
    for writer in writers:
        writer.join(30)
    assert not wrong

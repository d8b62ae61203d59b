"""Packs: plain TAR, the same bytes every time, every member where it was said to be."""

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.errors import Conflict, NotFound
from pacs.store import pack
from pacs.store.pack import Member

STUDY, SERIES = "1." + "4" * 62, "1." + "5" * 62


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def pread(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        end = self.size if length is None else offset + length
        for begin in range(offset, end, 1000):
            yield self.data[begin : min(begin + 1000, end)]

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def member(number: int, data: bytes, offset: int) -> Member:
    return Member(
        f"2.{number}", len(data), offset, hashlib.sha256(data[offset:]).hexdigest(),
        hashlib.sha256(data[:offset]).hexdigest(), 1_700_000_000_123_456_789 + number,
    )  # fmt: skip


def filled(files: list[bytes]) -> tuple[pack.Pack, bytes]:
    members = [member(number, data, min(132, len(data))) for number, data in enumerate(files)]
    laid = pack.lay_out(STUDY, SERIES, members)
    opened = {one.instance: data for one, data in zip(members, files, strict=True)}
    return laid, b"".join(pack.write(laid, lambda one: Bytes(opened[one.instance])))


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
def test_everything_lies_where_it_was_said(files: list[bytes]) -> None:
    laid, data = filled(files)
    assert len(data) == laid.size
    for placed, file in zip(laid.placed, files, strict=True):
        assert data[placed.offset : placed.offset + placed.member.size] == file
    pack.read_back(laid, Bytes(data).chunks())
    assert pack.read_index(Bytes(data)) == (STUDY, SERIES, laid.placed)
    assert filled(files) == (laid, data)


def test_tar_gives_the_files_back_without_us(tmp_path: Path) -> None:
    files = [os.urandom(1000 + 700 * number) for number in range(5)]
    laid, data = filled(files)
    (tmp_path / "pack.tar").write_bytes(data)
    subprocess.run(["tar", "xf", "pack.tar"], cwd=tmp_path, check=True, capture_output=True)
    for placed, file in zip(laid.placed, files, strict=True):
        path = tmp_path / STUDY / SERIES / f"{placed.member.instance}.dcm"
        assert path.read_bytes() == file
        assert path.stat().st_mtime_ns == placed.member.received_ns
    with tarfile.open(tmp_path / "pack.tar") as archive:
        assert [Path(name).suffix for name in archive.getnames()] == [".json", *[".dcm"] * 5]


def test_a_member_of_more_than_8_gib_has_its_size() -> None:
    huge = Member("2.1", 9 << 30, 132, "", "", 1)
    laid = pack.lay_out(STUDY, SERIES, [huge, Member("2.2", 1, 0, "", "", 1)])
    assert laid.placed[1].offset > 9 << 30
    header = pack._member_header("1/2", huge)
    assert tarfile.TarInfo.frombuf(header[:512], "ascii", "strict").type == tarfile.XHDTYPE
    assert b"size=9663676416\n" in header


def test_damaged_files_are_not_packed() -> None:
    data = os.urandom(5000)
    for damaged in (data[:-1], b"x" + data[1:], data[:-1] + bytes([data[-1] ^ 1])):
        laid = pack.lay_out(STUDY, SERIES, [member(1, data, 132)])
        with pytest.raises(Conflict):
            for _ in pack.write(laid, lambda _one, damaged=damaged: Bytes(damaged)):  # type: ignore[misc]
                pass


def test_damage_in_the_bucket_is_seen() -> None:
    laid, data = filled([os.urandom(3000), os.urandom(10)])
    for at in (3, laid.placed[0].offset, laid.placed[1].offset + 9):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(Conflict):
            pack.read_back(laid, [bytes(damaged)])
    with pytest.raises(Conflict):
        pack.read_back(laid, [data[:-1]])


def test_other_objects_are_no_packs() -> None:
    for data in (b"", b"x" * 5000, bytes(5000), b'{"format": 1}'):
        with pytest.raises(NotFound):
            pack.read_index(Bytes(data))


def test_a_long_series_becomes_several() -> None:
    members = [Member(f"2.{n}", size, 0, "", "", 0) for n, size in enumerate([4, 5, 2, 30, 1])]
    groups = [[one.size for one in group] for group in pack.split(members, 10)]
    assert groups == [[4, 5], [2], [30], [1]]
    assert list(pack.split([])) == []

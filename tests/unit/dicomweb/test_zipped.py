"""ZIP archives that are written as they are sent, read again by Python's and Info-ZIP's rules."""

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb import zipped
from dicomweb.zipped import Entry

TORTURE = os.environ.get("HILUM_TORTURE") == "1"


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8))
def test_what_goes_in_comes_out(contents: list[tuple[bytes, bool]]) -> None:
    def entry(number: int, content: bytes, *, told: bool) -> Entry:
        pieces = [content[:10], content[10:]]
        return Entry(f"{number}.dcm", len(content) if told else None, lambda: iter(pieces))

    entries = [entry(n, content, told=told) for n, (content, told) in enumerate(contents)]
    whole = b"".join(zipped.write(entries))
    assert b"".join(zipped.write(entries)) == whole
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [content for content, _ in contents]


def test_more_entries_than_zip_can_count() -> None:
    count = 66_000
    entries = (Entry(f"1.2/{n}.dcm", 1, lambda: iter((b"x",))) for n in range(count))
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped.write(entries)))) as archive:
        assert len(set(archive.namelist())) == count


@pytest.mark.torture
def test_more_bytes_than_zip_can_count(tmp_path: Path) -> None:
    """Four gigabytes and more in the long form; in the short one the entry is only ready for them."""
    block, count = bytes(1 << 20), 4200 if TORTURE else 3

    def large() -> Iterator[bytes]:
        yield from (block for _ in range(count))

    file = tmp_path / "large.zip"
    with file.open("wb") as out:
        for piece in zipped.write([Entry("large", None, large), Entry("behind", 3, lambda: iter((b"end",)))]):
            out.write(piece)
    with zipfile.ZipFile(file) as archive:
        assert archive.getinfo("large").file_size == count << 20
        assert archive.read("behind") == b"end"


def test_memory_does_not_grow_with_the_archive() -> None:
    block = bytes(1 << 20)
    entries = [Entry(str(n), 1 << 20, lambda: iter((block,))) for n in range(50)]
    assert max(map(len, zipped.write(entries))) < (1 << 20) + 10_000

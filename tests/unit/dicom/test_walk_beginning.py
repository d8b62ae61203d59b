"""What is told from the beginning of a file is what the whole file tells."""

from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import header, json
from pacs.dicom.header import Unreadable, Walk
from pacs.pixels import opened

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SMALL = (FILES / "CT_small.dcm").read_bytes()
MR = (FILES / "MR_small_implicit.dcm").read_bytes()


@dataclass(frozen=True)
class Shown:
    """What the index takes from a walk."""

    document: bytes
    table: bytes | None
    elements: tuple[int, ...]


def shown(walked: Walk, whole: bytes, syntax: str) -> Shown:
    table = opened.frame_table(walked, lambda at, length: whole[at : at + length], syntax)
    document = json.encode(walked).document()
    return Shown(document, table.to_bytes() if table else None, tuple(walked.dataset.elements))


def of_all(whole: bytes, syntax: str, offset: int) -> Shown | str:
    try:
        return shown(header.walk(memoryview(whole), syntax, offset), whole, syntax)
    except Unreadable as error:
        return f"{error.rule}: {error}"


def of_beginning(whole: bytes, length: int, syntax: str, offset: int) -> Shown | str | None:
    try:
        walked = header.walk_beginning(memoryview(whole[:length]), len(whole), syntax, offset)
        return None if walked is None else shown(walked, whole, syntax)
    except Unreadable as error:
        return f"{error.rule}: {error}"


def read(name: Path) -> tuple[bytes, str, int] | None:
    whole = name.read_bytes()
    try:
        meta = header.read_meta(memoryview(whole))
    except Unreadable:
        return None
    return (whole, meta.transfer_syntax, meta.dataset_offset) if meta.transfer_syntax else None


def test_every_sample_file_and_every_length_of_its_beginning() -> None:
    told = 0
    for name in sorted(FILES.rglob("*.dcm")):
        found = read(name)
        if found is None or len(found[0]) > 4_000_000:
            continue
        whole, syntax, offset = found
        expected = of_all(whole, syntax, offset)
        for length in {offset, offset + 300, 2000, 5000, 1 << 16, len(whole) - 1, len(whole)}:
            got = of_beginning(whole, length, syntax, offset)
            assert got in {None, expected}, (name, length)
            told += got is not None and length < len(whole)
    assert told > 40


def test_a_slice_needs_no_more_than_what_stands_before_its_pixels() -> None:
    meta = header.read_meta(memoryview(MR))
    walked = header.walk(memoryview(MR), meta.transfer_syntax, meta.dataset_offset)
    assert walked.pixels is not None
    begin = walked.pixels.offset
    arguments = meta.transfer_syntax, meta.dataset_offset
    assert of_beginning(MR, begin, *arguments) == of_all(MR, *arguments)
    assert of_beginning(MR, begin - 1, *arguments) is None


@pytest.mark.parametrize(
    "behind", [b"\0" * 40, b"\xfc\xff\xfc\xff\0\0\0\0\0\0\0\0", b"1", b"\x10\0\x10\0LO\x02\0AB"]
)
def test_what_stands_behind_the_pixels_is_looked_at(behind: bytes) -> None:
    meta = header.read_meta(memoryview(MR))
    whole = MR + behind
    assert of_beginning(whole, 4000, meta.transfer_syntax, meta.dataset_offset) is None


@given(st.data())
def test_whatever_the_bytes_are(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([SMALL, MR])))
    meta = header.read_meta(memoryview(whole))
    places = st.integers(meta.dataset_offset, min(len(whole) - 1, 6000))
    for at, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        whole[at] = byte
    del whole[data.draw(st.one_of(st.just(len(whole)), st.integers(meta.dataset_offset, len(whole)))) :]
    length = data.draw(st.integers(meta.dataset_offset, len(whole)))
    syntax = data.draw(st.sampled_from([meta.transfer_syntax, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]))
    got = of_beginning(bytes(whole), length, syntax, meta.dataset_offset)
    assert got in {None, of_all(bytes(whole), syntax, meta.dataset_offset)}

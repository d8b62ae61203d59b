"""The walk over real and over broken bytes."""

import struct
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import header, uids
from pacs.dicom.header import Unreadable

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def walk_file(name: str) -> tuple[header.Walk, memoryview]:
    buffer = memoryview((FILES / name).read_bytes())
    meta = header.read_meta(buffer)
    return header.walk(buffer, meta.transfer_syntax, meta.dataset_offset), buffer


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",  # Explicit VR Little Endian
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "rtplan.dcm",
        "reportsi.dcm",
    ],
)
def test_top_level_elements_are_those_pydicom_reads(name: str) -> None:
    walked, _ = walk_file(name)
    reference = pydicom.dcmread(FILES / name, force=True)
    assert sorted(walked.dataset.elements) == sorted(element.tag for element in reference)


def test_stops_at_encapsulated_pixel_data() -> None:
    walked, _ = walk_file("JPEG2000.dcm")
    assert walked.pixels is not None
    assert walked.pixels.length is None


def test_every_truncation_is_told_and_nothing_else() -> None:
    whole = (FILES / "CT_small.dcm").read_bytes()
    meta = header.read_meta(memoryview(whole))
    for end in range(meta.dataset_offset + 1, len(whole) - 140, 37):
        cut = memoryview(whole)[:end]
        try:
            walked = header.walk(cut, meta.transfer_syntax, meta.dataset_offset)
        except Unreadable as error:
            assert error.rule == "truncated"
        else:
            assert header.PIXEL_DATA not in walked.dataset.elements


@given(st.binary(max_size=400), st.sampled_from([uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.EXPLICIT_BE]))
def test_garbage_is_unreadable_or_nothing_worse(data: bytes, transfer_syntax: str) -> None:
    try:
        header.walk(memoryview(data), transfer_syntax)
    except Unreadable as error:
        assert error.rule in {"truncated", "unreadable", "too-deep"}


@given(st.integers(0, 3000), st.integers(0, 255))
def test_one_wrong_byte_never_does_worse(position: int, value: int) -> None:
    whole = bytearray((FILES / "rtplan.dcm").read_bytes())
    whole[position % len(whole)] = value
    try:
        buffer = memoryview(bytes(whole))
        meta = header.read_meta(buffer)
        header.walk(buffer, meta.transfer_syntax or uids.IMPLICIT_LE, meta.dataset_offset)
    except Unreadable:
        pass


def test_nesting_has_a_limit() -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    with pytest.raises(Unreadable) as caught:
        header.walk(memoryview((sequence + item) * 5000), uids.EXPLICIT_LE)
    assert caught.value.rule == "too-deep"


def test_un_of_a_known_attribute_gets_its_vr() -> None:
    value = b"DOE^JANE"
    data = struct.pack("<HH2sHI", 0x0010, 0x0010, b"UN", 0, len(value)) + value
    walked = header.walk(memoryview(data), uids.EXPLICIT_LE)
    assert walked.dataset.elements[0x00100010].vr == "PN"


def test_data_set_begin_waits_until_it_can_tell() -> None:
    whole = (FILES / "CT_small.dcm").read_bytes()
    expected = header.read_meta(memoryview(whole)).dataset_offset
    told = [header.data_set_begin(memoryview(whole)[:n]) for n in range(expected + 40)]
    assert set(told) == {None, expected}
    assert header.data_set_begin(memoryview(bytes(200))) == 0


def test_prefix_is_read_back() -> None:
    prefix = header.part10_prefix(
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_instance="1.2.3.4",
        transfer_syntax=uids.EXPLICIT_LE,
        source_aet="CT1",
        receiving_aet="HILUM",
    )
    meta = header.read_meta(memoryview(prefix))
    assert (meta.transfer_syntax, meta.sop_instance, meta.dataset_offset) == (
        uids.EXPLICIT_LE,
        "1.2.3.4",
        len(prefix),
    )
    assert len(prefix) % 2 == 0


def test_zeros_behind_a_data_set_are_padding_however_many() -> None:
    """Some fill their last block; 100 MB of zeros are no work."""
    whole = struct.pack("<HH2sH", 0x0008, 0x0060, b"CS", 2) + b"CT"
    padded = header.walk(memoryview(whole + bytes(100 << 20)), uids.EXPLICIT_LE)
    assert padded.dataset.elements == header.walk(memoryview(whole), uids.EXPLICIT_LE).dataset.elements
    for syntax in (uids.EXPLICIT_LE, uids.IMPLICIT_LE, uids.EXPLICIT_BE):
        assert not header.walk(memoryview(bytes(1 << 20)), syntax).dataset.elements


def test_a_file_of_nothing_but_headers_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(header, "MAX_ITEMS", 1 << 12)
    monkeypatch.setattr(header, "MAX_ELEMENTS", 1 << 12)
    other = b"".join(struct.pack("<HH2sH", 0x0009, 0x1000 + n, b"LO", 0) for n in range(1 << 12))
    same = struct.pack("<HH2sH", 0x0008, 0x0060, b"CS", 0) * (1 << 12)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * ((1 << 12) + 1)
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(items)) + items
    for many in (other, same, sequence):
        with pytest.raises(Unreadable, match="more than 4096"):
            header.walk(memoryview(many), uids.EXPLICIT_LE)
    fewer = header.walk(memoryview(other[:-8]), uids.EXPLICIT_LE)
    assert len(fewer.dataset.elements) == (1 << 12) - 1

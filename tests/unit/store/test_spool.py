"""What a spooled object says of itself does not depend on how its bytes came."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import header
from pacs.dicom.header import part10_prefix
from pacs.store.spool import Spool, Spooled

PREFIX = part10_prefix(sop_class="1.2.3", sop_instance="1.2.3.4", transfer_syntax="1.2.840.10008.1.2.1")
META_AGAIN = bytes.fromhex("0200 1000 5549 0600") + b"1.2.84"
BEGINNINGS = (b"", b"\x08\0", META_AGAIN, b"\2\0", b"\2", b"DICM")


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    return Spool(tmp_path_factory.mktemp("spool"))


def said(spooled: Spooled) -> tuple[bytes, str, str]:
    return spooled.prefix, spooled.digest, spooled.prefix_digest


@pytest.mark.parametrize("meta", [200, 70_000, 200_000, header.META_LIMIT - 600, header.META_LIMIT + 5])
@pytest.mark.parametrize("piece", [4096, 100_000, 3 << 20])
def test_long_file_meta_information_is_found_in_any_pieces(spool: Spool, meta: int, piece: int) -> None:
    private = struct.pack("<HH2sHI", 2, 0x0102, b"OB", 0, meta) + bytes(meta)
    prefix, data = PREFIX + private, b"\x08\0\x05\0CS\x0a\0ISO_IR 192" + bytes(5000)
    with spool.create() as whole, spool.create() as begun:
        for at in range(0, len(prefix + data), piece):
            whole.write((prefix + data)[at : at + piece])
        begun.begin(prefix)
        begun.write(data)
        for one in (whole, begun):
            one.seal()
            one.mark()
            with Spooled.reopen(one.path) as found:
                assert found.fits
                assert (prefix + data).startswith(one.beginning)
                assert len(one.beginning) > len(one.prefix) or meta > header.META_LIMIT
                assert said(found) == said(whole)
        assert whole.prefix == (prefix if meta < header.META_LIMIT else b"")


def test_a_long_beginning_in_small_pieces_is_not_read_again_for_each(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    begin = header.data_set_begin

    def noted(head: memoryview) -> int | None:
        read.append(len(head))
        return begin(head)

    monkeypatch.setattr(header, "data_set_begin", noted)
    with spool.create() as spooled:
        spooled.begin(PREFIX)
        for _ in range(2000):
            spooled.write(bytes.fromhex("0200 0201 5553 0000") * 8)
        spooled.seal()
    assert sum(read) < 3 * spooled.size


@given(beginning=st.sampled_from(BEGINNINGS), rest=st.binary(max_size=40), piece=st.integers(1, 50))
def test_a_prefix_that_is_told_is_the_one_that_is_found(
    spool: Spool, beginning: bytes, rest: bytes, piece: int
) -> None:
    """A start after a power cut reads the file and must find the seal that was given."""
    data = beginning + rest
    with spool.create() as told:
        told.begin(PREFIX)
        for at in range(0, len(data), piece):
            told.write(data[at : at + piece])
        told.seal()
        told.mark()
        assert told.path.read_bytes() == PREFIX + data
        with Spooled.reopen(told.path) as found:
            assert said(found) == said(told)
            assert found.fits

"""What a spooled object says of itself does not depend on how its bytes came."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom.header import part10_prefix
from pacs.store.spool import Spool, Spooled

PREFIX = part10_prefix(sop_class="1.2.3", sop_instance="1.2.3.4", transfer_syntax="1.2.840.10008.1.2.1")
META_AGAIN = bytes.fromhex("0200 1000 5549 0600".replace(" ", "")) + b"1.2.84"
BEGINNINGS = (b"", b"\x08\0", META_AGAIN, b"\2\0", b"\2", b"DICM")


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    return Spool(tmp_path_factory.mktemp("spool"))


def said(spooled: Spooled) -> tuple[bytes, str, str]:
    return spooled.prefix, spooled.digest, spooled.prefix_digest


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
        assert Path(told.path).read_bytes() == PREFIX + data
        with Spooled.reopen(Path(told.path)) as found:
            assert said(found) == said(told)
            assert found.fits

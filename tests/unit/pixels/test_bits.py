import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom.words import swap
from pacs.pixels.bits import extract_bits, swap16, swap32


@given(st.binary(max_size=40), st.integers(0, 100), st.integers(0, 200))
def test_extract_bits_is_a_slice_of_the_bits(data: bytes, offset: int, nbits: int) -> None:
    bits = "".join(f"{byte:08b}"[::-1] for byte in data)[offset : offset + nbits]
    padded = bits.ljust((nbits + 7) // 8 * 8, "0")
    wanted = bytes(int(padded[at : at + 8][::-1], 2) for at in range(0, len(padded), 8))
    assert extract_bits(data, offset, nbits) == wanted


@given(st.binary(max_size=40), st.sampled_from([1, 2, 4, 8]))
def test_swap_twice_is_nothing(data: bytes, word: int) -> None:
    swapped = swap(data, word)
    assert swap(swapped, word) == data
    assert swapped[:word] == (data[:word][::-1] if len(data) >= word else data)


@pytest.mark.parametrize(
    ("swapped", "wanted"),
    [
        (swap16(b"\x01\x02\x03\x04"), b"\x02\x01\x04\x03"),
        (swap32(b"\x01\x02\x03\x04"), b"\x04\x03\x02\x01"),
        (swap16(b"\x01\x02\x03"), b"\x02\x01\x03"),
        (swap(b"\x01\x02\x03", 1), b"\x01\x02\x03"),
    ],
)
def test_swap(swapped: bytes, wanted: bytes) -> None:
    assert swapped == wanted

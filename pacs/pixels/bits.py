"""Bytes as stored to bytes as Explicit VR Little Endian has them."""

from pacs.dicom.words import swap


def extract_bits(data: bytes, bit_offset: int, nbits: int) -> bytes:
    """Bits `bit_offset` to `bit_offset + nbits` of `data`, moved to a byte edge.

    The first bit is the least significant of the first byte (PS3.5 8.1.1). The unused high bits
    of the last byte are 0.
    """
    value = int.from_bytes(data, "little") >> bit_offset
    return (value & ((1 << nbits) - 1)).to_bytes((nbits + 7) // 8, "little")


def swap16(data: bytes) -> bytes:
    """Big endian 16-bit words to little endian, or back."""
    return swap(data, 2)


def swap32(data: bytes) -> bytes:
    """Big endian 32-bit words to little endian, or back."""
    return swap(data, 4)

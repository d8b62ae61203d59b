"""The chain of items that encapsulated pixel data is (PS3.5 A.4), walked without reading pixels."""

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from pacs.pixels.layout import ITEM_HEADER

Read = Callable[[int, int], bytes]
"""`read(position, count)`: the bytes of the file there, fewer only at its end."""

MAX_FRAGMENTS = 1 << 20
"""More items than this are not followed: an object made of empty items could cost minutes."""

_HEADER = struct.Struct("<HHI")
_ITEM = (0xFFFE, 0xE000)
_SEQUENCE_DELIMITER = (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_PEEK = 8  # bytes of a fragment that tell whether a code stream begins there

# How a code stream begins. Which of them to look for is told by the first fragment and not by
# the transfer syntax, so that a wrongly labelled object is divided as well.
_BEGINNINGS = (
    b"\xff\xd8\xff",  # JPEG and JPEG-LS: SOI and the next marker (ISO 10918-1 B.2.1, ISO 14495-1 C.1)
    b"\xff\x4f\xff\x51",  # JPEG 2000 and HTJ2K: SOC and SIZ (ISO 15444-1 A.4.1)
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000 in its file format; not allowed but met
    b"\xff\x0a",  # JPEG XL code stream (ISO 18181-1)
    b"\x00\x00\x00\x0cJXL ",  # JPEG XL container (ISO 18181-2)
)


@dataclass(slots=True)
class Chain:
    """What the walk found. Item number 0, the Basic Offset Table, is not among the fragments."""

    end: int
    """Position behind the sequence delimiter, or where the walk could not go on."""
    table: tuple[int, int] = (0, 0)
    """Position and length of the Basic Offset Table's value."""
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    beginnings: "array[int]" = field(default_factory=lambda: array("I"))
    """Numbers of the fragments at whose first byte a code stream begins."""
    closed: bool = False
    cut: bool = False
    """The file ends inside the last fragment."""

    @property
    def first_value(self) -> int:
        return self.table[0] + self.table[1] + ITEM_HEADER


def walk(read: Read, offset: int, end: int) -> Chain | None:
    """Follow the items from `offset`; None when there is no item or there are too many."""
    chain = Chain(offset)
    table = _next(read, offset, end, chain)
    if table is None:
        return chain if chain.closed or chain.end == end else None
    chain.table = (offset + ITEM_HEADER, table[0])
    if chain.cut:
        return chain
    beginning = b""
    while not chain.cut and (item := _next(read, chain.end, end, chain)) is not None:
        length, head = item
        if not chain.lengths:
            beginning = next((known for known in _BEGINNINGS if head.startswith(known)), b"")
        if beginning and head.startswith(beginning):
            chain.beginnings.append(len(chain.lengths))
        chain.lengths.append(length)
        if len(chain.lengths) > MAX_FRAGMENTS:
            return None
    return chain


def _next(read: Read, at: int, end: int, chain: Chain) -> tuple[int, bytes] | None:
    """Length and first bytes of the item at `at`, None when the chain ends there; moves `chain.end` on."""
    head = read(at, min(ITEM_HEADER + _PEEK, max(0, end - at)))
    if len(head) < ITEM_HEADER:
        chain.end = end
        return None
    group, element, length = _HEADER.unpack_from(head)
    if (group, element) == _SEQUENCE_DELIMITER:
        chain.end, chain.closed = at + ITEM_HEADER, True
        return None
    if (group, element) != _ITEM or length == _UNDEFINED:
        return None
    chain.end = at + ITEM_HEADER + length
    if chain.end > end:
        chain.end, chain.cut = end, True
    return length, head[ITEM_HEADER : ITEM_HEADER + length]

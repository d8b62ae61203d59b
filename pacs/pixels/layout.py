"""The two ways frames lie in a file, each with its packed form.

Both answer for frame `i` in a time that does not depend on `i`, straight from the packed form.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

Ranges = tuple[tuple[int, int], ...]

ITEM_HEADER = 8  # tag and length of an item (PS3.5 7.5)
_STRIDED = struct.Struct("<QQQB")
_FRAGMENTED = struct.Struct("<II")
_SPACING = 64  # fragments from one recorded position to the next


@dataclass(frozen=True, slots=True)
class Strided:
    """Native frames: one directly behind the other, to the bit (PS3.5 8.1.1)."""

    start: int
    count: int
    frame_bits: int
    word: int
    """Bytes in the unit that big endian storage has reversed; 1 for little endian."""

    def _first_byte(self, frame: int) -> int:
        return frame * self.frame_bits // 8 // self.word * self.word

    def ranges(self, frame: int) -> Ranges:
        first = self._first_byte(frame)
        words = -(-(frame + 1) * self.frame_bits // (8 * self.word))
        return ((self.start + first, words * self.word - first),)

    def bit_offset(self, frame: int) -> int:
        return frame * self.frame_bits - 8 * self._first_byte(frame)

    def length(self, frame: int) -> int:  # noqa: ARG002 -- every frame has the same
        return (self.frame_bits + 7) // 8

    def pack(self) -> bytes:
        return _STRIDED.pack(self.start, self.count, self.frame_bits, self.word)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        return cls(*_STRIDED.unpack(packed))


@dataclass(frozen=True, slots=True)
class Fragmented:
    """Encapsulated frames: each one or more items, all items in one chain (PS3.5 A.4).

    `packed` is the position of every 64th fragment's value (u64), the length of every fragment
    (u32) and, unless every frame is one fragment, the number of each frame's first fragment
    (u32, and one more for the end).
    """

    count: int
    fragments: int
    packed: bytes

    @classmethod
    def of(cls, first_value: int, lengths: Sequence[int], edges: Sequence[int]) -> Self:
        """Frame `i` is fragments `edges[i]` to `edges[i + 1]`; `first_value` is where fragment 0 begins."""
        count, fragments = len(edges) - 1, len(lengths)
        steps = accumulate((length + ITEM_HEADER for length in lengths), initial=first_value)
        positions = [at for number, at in enumerate(steps) if number % _SPACING == 0]
        del positions[_positions(fragments) :]
        packed = struct.pack(f"<{len(positions)}Q{fragments}I", *positions, *lengths)
        if count != fragments:
            packed += struct.pack(f"<{count + 1}I", *edges)
        return cls(count, fragments, packed)

    def _numbers(self, first: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}I", self.packed, 8 * _positions(self.fragments) + 4 * first)

    def _edges(self, frame: int) -> tuple[int, ...]:
        if self.count == self.fragments:
            return frame, frame + 1
        return self._numbers(self.fragments + frame, 2)

    def _position(self, fragment: int) -> int:
        known = fragment // _SPACING
        between = fragment - known * _SPACING
        (position,) = struct.unpack_from("<Q", self.packed, 8 * known)
        skipped = sum(self._numbers(known * _SPACING, between))
        return int(position) + skipped + ITEM_HEADER * between

    def ranges(self, frame: int) -> Ranges:
        first, last = self._edges(frame)
        lengths = self._numbers(first, last - first)
        steps = accumulate((length + ITEM_HEADER for length in lengths), initial=self._position(first))
        return tuple(zip(steps, lengths, strict=False))

    def bit_offset(self, frame: int) -> int:  # noqa: ARG002 -- fragments begin at bytes
        return 0

    def length(self, frame: int) -> int:
        first, last = self._edges(frame)
        return sum(self._numbers(first, last - first))

    def pack(self) -> bytes:
        return _FRAGMENTED.pack(self.count, self.fragments) + self.packed

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        count, fragments = _FRAGMENTED.unpack_from(packed)
        edges = 0 if count == fragments else count + 1
        if len(packed) != _FRAGMENTED.size + 8 * _positions(fragments) + 4 * (fragments + edges):
            raise struct.error("length and counts of a frame table disagree")
        return cls(count, fragments, packed[_FRAGMENTED.size :])


def _positions(fragments: int) -> int:
    return -(-fragments // _SPACING)

"""Look-up tables of a data set: modality and VOI (PS3.3 C.11.1, C.11.2), palettes (C.7.6.3.1.5)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotAcceptable

_MOST: Final = 1 << 16
_INDIRECT: Final = 2


@dataclass(frozen=True, slots=True)
class Lut:
    """`entries[0]` belongs to `first` and to all below it, the last one to all above its own input.
    Entries use up to `bits` bits."""

    first: int
    entries: NDArray[np.uint16]
    bits: int

    def look_up(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Of values that lie between two inputs the nearest one's entry."""
        steps = np.rint(values).astype(np.int64) - self.first
        return np.asarray(self.entries[np.clip(steps, 0, len(self.entries) - 1)])

    @property
    def top(self) -> int:
        """The largest value that an entry can have."""
        return (1 << self.bits) - 1


@dataclass(frozen=True, slots=True)
class Descriptor:
    """LUT Descriptor (C.11.1.1): number of entries, first input, bits of an entry."""

    count: int
    first: int
    bits: int

    @classmethod
    def of(cls, values: tuple[int, ...], *, signed: bool) -> "Descriptor":
        """`signed` tells whether the inputs are: the second value may have been read either way.

        Raises NotAcceptable."""
        if len(values) != 3:
            raise NotAcceptable("a look-up table of this object has no descriptor")
        count, first, bits = (value & 0xFFFF for value in values)
        if not 1 <= bits <= 16:
            raise NotAcceptable(f"a look-up table of this object has entries of {bits} bits")
        return cls(count or _MOST, first - (first >> 15 << 16) * signed, bits)


def from_bytes(descriptor: Descriptor, data: bytes) -> Lut:
    """From LUT Data, little endian: two bytes an entry, or one where 8 bits are said and only that
    many bytes are there (C.7.6.3.1.6). Raises NotAcceptable."""
    count = descriptor.count
    if len(data) >= 2 * count:
        return from_numbers(descriptor, np.frombuffer(data, "<u2", count))
    if descriptor.bits == 8 and len(data) >= count:
        return from_numbers(descriptor, np.frombuffer(data, np.uint8, count).astype(np.uint16))
    raise NotAcceptable("a look-up table of this object is shorter than its descriptor says")


def from_segments(descriptor: Descriptor, data: bytes) -> Lut:
    """From Segmented Palette Color LUT Data (C.7.9.2): words of 16 bits or, of 8-bit entries, of 8
    bits; some write those in 16, too. Raises NotAcceptable."""
    wide = np.frombuffer(data, "<u2", len(data) // 2)
    expanded = _expand(list(data), descriptor.count, narrow=True) if descriptor.bits == 8 else None
    if expanded is None:
        expanded = _expand(wide.tolist(), descriptor.count, narrow=False)
    if expanded is None:
        raise NotAcceptable("a segmented look-up table of this object contradicts itself")
    return from_numbers(descriptor, np.array(expanded, np.uint16))


def from_numbers(descriptor: Descriptor, numbers: NDArray[np.uint16]) -> Lut:
    """Entries that need more bits than the descriptor says are believed. Raises NotAcceptable."""
    if len(numbers) < descriptor.count:
        raise NotAcceptable("a look-up table of this object is shorter than its descriptor says")
    entries = numbers[: descriptor.count]
    needed = int(entries.max()).bit_length()
    return Lut(descriptor.first, entries, max(descriptor.bits, needed))


def _expand(words: list[int], count: int, *, narrow: bool) -> list[int] | None:
    """Entries of a segmented table; None when it is none of `count` entries."""
    made: list[int] = []
    at = 0
    while at < len(words) and len(made) < count:
        step = _segment(words, at, made, count, narrow=narrow)
        if step is None:
            return None
        at += step
    return made if len(made) == count else None


def _segment(words: list[int], at: int, made: list[int], count: int, *, narrow: bool) -> int | None:
    """Append one segment's entries; returns the words it takes, None when it cannot be one."""
    if at + 2 > len(words):
        return None
    opcode, length = words[at], words[at + 1]
    match opcode:
        case 0:
            if at + 2 + length > len(words):
                return None
            made += words[at + 2 : at + 2 + length]
            return 2 + length
        case 1:
            if at + 3 > len(words) or not made or not length:
                return None
            made += _line(made[-1], words[at + 2], length)
            return 3
        case 2:
            return _repeat(words, at, made, count, narrow=narrow)
        case _:
            return None


def _line(start: int, end: int, length: int) -> list[int]:
    """`length` entries behind `start`, the last of which is `end`; halves are rounded up."""
    twice = 2 * (end - start)
    return [start + (twice * step + length) // (2 * length) for step in range(1, length + 1)]


def _repeat(words: list[int], at: int, made: list[int], count: int, *, narrow: bool) -> int | None:
    """An indirect segment: earlier segments again, from a byte offset, which takes four 8-bit words
    or two 16-bit ones."""
    parts = 4 if narrow else 2
    if at + 2 + parts > len(words):
        return None
    number = words[at + 1]
    shift = 8 if narrow else 16
    offset = sum(word << (shift * place) for place, word in enumerate(words[at + 2 : at + 2 + parts]))
    again = offset if narrow else offset // 2
    if again >= at:
        return None
    for _ in range(number):
        if again >= at or words[again] == _INDIRECT or len(made) > count:
            return None
        step = _segment(words, again, made, count, narrow=narrow)
        if step is None:
            return None
        again += step
    return 2 + parts

"""A walked data set written again in another encoding, value for value (PS3.5 7).

Where source and target are encoded alike an element is copied as it stands, odd as it may be.
Everything is yielded in pieces that point into the walked bytes: no values are held.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import chain

from pacs.dicom.header import PIXEL_DATA, Buffer, DataSet, Element, Walk
from pacs.dicom.words import swap, word_of
from pacs.errors import NotAcceptable
from pacs.pixels import vrs

Piece = bytes | memoryview

CHUNK = 1 << 20  # bytes; a multiple of every word
UNDEFINED = 0xFFFFFFFF
_PIXEL_REPRESENTATION = 0x00280103
_ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def head(tag: int, vr: str, length: int, *, implicit: bool) -> bytes:
    """Tag, VR and length of an element, little endian (PS3.5 7.1)."""
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack("<HHI", group, number, length)
    if vr in vrs.LONG:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, length)
    return struct.pack("<HH2sH", group, number, vr.encode(), length)


class Rewriter:
    """Elements of `walk` as Little Endian, Implicit or Explicit VR."""

    def __init__(self, walk: Walk, *, implicit: bool) -> None:
        self._buffer = walk.buffer
        self._source_implicit = walk.implicit
        self._big = walk.big_endian
        self._implicit = implicit
        self._alike = walk.implicit == implicit and not walk.big_endian
        self._signed = self._sign(walk.dataset, default=False)

    def element(self, element: Element) -> Iterator[Piece]:
        """One element of the top level. Raises NotAcceptable for encapsulated pixels inside it."""
        if self._alike and self._regular(element):
            begin = element.offset - self._head_size(element)
            yield from self.pieces(begin, element.offset + (element.length or 0) - begin)
        else:
            yield from self._written(element, signed=self._signed)

    def pieces(self, offset: int, length: int, word: int = 1) -> Iterator[Piece]:
        """The bytes there, `word` by `word` reversed."""
        for at in range(offset, offset + length, CHUNK):
            piece = self._buffer[at : min(at + CHUNK, offset + length)]
            yield piece if word == 1 else swap(bytes(piece), word)

    def _written(self, element: Element, *, signed: bool) -> Iterator[Piece]:
        if element.tag & 0xFFFF == 0:
            return  # group lengths are retired (PS3.5 7.2), and this one would not be true any more
        if _is_encapsulated(self._buffer, element):
            raise NotAcceptable("compressed pixels inside a sequence cannot be written natively")
        if element.items is None or self._as_un(element):
            yield from self._value(element, signed=signed)
        else:
            yield from self._sequence(element, element.items, signed=signed)

    def _value(self, element: Element, *, signed: bool) -> Iterator[Piece]:
        length = element.length or 0
        vr = "UN" if self._as_un(element) else element.vr
        if self._source_implicit or not self._explicit_head(element):
            vr = vrs.explicit(element.tag, vr, length, signed=signed)
        told = UNDEFINED if _undefined(self._buffer, element) else length
        yield head(element.tag, vr, told, implicit=self._implicit)
        yield from self.pieces(element.offset, length, word_of(vr) if self._big else 1)

    def _sequence(self, element: Element, items: list[DataSet], *, signed: bool) -> Iterator[Piece]:
        """Lengths that were undefined stay so, and the others are told anew: what is written back later
        is then what was there."""
        inside = chain.from_iterable(self._item(item, signed=signed) for item in items)
        if _undefined(self._buffer, element):
            yield head(element.tag, "SQ", UNDEFINED, implicit=self._implicit)
            yield from inside
            yield _SEQUENCE_END
        else:
            yield from _measured(inside, lambda size: head(element.tag, "SQ", size, implicit=self._implicit))

    def _item(self, item: DataSet, *, signed: bool) -> Iterator[Piece]:
        inner_sign = self._sign(item, default=signed)
        inside = chain.from_iterable(
            self._written(element, signed=inner_sign) for element in item.elements.values()
        )
        if item.delimited:
            yield _item_head(UNDEFINED)
            yield from inside
            yield _ITEM_END
        else:
            yield from _measured(inside, _item_head)

    def _sign(self, dataset: DataSet, *, default: bool) -> bool:
        """Pixel Representation of this data set or, in an item without, of the one around it."""
        element = dataset.elements.get(_PIXEL_REPRESENTATION)
        if element is None or not element.length:
            return default
        value = bytes(self._buffer[element.offset : element.offset + element.length])
        return int.from_bytes(value, "big" if self._big else "little") == 1

    def _regular(self, element: Element) -> bool:
        """False for what some writers left in Implicit VR amid an Explicit VR data set."""
        return self._source_implicit or (
            self._explicit_head(element)
            and (self._as_un(element) or all(map(self._regular, _elements_of(element))))
        )

    def _explicit_head(self, element: Element) -> bool:
        """Whether the element has a VR of its own."""
        if self._head_size(element) == 12:
            return True
        vr, length = struct.unpack_from(">2sH" if self._big else "<2sH", self._buffer, element.offset - 4)
        return vr.decode("latin-1") in vrs.SHORT and length == element.length

    def _head_size(self, element: Element) -> int:
        """8, or 12 where an explicit VR has a length of 32 bits."""
        if self._source_implicit:
            return 8
        order = ">" if self._big else "<"
        tag = struct.pack(order + "HH", element.tag >> 16, element.tag & 0xFFFF)
        return 8 if bytes(self._buffer[element.offset - 8 : element.offset - 4]) == tag else 12

    def _as_un(self, element: Element) -> bool:
        """Written as UN: the value is opaque or, where it is a sequence, Implicit VR Little Endian
        already (PS3.5 6.2.2)."""
        if self._source_implicit:
            return False
        return bytes(self._buffer[element.offset - 8 : element.offset - 4]) == b"UN\0\0"


def _measured(inside: Iterator[Piece], head_of: Callable[[int], bytes]) -> Iterator[Piece]:
    """The pieces, which point into the walked bytes, behind a head that tells how long they are."""
    pieces = list(inside)
    yield head_of(sum(map(len, pieces)))
    yield from pieces


def _item_head(length: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length)


def holds_encapsulated(walk: Walk, element: Element) -> bool:
    """Whether encapsulated pixels (of an icon) lie below the element."""
    return any(
        _is_encapsulated(walk.buffer, inner) or holds_encapsulated(walk, inner)
        for inner in _elements_of(element)
    )


def _elements_of(element: Element) -> Iterator[Element]:
    """Of every item of a sequence."""
    for item in element.items or ():
        yield from item.elements.values()


def _is_encapsulated(buffer: Buffer, element: Element) -> bool:
    return element.tag == PIXEL_DATA and element.items is None and _undefined(buffer, element)


def _undefined(buffer: Buffer, element: Element) -> bool:
    return bytes(buffer[element.offset - 4 : element.offset]) == b"\xff\xff\xff\xff"

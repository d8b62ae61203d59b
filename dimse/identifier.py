"""Identifiers of C-FIND, C-MOVE and C-GET requests: a data set of keys, read into text (PS3.4 C.4)."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pacs.dicom import charsets, header, uids
from pacs.dicom.attributes import tag_of, vr_of
from pacs.dicom.header import DataSet, Element
from pacs.errors import Invalid

MAX_SIZE: Final = 4 << 20  # 60 000 UIDs fit

CHARACTER_SET: Final = tag_of("SpecificCharacterSet")
LEVEL: Final = tag_of("QueryRetrieveLevel")
VIEW: Final = tag_of("QueryRetrieveView")
RETRIEVE_AET: Final = tag_of("RetrieveAETitle")
AVAILABILITY: Final = tag_of("InstanceAvailability")
_NOT_KEYS: Final = frozenset({CHARACTER_SET, LEVEL, VIEW, RETRIEVE_AET, AVAILABILITY})

_UNSPLIT: Final = frozenset({"LT", "ST", "UT", "UR"})
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_NOTHING: Final[Mapping[int, "Key"]] = {}


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute of an identifier. `items` are the keys of a sequence's item."""

    vr: str
    values: tuple[str, ...] = ()
    items: Mapping[int, "Key"] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Identifier:
    """`character_set` holds the terms of (0008,0005), empty when there is none."""

    character_set: tuple[str, ...]
    attributes: Mapping[int, Key]

    def text(self, tag: int) -> tuple[str, ...]:
        """The non-empty values of a top-level attribute."""
        key = self.attributes.get(tag)
        return tuple(value for value in key.values if value) if key else ()

    def keys(self) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
        """Attribute paths and values of what is matched or asked for (C.4.1.1.3)."""
        wanted = {tag: key for tag, key in self.attributes.items() if tag not in _NOT_KEYS}
        return _paths(wanted, ())

    def creators(self) -> Mapping[int, Key]:
        """Private creators say whose elements are meant (PS3.5 7.8.1); they are not matched."""
        return {tag: key for tag, key in self.attributes.items() if _is_creator(tag)}


def decode(raw: bytes, transfer_syntax: str, undeclared: tuple[str, ...] = ()) -> Identifier:
    """`undeclared` is the character set of text where none is declared, if that is known. Raises Invalid."""
    try:
        walk = header.walk(memoryview(raw), transfer_syntax)
    except header.Unreadable as error:
        raise Invalid(f"identifier cannot be read: {error}") from error
    reader = _Reader(memoryview(raw), big_endian=transfer_syntax == uids.EXPLICIT_BE)
    terms = reader.terms(walk.dataset)
    return Identifier(terms, reader.dataset(walk.dataset, terms or undeclared))


def _paths(
    keys: Mapping[int, Key], above: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    for tag, key in keys.items():
        if _is_creator(tag):
            continue
        if key.items:
            yield from _paths(key.items, (*above, tag))
        else:
            yield (*above, tag), key.values


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


class _Reader:
    def __init__(self, raw: memoryview, *, big_endian: bool) -> None:
        self._raw = raw
        self._order = ">" if big_endian else "<"

    def terms(self, dataset: DataSet) -> tuple[str, ...]:
        element = dataset.elements.get(CHARACTER_SET)
        if element is None or not element.length:
            return ()
        return tuple(term.strip("\0 ") for term in self._bytes(element).decode("latin-1").split("\\"))

    def dataset(self, dataset: DataSet, terms: tuple[str, ...]) -> dict[int, Key]:
        own = self.terms(dataset) or terms  # an item inherits its parent's (PS3.5 7.5.3)
        return {
            tag: self._key(element, own)
            for tag, element in sorted(dataset.elements.items())
            if tag & 0xFFFF and tag >> 16 > 0x0002
        }

    def _key(self, element: Element, terms: tuple[str, ...]) -> Key:
        vr = vr_of(element.tag) if element.vr == "UN" else element.vr
        if element.items is not None or vr == "SQ":
            # C.2.2.2.6: a sequence key has one item at most.
            return Key("SQ", (), self.dataset(element.items[0], terms) if element.items else _NOTHING)
        return Key(vr, self._values(vr, self._bytes(element), terms))

    def _bytes(self, element: Element) -> bytes:
        return bytes(self._raw[element.offset : element.offset + (element.length or 0)])

    def _values(self, vr: str, raw: bytes, terms: tuple[str, ...]) -> tuple[str, ...]:
        if not raw:
            return ()
        if vr == "AT":
            return tuple(
                f"{g:04X}{e:04X}" for g, e in struct.iter_unpack(self._order + "HH", raw[: len(raw) & ~3])
            )
        if vr in _NUMBERS:
            form = self._order + _NUMBERS[vr]
            whole = raw[: len(raw) - len(raw) % struct.calcsize(form)]
            return tuple(str(value) for (value,) in struct.iter_unpack(form, whole))
        text = _decode(raw, vr, terms)
        parts = (text,) if vr in _UNSPLIT else text.split("\\")
        return tuple(part.strip("\0 ") for part in parts)


def _decode(raw: bytes, vr: str, terms: tuple[str, ...]) -> str:
    if vr not in charsets.AFFECTED:
        return raw.decode("latin-1")
    return charsets.decode(raw, charsets.encodings(terms), vr)

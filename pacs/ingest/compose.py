"""A Part 10 file made of a described data set and its bulk data, written as it goes: in memory is one
element without bulk data, or one megabyte."""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from pacs.dicom import attributes, encode, header, uids
from pacs.dicom.attributes import tag_of
from pacs.dicom.described import DataSet, Described, Malformed
from pacs.dicom.header import PIXEL_DATA
from pacs.ingest import bulksyntax
from pacs.ingest.bulksyntax import ITEM
from pacs.ingest.examine import RULES, Broken
from pacs.ingest.parcel import Bulk, Parcel

_CHARACTER_SET: Final = tag_of("SpecificCharacterSet")
_AVAILABLE_SYNTAX: Final = tag_of("AvailableTransferSyntaxUID")
_FRAMES: Final = tag_of("NumberOfFrames")
_OFFSETS: Final = frozenset({tag_of("ExtendedOffsetTable"), tag_of("ExtendedOffsetTableLengths")})
_LONGEST_FRAGMENT: Final = 0xFFFFFFFE

Write = Callable[[bytes], None]


def compose(dataset: DataSet, parcel: Parcel, write: Write) -> bool:
    """Whether elements were discarded. Raises Broken and Malformed."""
    sop_class, sop_instance = uid(dataset, "SOPClassUID"), uid(dataset, "SOPInstanceUID")
    _check(sop_class, sop_instance)
    syntax = uids.EXPLICIT_LE
    parts: tuple[Bulk, ...] = ()
    pixels = dataset.get(PIXEL_DATA)
    if pixels is not None and pixels.bulk:
        parts = _parts(parcel, pixels)
        said = uid(dataset, "TransferSyntaxUID") or uid(dataset, "AvailableTransferSyntaxUID")
        syntax = bulksyntax.of(parcel, parts, said)
    write(header.part10_prefix(sop_class=sop_class, sop_instance=sop_instance, transfer_syntax=syntax))
    return _Composer(parcel, write, parts, syntax).top_level(dataset)


def uid(dataset: DataSet, keyword: str) -> str:
    """What can be told of it, valid or not; at most 64 characters."""
    element = dataset.get(tag_of(keyword))
    values = element.values if element else []
    return values[0].strip()[:64] if values and isinstance(values[0], str) else ""


def _check(sop_class: str, sop_instance: str) -> None:
    for found in (sop_class, sop_instance):
        if not found:
            raise Broken("missing-uid", RULES["missing-uid"])
        if not uids.is_valid(found):
            raise Broken("invalid-uid", RULES["invalid-uid"])


def _parts(parcel: Parcel, element: Described) -> tuple[Bulk, ...]:
    parts = parcel.find(element.bulk)
    if not parts:
        raise Broken("bulk-data", RULES["bulk-data"])
    return parts


class _Composer:
    def __init__(self, parcel: Parcel, write: Write, pixels: tuple[Bulk, ...], syntax: str) -> None:
        self._parcel = parcel
        self._write = write
        self._pixels = pixels
        self._syntax = syntax

    def top_level(self, dataset: DataSet) -> bool:
        """Whether elements were discarded."""
        if _CHARACTER_SET in dataset or not _is_ascii(dataset):
            dataset[_CHARACTER_SET] = Described("CS", ["ISO_IR 192"])
        framed = self._syntax != uids.EXPLICIT_LE and not self._is_encapsulated()
        for tag in sorted(dataset):
            if tag >> 16 <= 0x0002 or tag == _AVAILABLE_SYNTAX or tag & 0xFFFF == 0:
                continue
            if tag in _OFFSETS and framed:
                continue  # they tell where the fragments of the sender stood, which are not ours
            if tag == PIXEL_DATA and self._syntax != uids.EXPLICIT_LE:
                self._encapsulated(dataset)
            else:
                self._element(tag, dataset[tag])
        return framed and not _OFFSETS.isdisjoint(dataset)

    def _element(self, tag: int, element: Described) -> None:
        if tag >> 16 == 0xFFFE:
            raise Malformed("a delimiter stands where an attribute should")
        if element.items is not None:
            self._sequence(tag, element.items)
        elif element.bulk:
            self._bulk(tag, element)
        else:
            field = encode.value_field(tag, element)
            self._write(encode.head(tag, element.vr, len(field)) + field)

    def _sequence(self, tag: int, items: list[DataSet]) -> None:
        if not items:
            self._write(encode.head(tag, "SQ", 0))
            return
        self._write(encode.head(tag, "SQ", encode.UNDEFINED))
        for item in items:
            self._write(encode.ITEM)
            for inner in sorted(item):
                if inner & 0xFFFF and inner != _CHARACTER_SET:
                    self._element(inner, item[inner])
            self._write(encode.ITEM_END)
        self._write(encode.SEQUENCE_END)

    def _bulk(self, tag: int, element: Described) -> None:
        parts = _parts(self._parcel, element)
        length = sum(part.length for part in parts)
        odd = length % 2
        if length + odd > _LONGEST_FRAGMENT:
            raise Malformed(f"{attributes.keyword_of(tag)} is longer than 4 GiB")
        self._write(encode.head(tag, element.vr, length + odd))
        for part in parts:
            self._copy(part)
        self._write(encode.padding(element.vr) * odd)

    def _is_encapsulated(self) -> bool:
        return len(self._pixels) == 1 and self._parcel.beginning(self._pixels[0], 4) == ITEM

    def _encapsulated(self, dataset: DataSet) -> None:
        """As it lay in a file, items and all, or frame by frame; then the Basic Offset Table is empty."""
        self._write(encode.head(PIXEL_DATA, "OB", encode.UNDEFINED))
        if self._is_encapsulated():
            self._copy(self._pixels[0])
            if self._parcel.ending(self._pixels[0], 8) != encode.SEQUENCE_END:
                self._write(encode.SEQUENCE_END)
            return
        frames = _first_number(dataset.get(_FRAMES))
        if frames != len(self._pixels) and not bulksyntax.is_video(self._syntax):
            raise Broken("bulk-data", f"{len(self._pixels)} parts were sent for {frames} frames")
        self._write(ITEM + bytes(4))
        for part in self._pixels:
            odd = part.length % 2
            if part.length > _LONGEST_FRAGMENT:
                raise Malformed("a frame is longer than 4 GiB")
            self._write(ITEM + struct.pack("<I", part.length + odd))
            self._copy(part)
            self._write(bytes(odd))
        self._write(encode.SEQUENCE_END)

    def _copy(self, part: Bulk) -> None:
        for chunk in self._parcel.chunks(part):
            self._write(chunk)


def _first_number(element: Described | None) -> int:
    try:
        return int(element.values[0]) if element and element.values else 1
    except (TypeError, ValueError):
        raise Malformed("NumberOfFrames is no number") from None


def _is_ascii(dataset: DataSet) -> bool:
    return all(value.isascii() for value in _texts(dataset))


def _texts(dataset: DataSet) -> Iterator[str]:
    for element in dataset.values():
        yield from (value for value in element.values if isinstance(value, str))
        for item in element.items or ():
            yield from _texts(item)

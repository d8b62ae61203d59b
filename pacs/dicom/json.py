"""The DICOM JSON Model (PS3.18 Annex F), made once from a walked data set.

Each element becomes one ready fragment of JSON text; what is stored is the fragments joined, so
metadata is never parsed again. Where a BulkDataURI begins, the fragment holds the raw byte 0x01,
which valid JSON text cannot contain: whoever delivers it replaces that byte by the instance's
own `.../bulkdata` address.
"""

import base64
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
from pydicom.datadict import dictionary_VR

from pacs.dicom import charsets
from pacs.dicom.header import DataSet, Element, Walk, integer
from pacs.dicom.words import swap, word_of

BULK_BASE = b"\x01"
INLINE_BINARY_LIMIT = 1024  # bytes; above it a BulkDataURI
NUMBER_LIMIT = 8192  # bytes of a numeric array; above it a BulkDataURI
_OFTEN: Final = 64  # bytes of a value that may well come again, in the next object of the series
_REMEMBERED: Final = 8192  # of these
_EXACT_INTEGER = 2**53  # PS3.18 F.2.3: beyond it a 64-bit integer travels as a string

_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_UNSPLIT = frozenset({"LT", "ST", "UT", "UR"})
_TRAILING_ONLY = frozenset({"LT", "ST", "UT", "UR", "UC"})
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103


@dataclass(slots=True)
class Encoded:
    """`fragments[tag]` is `"GGGGEEEE":{...}` of a top-level element, `values[tag]` its Value list."""

    fragments: dict[int, bytes] = field(default_factory=dict)
    values: dict[int, list[Any]] = field(default_factory=dict)

    def document(self) -> bytes:
        """The whole data set as one JSON object."""
        return b"{" + b",".join(self.fragments.values()) + b"}"

    def subset(self, tags: Iterable[int]) -> bytes:
        """A JSON object of those of `tags` that are present, in their order."""
        fragments = self.fragments
        return b"{" + b",".join([fragments[tag] for tag in tags if tag in fragments]) + b"}"


def encode(state: Walk) -> Encoded:
    """Encode every element of the walked data set. Never fails on a value: what does not fit its
    VR stays text (DS, IS) or becomes binary."""
    encoder = _Encoder(state)
    return encoder.top_level()


class _Encoder:
    def __init__(self, state: Walk) -> None:
        self._buffer = state.buffer
        self._order = ">" if state.big_endian else "<"
        self._implicit = state.implicit
        self._signed = integer(state, _PIXEL_REPRESENTATION, 0) == 1
        self._dataset = state.dataset

    def top_level(self) -> Encoded:
        out = Encoded()
        codecs = self._codecs(self._dataset, charsets.DEFAULT)
        ascii_only = True
        for tag in sorted(self._dataset.elements):
            if tag & 0xFFFF == 0 or tag >> 16 <= 0x0002 or tag >> 16 == 0xFFFE:
                continue
            fragment, values = self._element(self._dataset.elements[tag], codecs, "")
            out.fragments[tag] = fragment
            out.values[tag] = values
            ascii_only = ascii_only and fragment.isascii()
        self._declare_utf8(out, ascii_only=ascii_only)
        return out

    def _declare_utf8(self, out: Encoded, *, ascii_only: bool) -> None:
        """JSON text is UTF-8, whatever the object was written in (PS3.18 F.2.2, PS3.3 C.12.1.1.2)."""
        if _CHARACTER_SET not in out.fragments and ascii_only:
            return
        fragment = b'"00080005":{"vr":"CS","Value":["ISO_IR 192"]}'
        out.fragments = {_CHARACTER_SET: fragment} | {
            tag: f for tag, f in out.fragments.items() if tag != _CHARACTER_SET
        }
        if min(out.fragments) != _CHARACTER_SET:
            out.fragments = dict(sorted(out.fragments.items()))
        out.values[_CHARACTER_SET] = ["ISO_IR 192"]

    def _codecs(self, dataset: DataSet, inherited: tuple[str, ...]) -> tuple[str, ...]:
        element = dataset.elements.get(_CHARACTER_SET)
        if element is None or not element.length:
            return inherited
        raw = bytes(self._buffer[element.offset : element.offset + element.length])
        return charsets.encodings(tuple(t.strip("\0 ") for t in raw.decode("ascii", "replace").split("\\")))

    def _element(self, element: Element, codecs: tuple[str, ...], path: str) -> tuple[bytes, list[Any]]:
        """Its JSON and its Value list, which is shared and not to be changed."""
        tag, vr, length = element.tag, self._settled_vr(element), element.length
        if element.items is not None or vr == "SQ":
            return _named(tag, "SQ", self._items(element, codecs, path)), []
        if length == 0:
            return _named(tag, vr, b""), []
        if length is None or (vr in _NUMBERS and length > NUMBER_LIMIT):
            return _named(tag, vr, self._bulk(element, path)), []
        if vr in _BINARY:
            return _named(tag, vr, self._binary(element, path, vr)), []
        raw = bytes(self._buffer[element.offset : element.offset + length])
        make = _remembered if length <= _OFTEN else _made
        made = make(tag, vr, raw, codecs if vr in charsets.AFFECTED else charsets.DEFAULT, self._order)
        return made or (_named(tag, "UN", self._binary(element, path, "UN")), [])

    def _settled_vr(self, element: Element) -> str:
        """Implicit VR leaves a choice that Pixel Representation decides (PS3.5 A.1, PS3.6)."""
        if self._implicit and element.vr == "US" and self._signed and not element.tag >> 16 & 1:
            try:
                if dictionary_VR(element.tag).startswith("US or SS"):
                    return "SS"
            except KeyError:
                pass
        if self._implicit and element.vr == "OB" and element.tag == 0x7FE00010:
            return "OW"
        return element.vr

    def _items(self, element: Element, codecs: tuple[str, ...], path: str) -> bytes:
        encoded = []
        for number, item in enumerate(element.items or [], 1):
            inner = self._codecs(item, codecs)
            below = f"{path}/{element.tag:08X}/{number}"
            encoded.append(
                b"{"
                + b",".join(
                    self._element(item.elements[tag], inner, below)[0]
                    for tag in sorted(item.elements)
                    if tag & 0xFFFF and tag != _CHARACTER_SET
                )
                + b"}"
            )
        return b',"Value":[' + b",".join(encoded) + b"]" if encoded else b""

    def _binary(self, element: Element, path: str, vr: str) -> bytes:
        """Little endian, whatever the object is written in (PS3.18 F.2.7, PS3.19 A.1.5)."""
        length = element.length or 0
        if length > INLINE_BINARY_LIMIT or element.tag in {0x7FE00008, 0x7FE00009, 0x7FE00010}:
            return self._bulk(element, path)
        raw = self._buffer[element.offset : element.offset + length]
        little = swap(bytes(raw), word_of(vr)) if self._order == ">" else raw
        return b',"InlineBinary":"' + base64.b64encode(little) + b'"'

    def _bulk(self, element: Element, path: str) -> bytes:
        return b',"BulkDataURI":"' + BULK_BASE + f'{path}/{element.tag:08X}"'.encode()


def _named(tag: int, vr: str, content: bytes) -> bytes:
    return b'"%08X":{"vr":"%s"%s}' % (tag, vr.encode(), content)


def _made(
    tag: int, vr: str, raw: bytes, codecs: tuple[str, ...], order: str
) -> tuple[bytes, list[Any]] | None:
    """A non-empty field of values; None when the bytes cannot be of this VR."""
    values = _values(vr, raw, codecs, order)
    if values is None:
        return None
    return _named(tag, vr, b',"Value":' + orjson.dumps(values) if values else b""), values


_remembered = lru_cache(maxsize=_REMEMBERED)(_made)


def _values(vr: str, raw: bytes, codecs: tuple[str, ...], order: str) -> list[Any] | None:
    if vr in _NUMBERS:
        return _numbers(vr, raw, order)
    if vr == "AT":
        return _tags(raw, order)
    text = charsets.decode(raw, codecs, vr)
    if vr in _UNSPLIT:
        stripped = text.rstrip(" \0")
        return [stripped] if stripped else []
    parts = text.rstrip("\0 ").split("\\")
    convert = _CONVERT.get(vr)
    trim = str.rstrip if vr in _TRAILING_ONLY else str.strip
    values = [trim(part, " \0") or None for part in parts]
    if convert:
        values = [None if v is None else convert(v) for v in values]
    return [] if values == [None] else values


def _numbers(vr: str, raw: bytes, order: str) -> list[Any] | None:
    code = _NUMBERS[vr]
    count, rest = divmod(len(raw), struct.calcsize("=" + code))
    if rest:
        return None
    numbers = struct.unpack(f"{order}{count}{code}", raw)
    if code in "fd":
        return [n if math.isfinite(n) else _not_finite(n) for n in numbers]
    if code in "Qq":
        return [n if abs(n) < _EXACT_INTEGER else str(n) for n in numbers]
    return list(numbers)


def _tags(raw: bytes, order: str) -> list[Any] | None:
    if len(raw) % 4:
        return None
    pairs = struct.unpack(f"{order}{len(raw) // 2}H", raw)
    return [f"{g:04X}{e:04X}" for g, e in zip(pairs[::2], pairs[1::2], strict=True)]


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _decimal(text: str) -> float | int | str:
    """A DS as a number; text that is none stays text (PS3.18 F.2.3)."""
    try:
        number = float(text)
    except ValueError:
        return text
    if "_" in text or not math.isfinite(number):
        return text
    return (
        int(number)
        if number.is_integer() and abs(number) < _EXACT_INTEGER and "e" not in text.lower()
        else number
    )


def _integer(text: str) -> int | str:
    try:
        number = int(text)
    except ValueError:
        return text
    return number if "_" not in text and abs(number) < _EXACT_INTEGER else text


def _person_name(text: str) -> dict[str, str]:
    groups = [group.strip() for group in text.split("=")[:3]]
    labels = ("Alphabetic", "Ideographic", "Phonetic")
    return {label: group for label, group in zip(labels, groups, strict=False) if group} or {"Alphabetic": ""}


_CONVERT: dict[str, Callable[[str], Any]] = {"DS": _decimal, "IS": _integer, "PN": _person_name}

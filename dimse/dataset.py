"""DICOM JSON elements to a data set on the wire (PS3.18 F to PS3.5 7).

Stored values can be anything; a value that does not fit its VR becomes empty, never an error.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dimse.text import UNICODE, Repertoire
from pacs.dicom import attributes, charsets, uids

Element = Mapping[str, Any]

_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_SHORT: Final = frozenset(
    {
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FL",
        "FD",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
    }
    | {"UI", "UL", "US"}
)
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_ZERO_PADDED: Final = frozenset({"UI", "OB", "UN"})
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_ITEM: Final = (0xFFFE, 0xE000)
_CHARACTER_SET: Final = 0x00080005


def encode(elements: Mapping[int, Element], transfer_syntax: str, wished: Repertoire = UNICODE) -> bytes:
    """The data set, with its Specific Character Set: the one wished for if it holds every text."""
    for repertoire in (wished, UNICODE):
        declared = {_CHARACTER_SET: {"vr": "CS", "Value": list(repertoire.terms)}}
        try:
            return _Writer(transfer_syntax, repertoire).dataset({**elements, **declared})
        except UnicodeEncodeError:
            continue
    raise AssertionError("UTF-8 holds every text")


class _Writer:
    def __init__(self, transfer_syntax: str, repertoire: Repertoire) -> None:
        self._explicit = transfer_syntax != uids.IMPLICIT_LE
        self._order = ">" if transfer_syntax == uids.EXPLICIT_BE else "<"
        self._repertoire = repertoire

    def dataset(self, elements: Mapping[int, Element]) -> bytes:
        return b"".join(self._element(tag, elements[tag]) for tag in sorted(elements))

    def _element(self, tag: int, element: Element) -> bytes:
        vr = str(element.get("vr", "UN"))
        if vr not in _SHORT and vr not in _LONG:
            vr = "UN"
        if vr == "SQ":
            raw = self._sequence(element.get("Value") or ())
        elif not self._explicit and attributes.vr_of(tag) == "SQ":
            raw = b""  # a stored oddity: whoever reads Implicit VR expects items here
        else:
            raw = self._value(vr, element)
        if len(raw) % 2:
            raw += b"\0" if vr in _ZERO_PADDED else b" "
        return self._header(tag, vr, len(raw)) + raw

    def _header(self, tag: int, vr: str, length: int) -> bytes:
        head = struct.pack(self._order + "HH", tag >> 16, tag & 0xFFFF)
        if not self._explicit:
            return head + struct.pack(self._order + "I", length)
        if vr in _SHORT and length <= 0xFFFE:
            return head + vr.encode() + struct.pack(self._order + "H", length)
        # A value too long for its VR's two-byte length goes as UN (PS3.5 6.2.2).
        vr = "UN" if vr in _SHORT else vr
        return head + vr.encode() + struct.pack(self._order + "HI", 0, length)

    def _sequence(self, items: Iterable[Any]) -> bytes:
        out = []
        for item in items:
            elements = {int(tag, 16): e for tag, e in item.items()} if isinstance(item, dict) else {}
            body = self.dataset(elements)
            out.append(struct.pack(self._order + "HHI", *_ITEM, len(body)) + body)
        return b"".join(out)

    def _value(self, vr: str, element: Element) -> bytes:
        if "InlineBinary" in element:
            return _binary(element["InlineBinary"])
        values = element.get("Value") or ()
        try:
            if vr in _NUMBERS:
                return b"".join(struct.pack(self._order + _NUMBERS[vr], _number(vr, v)) for v in values)
            if vr == "AT":
                tags = (int(str(v), 16) for v in values)
                return b"".join(struct.pack(self._order + "HH", t >> 16, t & 0xFFFF) for t in tags)
        except (ValueError, TypeError, struct.error, OverflowError):
            return b""
        text = "\\".join(_text(vr, v) for v in values)
        if vr in charsets.AFFECTED:
            return self._repertoire.encode(text.encode("utf-8", "replace").decode("utf-8"), vr)
        return text.encode("ascii", "replace")


def _binary(inline: Any) -> bytes:
    try:
        return base64.b64decode(str(inline))
    except (binascii.Error, ValueError):
        return b""


def _number(vr: str, value: Any) -> int | float:
    return float(value) if vr in {"FL", "FD"} else int(value)


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN" and isinstance(value, dict):
        return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
    if vr == "DS" and isinstance(value, float):
        return _decimal(value)
    return str(value)


def _decimal(value: float) -> str:
    """DS has at most 16 characters (PS3.5 6.2)."""
    text = repr(value)
    return text if len(text) <= 16 else f"{value:.10g}"

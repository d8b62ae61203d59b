"""Which transfer syntax pixel data sent by itself is in (PS3.18 8.7.3.3)."""

from collections.abc import Sequence
from typing import Final

from pacs.dicom import uids
from pacs.ingest.examine import RULES, Broken
from pacs.ingest.parcel import Bulk, Parcel

_JPEG: Final = "1.2.840.10008.1.2.4."
# Table 8.7.3-5 and 8.7.3-6: what a media type means when no transfer syntax is named.
_BY_TYPE: Final = {
    "image/jls": _JPEG + "80",
    "image/jp2": _JPEG + "90",
    "image/jpx": _JPEG + "92",
    "image/jphc": _JPEG + "201",
    "image/jxl": _JPEG + "110",
    "image/dicom-rle": uids.RLE,
    "image/x-dicom-rle": uids.RLE,
    "video/mpeg": _JPEG + "100",
    "video/mp4": _JPEG + "102",
    "video/h265": _JPEG + "107",
}
# How a JPEG codes its frame (ISO/IEC 10918-1 B.2.2).
_BY_FRAME: Final = {0xC0: _JPEG + "50", 0xC1: _JPEG + "51", 0xC3: _JPEG + "57"}
_FIRST_ORDER: Final = _JPEG + "70"
_HEADER: Final = 1 << 16
_NATIVE: Final = (uids.EXPLICIT_LE, uids.IMPLICIT_LE, uids.DEFLATED_LE)
ITEM: Final = b"\xfe\xff\x00\xe0"


def of(parcel: Parcel, parts: Sequence[Bulk], said: str) -> str:
    """Explicit VR Little Endian for uncompressed samples. `said` is what the metadata names. Raises
    Broken when the parts contradict each other."""
    found = {_of(parcel, part, said) for part in parts}
    if len(found) > 1:
        raise Broken("bulk-data", "parts of one value are in different transfer syntaxes")
    syntax = found.pop() if found else uids.EXPLICIT_LE
    if syntax == uids.EXPLICIT_BE or not uids.is_valid(syntax):
        raise Broken("transfer-syntax", RULES["transfer-syntax"])
    return uids.EXPLICIT_LE if syntax in _NATIVE else syntax


def is_video(syntax: str) -> bool:
    """PS3.5 8.2.5 and following: MPEG2, MPEG-4 and HEVC, many frames in one stream."""
    number = syntax.removeprefix(_JPEG).partition(".")[0]
    return syntax.startswith(_JPEG) and number.isdigit() and 100 <= int(number) <= 108


def _of(parcel: Parcel, part: Bulk, said: str) -> str:
    if part.transfer_syntax not in ("", "*"):
        return part.transfer_syntax
    if part.media_type == "image/jpeg":
        return _jpeg(parcel.beginning(part, _HEADER))
    if part.media_type in _BY_TYPE:
        return _BY_TYPE[part.media_type]
    encapsulated = parcel.beginning(part, 4) == ITEM
    return said if said and encapsulated and not uids.is_native(said) else uids.EXPLICIT_LE


def _jpeg(data: bytes) -> str:
    """By its frame header; the default of the media type where it shows none."""
    at, found = 2, _FIRST_ORDER
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _BY_FRAME:
            found = _BY_FRAME[marker]
        if marker == 0xDA:  # the predictor is the first byte behind the components of the scan
            predictor = data[at + 5 + 2 * data[at + 4]] if at + 5 + 2 * data[at + 4] < len(data) else 1
            return _FIRST_ORDER if found == _BY_FRAME[0xC3] and predictor == 1 else found
        at += 2 + length
    return found

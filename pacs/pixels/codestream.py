"""What the first bytes of a compressed frame say. Parsed before any decoder sees them: a stream that
claims other dimensions than the data set costs nothing.
"""

import struct
from dataclasses import dataclass, replace

from pacs.errors import NotAcceptable

_SOI, _SOC, _SIZ = b"\xff\xd8", b"\xff\x4f", b"\xff\x51"
_COD, _SOT, _SOS, _EOI = 0xFF52, 0xFF90, 0xFFDA, 0xFFD9
_APP0, _APP14 = 0xFFE0, 0xFFEE
_SOF3 = 0xFFC3
_SOF55 = 0xFFF7  # JPEG-LS (ISO 14495-1 C.1.1)
_NOT_FRAMES = frozenset({0xFFC4, 0xFFC8, 0xFFCC})  # DHT, JPG, DAC among the SOFs
_MAX_SEGMENTS = 4096
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class Stream:
    """`precision` is the widest component's. `reversible` tells whether the transform is the exact
    one; whether nothing was thrown away besides, only the encoder knows. `jfif` and `adobe` tell
    what a JPEG says of its colours: `adobe` is the transform flag of its APP14 segment."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    reversible: bool = True
    component_transform: bool = False
    subsampled: bool = False
    levels: int = 0
    progression: int = 0
    jfif: bool = False
    adobe: int | None = None
    component_ids: bytes = b""
    begin: int = 0
    """Where a JPEG 2000 stream begins: behind 0 in its file format."""
    lossless: bool = False
    """Of a JPEG: process 14 (SOF3)."""


def read(data: bytes) -> Stream:
    """Of JPEG, JPEG-LS, JPEG 2000 and HTJ2K. Raises NotAcceptable for anything else."""
    try:
        if data[:2] == _SOC:
            return _jpeg_2000(data, 0)
        if data.startswith(_JP2_SIGNATURE):  # the file format; not allowed (PS3.5 A.4.4) but met
            begin = data.find(_SOC + _SIZ, 0, 1 << 16)
            return _jpeg_2000(data, max(0, begin))
        if data[:2] == _SOI:
            return _jpeg(data)
    except (struct.error, IndexError) as error:
        raise NotAcceptable("the compressed frame ends inside its header") from error
    raise NotAcceptable("the compressed frame does not begin as its transfer syntax says")


def _jpeg_2000(data: bytes, begin: int) -> Stream:
    """SIZ and COD of the main header (ISO 15444-1 A.5.1, A.6.1)."""
    if data[begin + 2 : begin + 4] != _SIZ:
        raise NotAcceptable("the JPEG 2000 stream has no SIZ marker")
    right, bottom, left, top = struct.unpack_from(">4I", data, begin + 8)
    (components,) = struct.unpack_from(">H", data, begin + 40)
    sizes = [struct.unpack_from("3B", data, begin + 42 + 3 * number) for number in range(components)]
    if not sizes or right <= left or bottom <= top:
        raise NotAcceptable("the JPEG 2000 stream has no pixels")
    cod = _coding_style(data, begin + 2)
    return Stream(
        rows=bottom - top,
        columns=right - left,
        components=components,
        precision=max((depth & 0x7F) + 1 for depth, _, _ in sizes),
        signed=bool(sizes[0][0] & 0x80),
        reversible=data[cod + 13] == 1,
        component_transform=bool(data[cod + 8]),
        subsampled=any((across, down) != (1, 1) for _, across, down in sizes),
        levels=data[cod + 9],
        progression=data[cod + 5],
        begin=begin,
    )


def _coding_style(data: bytes, pos: int) -> int:
    """Position of the COD marker."""
    for _ in range(_MAX_SEGMENTS):
        marker, length = struct.unpack_from(">HH", data, pos)
        if marker == _COD:
            return pos
        if marker == _SOT or length < 2:
            break
        pos += 2 + length
    raise NotAcceptable("the JPEG 2000 stream has no COD marker")


def _jpeg(data: bytes) -> Stream:
    """Frame header and the segments that tell the colours (ISO 10918-1 B.2, JFIF 1.02, Adobe TN 5116)."""
    pos, jfif = 2, False
    adobe: int | None = None
    for _ in range(_MAX_SEGMENTS):
        while data[pos] == 0xFF and data[pos + 1] == 0xFF:  # fill bytes (B.1.1.2)
            pos += 1
        marker, length = struct.unpack_from(">HH", data, pos)
        body = data[pos + 4 : pos + 2 + length]
        if marker in {_SOS, _EOI} or marker < 0xFF00 or length < 2:
            break
        if marker == _APP0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif marker == _SOF55 or (0xFFC0 <= marker <= 0xFFCF and marker not in _NOT_FRAMES):
            return replace(_frame_header(body), jfif=jfif, adobe=adobe, lossless=marker == _SOF3)
        pos += 2 + length
    raise NotAcceptable("the JPEG stream has no frame header")


def _frame_header(body: bytes) -> Stream:
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    each = [struct.unpack_from("3B", body, 6 + 3 * number) for number in range(components)]
    return Stream(
        rows=rows,
        columns=columns,
        components=components,
        precision=precision,
        subsampled=len({sampling for _, sampling, _ in each}) > 1,
        component_ids=bytes(number for number, _, _ in each),
    )

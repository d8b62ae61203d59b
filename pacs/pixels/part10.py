"""File Meta Information for a data set that changes its transfer syntax (PS3.10 7.1)."""

import struct

from pacs.dicom import header
from pacs.dicom.header import Unreadable
from pacs.errors import Invalid

_TRANSFER_SYNTAX, _GROUP_LENGTH = 0x0010, 0x0000
_LONG = frozenset({b"OB", b"OW", b"UN", b"SQ", b"UT", b"OF", b"UC", b"UR"})


def with_syntax(prefix: bytes, transfer_syntax: str) -> bytes:
    """Preamble and File Meta Information of the original with another (0002,0010) and the group length
    that goes with it; every other element stays as it is. `prefix` is what lies before the data set.

    Raises Invalid when it is no File Meta Information."""
    try:
        end = header.read_meta(memoryview(prefix)).dataset_offset
    except Unreadable as error:
        raise Invalid("the file has no File Meta Information") from error
    start, body, done = header.PREAMBLE + 4, bytearray(), False
    pos = start
    while pos < end:
        number, behind = _step(prefix, pos)
        if number >= _TRANSFER_SYNTAX and not done:
            body += _transfer_syntax(transfer_syntax)
            done = True
        if number not in {_TRANSFER_SYNTAX, _GROUP_LENGTH}:
            body += prefix[pos:behind]
        pos = behind
    if not done:
        body += _transfer_syntax(transfer_syntax)
    return prefix[:start] + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


def _step(prefix: bytes, pos: int) -> tuple[int, int]:
    """Element number at `pos`, and where the next element begins."""
    _, number, vr, short = struct.unpack_from("<HH2sH", prefix, pos)
    if vr in _LONG:
        return number, pos + 12 + struct.unpack_from("<I", prefix, pos + 8)[0]
    return number, pos + 8 + short


def _transfer_syntax(uid: str) -> bytes:
    value = uid.encode("ascii") + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", 2, _TRANSFER_SYNTAX, b"UI", len(value)) + value

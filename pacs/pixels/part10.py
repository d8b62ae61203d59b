"""File Meta Information for a data set that changes its transfer syntax (PS3.10 7.1)."""

import struct
from collections.abc import Iterator

from pacs.dicom import header, uids
from pacs.dicom.header import PREAMBLE, Unreadable
from pacs.errors import Invalid
from pacs.pixels import vrs

_GROUP_LENGTH, _TRANSFER_SYNTAX, _CREATOR, _INFORMATION = 0x0000, 0x0010, 0x0100, 0x0102
_OURS = uids.RECEIVED_FORM.encode("ascii")
_LONG = frozenset(vr.encode("ascii") for vr in vrs.LONG)
_MAGIC = PREAMBLE + 4


def with_syntax(prefix: bytes, transfer_syntax: str) -> bytes:
    """Preamble and File Meta Information of the original with another (0002,0010) and the group length
    that goes with it; every other element stays as it is, but for what the archive noted of the form
    the object was received in. `prefix` is what lies before the data set.

    Raises Invalid when it is no File Meta Information."""
    elements = _elements(prefix)
    if _is_ours(elements):
        del elements[_CREATOR], elements[_INFORMATION]
    return _written(prefix[:_MAGIC], elements, transfer_syntax)


def with_note(prefix: bytes, transfer_syntax: str, note: bytes) -> bytes:
    """The same for a file of the archive's own making, with `note` as its Private Information. The
    preamble is empty: what it may have said of the original is not true of this file. Raises Invalid."""
    elements = _elements(prefix)
    elements[_CREATOR] = _element(_CREATOR, b"UI", _OURS)
    elements[_INFORMATION] = _element(_INFORMATION, b"OB", note)
    return _written(bytes(PREAMBLE) + b"DICM", elements, transfer_syntax)


def may_have_note(prefix: bytes) -> bool:
    """Whether it is worth looking: whose note it is stands in it as it is."""
    return _OURS in prefix


def note_of(prefix: bytes) -> bytes | None:
    """What `with_note` wrote; None when there is no such note. Raises Invalid."""
    elements = _elements(prefix)
    return elements[_INFORMATION][12:].rstrip(b"\0") if _is_ours(elements) else None


def _elements(prefix: bytes) -> dict[int, bytes]:
    """The elements of group 2 as they stand, by number, in their order."""
    try:
        end = header.read_meta(memoryview(prefix)).dataset_offset
    except Unreadable as error:
        raise Invalid("the file has no File Meta Information") from error
    return dict(_steps(prefix, end))


def _steps(prefix: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    pos = _MAGIC
    while pos < end:
        _, number, vr, short = struct.unpack_from("<HH2sH", prefix, pos)
        behind = pos + 8 + short
        if vr in _LONG:
            behind = pos + 12 + struct.unpack_from("<I", prefix, pos + 8)[0]
        yield number, prefix[pos:behind]
        pos = behind


def _is_ours(elements: dict[int, bytes]) -> bool:
    creator = elements.get(_CREATOR, b"")[8:].rstrip(b"\0 ")
    return _INFORMATION in elements and creator == _OURS


def _written(begin: bytes, elements: dict[int, bytes], transfer_syntax: str) -> bytes:
    syntax = _element(_TRANSFER_SYNTAX, b"UI", transfer_syntax.encode("ascii"))
    elements = elements | {_TRANSFER_SYNTAX: syntax}
    body = b"".join(elements[number] for number in sorted(elements) if number != _GROUP_LENGTH)
    return begin + _element(_GROUP_LENGTH, b"UL", struct.pack("<I", len(body))) + body


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    if vr in _LONG:
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value

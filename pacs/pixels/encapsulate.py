"""Frames as the fragments of encapsulated pixel data, one each (PS3.5 A.4)."""

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pacs.errors import NotAcceptable
from pacs.pixels.rewrite import CHUNK, UNDEFINED, Piece, head

_PIXEL_DATA, _OFFSETS, _LENGTHS = 0x7FE00010, 0x7FE00001, 0x7FE00002
_ITEM_HEAD = struct.Struct("<HHI")
_END = _ITEM_HEAD.pack(0xFFFE, 0xE0DD, 0)
_LONGEST = 0xFFFFFFFE  # of a fragment
_LARGEST_OFFSET = 0xFFFFFFFF


def single(frame: bytes) -> Iterator[Piece]:
    """The element of one frame; its Basic Offset Table says 0."""
    yield from _begin(struct.pack("<I", 0))
    yield from _item(frame)
    yield _END


def single_size(frame: bytes) -> int:
    return sum(len(piece) for piece in single(frame))


def streamed(frames: Iterable[bytes]) -> Iterator[Piece]:
    """Any number of frames as they come. Their offsets are not known ahead, so the Basic Offset Table
    is empty, which is allowed and, with one fragment a frame, takes nothing away."""
    yield from _begin(b"")
    for frame in frames:
        yield from _item(frame)
    yield _END


def spooled(frames: Iterable[bytes], scratch: BinaryIO) -> Iterator[Piece]:
    """The same with their offsets ahead: the frames wait in `scratch`. Where 32 bits do not reach
    the Extended Offset Table is written instead (PS3.3 C.7.6.3.1.8)."""
    begin = scratch.tell()
    lengths = [_spool(frame, scratch) for frame in frames]
    offsets = [0]
    for length in lengths[:-1]:
        offsets.append(offsets[-1] + _padded(length) + _ITEM_HEAD.size)
    yield from _tables(offsets, lengths)
    scratch.seek(begin)
    for length in lengths:
        yield _item_head(length)
        for at in range(0, _padded(length), CHUNK):
            yield scratch.read(min(CHUNK, _padded(length) - at))
    yield _END


def _tables(offsets: list[int], lengths: list[int]) -> Iterator[Piece]:
    if offsets[-1] <= _LARGEST_OFFSET:
        yield from _begin(struct.pack(f"<{len(offsets)}I", *offsets))
        return
    for tag, values in ((_OFFSETS, offsets), (_LENGTHS, lengths)):
        yield head(tag, "OV", 8 * len(values), implicit=False)
        yield struct.pack(f"<{len(values)}Q", *values)
    yield from _begin(b"")


def _begin(table: bytes) -> Iterator[Piece]:
    yield head(_PIXEL_DATA, "OB", UNDEFINED, implicit=False)
    yield _ITEM_HEAD.pack(0xFFFE, 0xE000, len(table)) + table


def _item(frame: bytes) -> Iterator[Piece]:
    yield _item_head(len(frame))
    yield frame
    if len(frame) % 2:
        yield b"\0"


def _item_head(length: int) -> bytes:
    if length > _LONGEST:
        raise NotAcceptable("a frame of more than 4 GiB does not fit a fragment")
    return _ITEM_HEAD.pack(0xFFFE, 0xE000, _padded(length))


def _spool(frame: bytes, scratch: BinaryIO) -> int:
    scratch.write(frame)
    scratch.write(bytes(len(frame) % 2))
    return len(frame)


def _padded(length: int) -> int:
    return length + length % 2

"""Encapsulated pixel data made in memory."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pacs.dicom import uids
from pacs.pixels.frames import FrameTable, PixelShape, build

JPEG = "1.2.840.10008.1.2.4.70"
HTJ2K = "1.2.840.10008.1.2.4.202"
JPEG_XL = "1.2.840.10008.1.2.4.110"
H264 = "1.2.840.10008.1.2.4.102"
BEGINNINGS = {JPEG: b"\xff\xd8\xff\xe0", HTJ2K: b"\xff\x4f\xff\x51", JPEG_XL: b"\xff\x0a", uids.RLE: b""}
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
AHEAD = b"what comes ahead of it"
BEHIND = b"\xfc\xff\xfc\xff and what comes behind"

Frame = tuple[bytes, ...]
"""A frame in fragments."""


def item(value: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def offsets_of(frames: Sequence[Frame]) -> list[int]:
    offsets, position = [], 0
    for frame in frames:
        offsets.append(position)
        position += sum(8 + len(fragment) for fragment in frame)
    return offsets


def joined(frames: Sequence[Frame]) -> list[bytes]:
    return [b"".join(frame) for frame in frames]


def encapsulated(frames: Sequence[Frame], table: bytes = b"", delimiter: bytes = DELIMITER) -> bytes:
    return item(table) + b"".join(item(fragment) for frame in frames for fragment in frame) + delimiter


@dataclass
class File:
    data: bytes
    reads: int = 0
    bytes_read: int = 0

    def read(self, at: int, count: int) -> bytes:
        assert at >= 0
        assert count >= 0
        piece = self.data[at : at + count]
        self.reads += 1
        self.bytes_read += len(piece)
        return piece

    def table(
        self,
        frames: int,
        transfer_syntax: str = JPEG,
        extended: tuple[bytes, bytes] = (b"", b""),
        length: int | None = None,
    ) -> FrameTable | None:
        table = build(
            self.read,
            PixelShape(8, 8, 1, 8, frames),
            transfer_syntax,
            offset=len(AHEAD),
            length=length,
            end=len(self.data),
            extended_offsets=extended[0],
            extended_lengths=extended[1],
        )
        assert table is None or FrameTable.from_bytes(table.to_bytes()) == table
        return table

    def frames(self, table: FrameTable | None) -> list[bytes]:
        assert table is not None
        found = []
        for number in range(table.count):
            pieces = [self.data[at : at + length] for at, length in table.ranges(number)]
            found.append(table.deliver(number, b"".join(pieces)))
            assert len(found[-1]) == table.length(number) == sum(map(len, pieces))
            assert table.bit_offset(number) == 0
        return found


def file_of(value: bytes, behind: bytes = BEHIND) -> File:
    return File(AHEAD + value + behind)


def even(value: bytes) -> bytes:
    return value + bytes(len(value) % 2)


def edges_of(frames: Sequence[Frame], table: int) -> list[int]:
    edges = [8 + table]
    for frame in frames:
        for fragment in frame:
            edges.append(edges[-1] + 8 + len(fragment))
    return edges

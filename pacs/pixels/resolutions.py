"""How many bytes of a code stream hold which resolution: the TLM markers of its main header.

Of .202 with one tile-part a resolution, cutting behind tile-part r leaves the picture in the size
of resolution r (ISO 15444-1 A.7.1, PS3.5 10.18). Only the main header is read.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from pacs.errors import NotAcceptable
from pacs.pixels import codestream
from pacs.pixels.codestream import Stream

Read = Callable[[int, int], bytes]
"""Bytes of one frame, from an offset: so many, fewer only at its end."""
_SOC, _SOT, _TLM = b"\xff\x4f", 0xFF90, 0xFF55
_MAX_HEADER = 1 << 16
"""Bytes of main header that are looked at: .202 takes some hundred."""
_MAX_PARTS = 64
_NEEDED = 4096
_FIRST_MARKER = 0xFF4F
_SHORTEST_PART = 14  # SOT and SOD
_BY_RESOLUTION = frozenset({1, 2})  # RLCP, RPCL (Table A.16)


@dataclass(frozen=True, slots=True)
class Resolutions:
    """`ends[r]` bytes from the start hold resolution r; 0 is the smallest, the last the whole picture.

    Each side of resolution r is that of the whole divided by `factor(r)`, rounded up."""

    header: int
    ends: tuple[int, ...]
    stream: Stream

    def factor(self, resolution: int) -> int:
        return 1 << (len(self.ends) - 1 - resolution)

    def end_of(self, factor: int) -> int | None:
        """Bytes that hold the picture at 1/`factor` of its size; None when it has no such resolution."""
        for resolution, end in enumerate(self.ends):
            if self.factor(resolution) == factor:
                return end
        return None


@dataclass(frozen=True, slots=True)
class More:
    """The header does not end within the bytes given; `size` bytes of the stream may do."""

    size: int


def parse(head: bytes, size: int | None = None) -> Resolutions | More | None:
    """From the first bytes of a frame of `size` bytes, if that is known. Never raises.

    None when the stream does not tell: no HTJ2K or JPEG 2000, no TLM, several tiles, other
    tile-parts than one a resolution, lengths that contradict each other or `size`.
    """
    if not head.startswith(_SOC):
        return More(_NEEDED) if _SOC.startswith(head) else None
    try:
        header, parts = _main_header(head[:_MAX_HEADER])
        stream = codestream.read(head)
    except struct.error:
        return More(min(_MAX_HEADER, 2 * len(head) + _NEEDED)) if len(head) < _MAX_HEADER else None
    except (_Untold, NotAcceptable):
        return None
    if stream.progression not in _BY_RESOLUTION or len(parts) != stream.levels + 1:
        return None
    ends = tuple(accumulate(parts, initial=header))[1:]
    if size is not None and ends[-1] > size:
        return None
    return Resolutions(header, ends, stream)


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame of which only `head` was read; `told` is None when the stream does not tell."""

    read: Read
    head: bytes
    told: Resolutions | None

    def upto(self, end: int) -> bytes:
        """The frame's first `end` bytes. Raises NotAcceptable when there are fewer."""
        rest = end - len(self.head)
        data = self.head + self.read(len(self.head), rest) if rest > 0 else self.head[:end]
        if len(data) < end:
            raise NotAcceptable("the compressed frame ends early")
        return data


def begin(read: Read, size: int) -> Begun:
    """Read as much of a frame of `size` bytes as it takes to know its resolutions. `read` gives the
    bytes of the frame from an offset, so many or as many as there are."""
    head = read(0, _NEEDED)
    while True:
        told = parse(head, size)
        if not isinstance(told, More):
            return Begun(read, head, told)
        if len(head) >= min(told.size, size):
            return Begun(read, head, None)
        head += read(len(head), told.size - len(head))


class _Untold(Exception):
    """The stream does not say where its resolutions end."""


def _main_header(head: bytes) -> tuple[int, list[int]]:
    """Where the main header ends and the tile-part lengths that its TLM markers name.

    Raises struct.error when the bytes end before the header does, _Untold."""
    pos, parts = 2, list[int]()
    while True:
        marker, length = struct.unpack_from(">HH", head, pos)
        if marker == _SOT:
            return pos, parts
        if marker < _FIRST_MARKER or length < 2:
            raise _Untold
        if marker == _TLM:
            if pos + 2 + length > len(head):
                raise struct.error
            parts += _lengths(head[pos + 4 : pos + 2 + length])
            if len(parts) > _MAX_PARTS:
                raise _Untold
        pos += 2 + length


def _lengths(body: bytes) -> list[int]:
    """Tile-part lengths of one TLM marker segment (ISO 15444-1 A.7.1). Raises _Untold."""
    if len(body) < 2 or (body[1] >> 4) & 3 == 3:
        raise _Untold
    tile_bytes, wide = (body[1] >> 4) & 3, body[1] >> 6 & 1
    entry = struct.Struct(">" + ("", "B", "H")[tile_bytes] + ("I" if wide else "H"))
    if (len(body) - 2) % entry.size:
        raise _Untold
    found = list(entry.iter_unpack(body[2:]))
    if any(fields[-1] < _SHORTEST_PART for fields in found):
        raise _Untold
    # Without a tile number every tile has one part (Table A.34), so a second one is another tile's.
    if any(fields[0] for fields in found if tile_bytes) or (not tile_bytes and len(found) > 1):
        raise _Untold
    return [fields[-1] for fields in found]

"""Which fragments make which frame (PS3.5 A.4, PS3.3 C.7.6.3.1.8).

A division is a list of fragment numbers, `edges`: frame `i` is fragments `edges[i]` to
`edges[i + 1]`. Nothing is guessed: a wrong frame is worse than none, so where no rule is
certain the division is empty.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence

from pacs.dicom import uids
from pacs.pixels.items import MAX_FRAGMENTS, Chain, Read
from pacs.pixels.layout import ITEM_HEADER

_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))

Edges = Sequence[int]


def is_video(transfer_syntax: str) -> bool:
    """MPEG-2, MPEG-4 and HEVC, fragmentable or not: the frames are one stream (PS3.5 8.2.5 to 8.2.9)."""
    return transfer_syntax.removesuffix(".1") in _VIDEO


def divide(
    read: Read,
    chain: Chain,
    frames: int,
    transfer_syntax: str,
    extended: tuple[bytes, bytes],
) -> Edges:
    """Edges of the frames that are there whole; empty when the fragments cannot be divided.

    `extended` is the Extended Offset Table and its lengths. In order of preference: a
    single frame or a video has all fragments, the Extended Offset Table, the Basic Offset Table,
    one fragment a frame, code streams that begin with a fragment.
    """
    if not chain.lengths:
        return ()
    edges: Edges
    if frames == 1 or is_video(transfer_syntax):
        edges = (0, len(chain.lengths))
    else:
        edges = (
            _by_extended_table(chain, frames, *extended)
            or _by_basic_table(read, chain, frames)
            or _one_each(chain, frames, rle=transfer_syntax == uids.RLE)
            or _by_beginnings(chain, frames)
            or ()
        )
    if chain.cut and edges and edges[-1] == len(chain.lengths):
        return edges[:-1]  # the frame that the file ends in
    return edges


def _by_extended_table(chain: Chain, frames: int, offsets: bytes, lengths: bytes) -> Edges | None:
    if len(offsets) != 8 * frames:
        return None
    edges = _by_offsets(chain, struct.unpack(f"<{frames}Q", offsets))
    if edges is None or len(lengths) != 8 * frames:
        return edges
    # The lengths tell nothing that the items do not tell, but must not contradict them. They may
    # or may not count the byte that makes an item's length even.
    told = struct.unpack(f"<{frames}Q", lengths)
    for length, first, behind in zip(told, edges, edges[1:], strict=False):
        if behind - first == 1 and chain.lengths[first] - length not in {0, 1}:
            return None
    return edges


def _by_basic_table(read: Read, chain: Chain, frames: int) -> Edges | None:
    position, length = chain.table
    if length != 4 * frames or frames > MAX_FRAGMENTS:
        return None
    table = read(position, length)
    if len(table) != length:
        return None
    return _by_offsets(chain, _unwrapped(struct.unpack(f"<{frames}I", table)))


def _unwrapped(offsets: Sequence[int]) -> Iterator[int]:
    """Writers that put more than 4 GB behind a table of 32 bits let the offsets overflow."""
    carry = previous = 0
    for offset in offsets:
        if offset < previous:
            carry += 1 << 32
        previous = offset
        yield carry + offset


def _by_offsets(chain: Chain, offsets: Iterable[int]) -> Edges | None:
    """Edges told by a table; None when the table cannot be right.

    Right are offsets of items that begin with the first and ascend, and where code streams are
    seen to begin, a frame must begin there. When the file ends early the offsets beyond are those
    of frames that are missing.
    """
    edges = array("I")
    fragments = len(chain.lengths)
    fragment = position = 0
    for offset in offsets:
        while position < offset and fragment < fragments:
            position += chain.lengths[fragment] + ITEM_HEADER
            fragment += 1
        if fragment == fragments and offset >= position and not chain.closed:
            if offset > position and edges:
                fragments = edges.pop()  # of this frame not all fragments are there
            break
        if position != offset or fragment == fragments or (edges and edges[-1] == fragment):
            return None
        edges.append(fragment)
    edges.append(fragments)
    if edges[0] != 0 or (chain.beginnings and not set(edges[:-1]).issubset(chain.beginnings)):
        return None
    return edges


def _one_each(chain: Chain, frames: int, *, rle: bool) -> Edges | None:
    fragments = len(chain.lengths)
    if rle:  # always so (PS3.5 A.4.2)
        sure = fragments == frames or (fragments < frames and not chain.closed)
    else:
        # In a file that ends early the right number can be chance.
        sure = fragments == frames and (
            chain.closed or len(chain.beginnings) == fragments or not (chain.cut or chain.beginnings)
        )
    return range(fragments + 1) if sure else None


def _by_beginnings(chain: Chain, frames: int) -> Edges | None:
    fragments, found = len(chain.lengths), len(chain.beginnings)
    if not found:
        return None  # no code stream that is known
    if found == frames:
        return (*chain.beginnings, fragments)
    if chain.closed or found > frames:
        return None
    return tuple(chain.beginnings)  # the file ends early, and nothing tells whether in the last frame

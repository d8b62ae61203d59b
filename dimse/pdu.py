"""Protocol data units (PS3.8 9.3): a parser that owns no socket, and the few that have no items.

`PduBuffer` is the one buffer of an association. Whoever receives writes into `space()`, says how
much with `filled()`, and takes whole PDUs with `take()`. Bodies are views of the buffer: they hold
until the next `space()`.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dimse.errors import AbortReason, ProtocolError

HEADER: Final = 6
VALUE_HEADER: Final = 6  # length, presentation context ID, message control header (PS3.8 9.3.5.1)
MAX_ASSOCIATE: Final = 1 << 20  # 128 contexts with every known transfer syntax take a quarter of it
_SLACK: Final = 128  # some peers count the PDU length limit without headers; that does not hurt us
_INITIAL: Final = 16_384


class Kind(IntEnum):
    """PDU types (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


_KINDS: Final = {int(kind): kind for kind in Kind}
_FIXED: Final = frozenset({Kind.ASSOCIATE_RJ, Kind.RELEASE_RQ, Kind.RELEASE_RP, Kind.ABORT})


@dataclass(frozen=True, slots=True)
class Pdu:
    kind: Kind
    body: memoryview


@dataclass(frozen=True, slots=True)
class Value:
    """One presentation data value (PS3.8 9.3.5.1, E.2): a fragment of a command or a data set."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class PduBuffer:
    """Bytes in, PDUs out. `max_length` bounds P-DATA-TF; other PDUs have bounds of their own."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._view = memoryview(bytearray(_INITIAL))
        self._start = 0
        self._end = 0

    def space(self) -> memoryview:
        """Room to receive into, never empty. Ends the life of the bodies given out before."""
        if self._start == self._end:
            self._start = self._end = 0
        needed = self._needed()
        if self._start + needed > len(self._view) or self._end == len(self._view):
            self._move_to_front(needed)
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """`count` bytes were received into what `space` gave."""
        self._end += count

    def feed(self, data: bytes | memoryview) -> None:
        """Copy bytes in, for callers that already hold them."""
        rest = memoryview(data)
        while rest:
            room = self.space()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.filled(count)
            rest = rest[count:]

    def take(self) -> Pdu | None:
        """The next whole PDU, or None when more bytes are needed.

        Raises ProtocolError as soon as the first bytes show that no valid PDU can come of them."""
        header = self._header()
        if header is None:
            return None
        kind, length = header
        begin = self._start + HEADER
        if begin + length > self._end:
            return None
        self._start = begin + length
        return Pdu(kind, self._view[begin : begin + length])

    def has_pdu(self) -> bool:
        """Whether `take` would give one."""
        header = self._header()
        return header is not None and self._start + HEADER + header[1] <= self._end

    def _header(self) -> tuple[Kind, int] | None:
        if self._start == self._end:
            return None
        kind = _KINDS.get(self._view[self._start])
        if kind is None:
            raise ProtocolError("unrecognized PDU", AbortReason.UNRECOGNIZED_PDU)
        if self._end - self._start < HEADER:
            return None
        length = int.from_bytes(self._view[self._start + 2 : self._start + HEADER], "big")
        if length > self._bound(kind) or (kind in _FIXED and length != 4):
            raise ProtocolError(f"{kind.name} with a length of {length}")
        return kind, length

    def _bound(self, kind: Kind) -> int:
        return self._max_length + _SLACK if kind is Kind.P_DATA else MAX_ASSOCIATE

    def _needed(self) -> int:
        header = self._header()
        return HEADER + (header[1] if header else 0)

    def _move_to_front(self, needed: int) -> None:
        pending = self._view[self._start : self._end]
        if needed > len(self._view) or len(pending) == len(self._view):
            # Twice what is needed: then a PDU that straddles the end is moved only every other time.
            grown = memoryview(bytearray(2 * max(needed, len(pending))))
            grown[: len(pending)] = pending
            self._view = grown
        else:
            self._view[: len(pending)] = pending
        self._start, self._end = 0, len(pending)


def values(body: memoryview) -> Iterator[Value]:
    """The presentation data values of a P-DATA-TF, as views of it. Raises ProtocolError."""
    pos, end = 0, len(body)
    if not end:
        raise ProtocolError("P-DATA-TF without a presentation data value")
    while pos < end:
        if pos + VALUE_HEADER > end:
            raise ProtocolError("P-DATA-TF ends inside a presentation data value")
        length, context_id, control = struct.unpack_from(">IBB", body, pos)
        stop = pos + 4 + length
        if length < 2 or stop > end:
            raise ProtocolError(f"presentation data value with a length of {length}")
        yield Value(context_id, bool(control & 1), bool(control & 2), body[pos + VALUE_HEADER : stop])
        pos = stop


def p_data(
    context_id: int, data: memoryview, *, is_command: bool, is_last: bool, max_length: int
) -> list[bytes | memoryview]:
    """P-DATA-TF PDUs of one value each, as buffers to be sent one after the other.

    `max_length` is what the peer receives, the value's header included (PS3.8 D.1)."""
    step = max((max_length - VALUE_HEADER) & ~1, 1)
    out: list[bytes | memoryview] = []
    for pos in range(0, max(len(data), 1), step):
        piece = data[pos : pos + step]
        last = is_last and pos + step >= len(data)
        size = len(piece) + 2
        out.append(struct.pack(">BBIIBB", Kind.P_DATA, 0, size + 4, size, context_id, is_command | last << 1))
        out.append(piece)
    return out


def release_rq() -> bytes:
    return struct.pack(">BBII", Kind.RELEASE_RQ, 0, 4, 0)


def release_rp() -> bytes:
    return struct.pack(">BBII", Kind.RELEASE_RP, 0, 4, 0)


def abort(reason: AbortReason | None = None) -> bytes:
    """A-ABORT by the service provider for a reason, else by the service user (PS3.8 9.3.8)."""
    source = 0 if reason is None else 2
    return struct.pack(">BBIBBBB", Kind.ABORT, 0, 4, 0, 0, source, reason or 0)


def size_of(buffers: Iterable[bytes | memoryview]) -> int:
    return sum(len(buffer) for buffer in buffers)

"""The bulk data of one request, in a file without a name that goes with the process."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pacs.errors import Invalid
from pacs.store.spool import translated

_PIECE: Final = 1 << 20
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Bulk:
    """`length` bytes at `offset` of the parcel, sent as this media type; `transfer_syntax` is empty
    where none was said."""

    offset: int
    length: int
    media_type: str
    transfer_syntax: str


class Parcel:
    """Parts come one after the other: `begin`, any number of `write`. What was sent under one address
    in several parts are its frames, in order. Addresses are compared in the form that `resolve` gives
    them. Used by one thread at a time."""

    def __init__(self, folder: Path, resolve: Callable[[str], str] = str) -> None:
        self._resolve = resolve
        with translated():
            self._fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._count = 0
        self._parts: dict[str, list[Bulk]] = {}
        self._begun: tuple[str, int, str, str] | None = None

    def begin(self, address: str, media_type: str, transfer_syntax: str) -> None:
        """Raises Invalid when there are too many."""
        self._count += 1
        if self._count > _MOST:
            raise Invalid(f"a request may hold at most {_MOST} parts of bulk data")
        self._begun = (self._resolve(address), self._size, media_type, transfer_syntax)

    def write(self, data: memoryview) -> None:
        """Raises Unavailable."""
        with translated():
            while data:
                written = os.write(self._fd, data)
                self._size += written
                data = data[written:]

    def end(self) -> Bulk:
        """The part that was begun is whole."""
        if self._begun is None:
            raise Invalid("a part ends that was never begun")
        address, offset, media_type, syntax = self._begun
        part = Bulk(offset, self._size - offset, media_type, syntax)
        self._parts.setdefault(address, []).append(part)
        self._begun = None
        return part

    def find(self, address: str) -> tuple[Bulk, ...]:
        """The parts sent under an address; those under `address/frames/1` and so on where it has none
        itself."""
        address = self._resolve(address)
        found = self._parts.get(address)
        if found is None:
            found = []
            while frame := self._parts.get(f"{address}/frames/{len(found) + 1}"):
                found += frame
        return tuple(found)

    def chunks(self, bulk: Bulk) -> Iterator[bytes]:
        """In pieces of at most 1 MiB."""
        at, end = bulk.offset, bulk.offset + bulk.length
        while at < end:
            piece = os.pread(self._fd, min(_PIECE, end - at), at)
            yield piece
            at += len(piece)

    def beginning(self, bulk: Bulk, length: int) -> bytes:
        return os.pread(self._fd, min(length, bulk.length), bulk.offset)

    def ending(self, bulk: Bulk, length: int) -> bytes:
        length = min(length, bulk.length)
        return os.pread(self._fd, length, bulk.offset + bulk.length - length)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

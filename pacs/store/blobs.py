"""What a place for objects must be able to do, whether it is a folder or a bucket."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, Self

from pacs.errors import Invalid

_LONGEST_KEY: Final = 1024  # bytes, the limit of S3
_SEGMENT = re.compile(r"(?!\.{1,2}(/|\Z))[A-Za-z0-9._=@+-]+")


@dataclass(frozen=True, slots=True)
class Stat:
    """An object that is there; `size` in bytes."""

    key: str
    size: int


class Blob(Protocol):
    """An open object read by position; safe to share between threads."""

    size: int

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the end."""

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Pieces of at most 1 MiB. Raises Unavailable when fewer bytes are there than promised."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class BlobStore(Protocol):
    """Objects under keys such as `a/b/c.tar`: segments of letters, digits and `._=@+-`, none of
    them empty, `.` or `..`; other keys raise Invalid. A put is seen whole or not at all, and takes
    the place of what stood under its key. Every method raises Unavailable when the store is away."""

    def put(self, key: str, chunks: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        """Keep what `chunks` gives, durably. Memory does not grow with `size`.

        Raises Conflict, and keeps nothing, when it is not `size` bytes long or, if said, its
        SHA-256 (hex) is another. What the iterator raises is passed on; nothing is kept then."""

    def open(self, key: str) -> Blob:
        """Raises NotFound."""

    def ranged(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes, in pieces of at most 1 MiB, by one request and without asking for
        more. Raises NotFound, Unavailable when they are not all there."""

    def stat(self, key: str) -> Stat | None:
        """None when there is no such object."""

    def delete(self, key: str) -> None:
        """Absent is fine."""

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object whose key begins with `prefix`, in no particular order."""

    def sweep(self, older_than_seconds: float) -> int:
        """Remove what puts that never ended left behind; returns how many."""


def checked(key: str) -> str:
    """The key, if every store keeps it as it is. Raises Invalid."""
    if len(key) > _LONGEST_KEY or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise Invalid("this cannot be the key of a stored object")
    return key

"""The hot tier: a folder tree of plain Part 10 files on a local file system."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from pacs.errors import NotFound, Unavailable

CHUNK = 1 << 20  # bytes
_NOWAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)


class DiskBlob:
    """An open file read by position; safe to share between threads. Closing twice is harmless."""

    __slots__ = ("_fd", "size")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def at_hand(self, offset: int, length: int) -> bytes | None:
        """The same as `pread` when all of it is in memory, so that nobody waits for the disk; else None."""
        if _NOWAIT is None:
            return None
        data = bytearray(length)
        try:
            there = os.preadv(self._fd, [data], offset, _NOWAIT)
        except OSError:  # it is not, or this file system cannot tell
            return None
        return bytes(data) if there == length else None

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the end of the file."""
        data = os.pread(self._fd, length, offset)
        while len(data) < length:  # a read call returns at most 2 GiB
            more = os.pread(self._fd, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Pieces of at most 1 MiB. Raises Unavailable when the file is shorter than promised."""
        left = self.size - offset if length is None else length
        while left > 0:
            data = os.pread(self._fd, min(left, CHUNK), offset)
            if not data:
                raise Unavailable("a stored object is shorter than recorded", hint="run pacs check")
            yield data
            offset += len(data)
            left -= len(data)

    def expect(self, offset: int, length: int) -> None:
        """What is read next; here everything is near."""

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def mapped(fd: int) -> memoryview:
    """A file as memory: only pages that are looked at are read, whatever the file's size.

    Unmapped when the last reference goes, which may be one of an error on its way up."""
    if not os.fstat(fd).st_size:
        return memoryview(b"")
    return memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))


class DiskStore:
    """Files below `root`, addressed by relative keys."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def open(self, key: str) -> DiskBlob:
        """Raises NotFound when there is no such file."""
        try:
            return DiskBlob(os.open(self.root / key, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise NotFound("the stored file is missing", hint="run pacs check") from error

    def path(self, key: str) -> Path:
        return self.root / key

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def is_same(self, key: str, fd: int) -> bool:
        """Whether the open file is the one that stands there."""
        try:
            return os.path.samestat((self.root / key).stat(), os.fstat(fd))
        except OSError:
            return False

    def size(self, key: str) -> int | None:
        """Bytes of a file; None when it cannot be looked at."""
        try:
            return (self.root / key).stat().st_size
        except OSError:
            return None

    def remove(self, key: str) -> None:
        """Remove a file; absent is fine. Its folder stays: someone may be about to use it."""
        (self.root / key).unlink(missing_ok=True)

    def walk(self) -> Iterator[str]:
        """Every key, oldest day first, folder by folder, never the whole list at once."""
        stack = [self.root]
        while stack:
            here = stack.pop()
            with os.scandir(here) as entries:
                found = sorted(entries, key=lambda e: e.name)
            stack += [Path(e.path) for e in reversed(found) if e.is_dir(follow_symlinks=False)]
            for entry in found:
                if entry.is_file(follow_symlinks=False):
                    yield os.path.relpath(entry.path, self.root)

    def space(self) -> tuple[int, int]:
        """Bytes in total and free on the file system."""
        stat = os.statvfs(self.root)
        return stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize

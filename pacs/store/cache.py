"""Byte ranges of cold objects kept on a local disk, so that what is looked at again is not asked for
again.

An entry gets its name when it is complete, so a killed process leaves none half written. A power cut
could: therefore entries stand below the identity of the running system, and what an earlier
one left is dropped. Cold objects never change, so entries never grow stale; processes share them.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacs import log
from pacs.errors import Unavailable
from pacs.store.disk import DiskBlob

_log = log.get(__name__)
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_SLACK: Final = 32  # every 1/32 of the limit written by us, all entries are counted again

Fetch = Callable[["Range"], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Range:
    """`length` bytes from `offset` of the object `key`."""

    key: str
    offset: int
    length: int


class RangeCache:
    """At most about `limit` bytes below `folder`, least recently used first to go. Thread-safe.

    A limit of 0 keeps nothing; what is asked for twice at the same time is still fetched once."""

    def __init__(self, folder: Path, limit: int, fetch: Fetch) -> None:
        self._limit = limit
        self._fetch = fetch
        self._lock = threading.Lock()
        self._flights: dict[Range, Future[DiskBlob]] = {}
        self._written = limit  # nothing is known of the folder yet
        self._root = _own_folder(folder)

    def get(self, wanted: Range) -> tuple[DiskBlob, int]:
        """An open file and where the wanted bytes begin in it. It is shared: do not close it.

        Raises what fetching raises, to everybody who waits for the same range."""
        found = self._find(wanted)
        if found:
            return found
        with self._lock:
            flight = self._flights.get(wanted)
            leading = flight is None
            if flight is None:
                flight = self._flights[wanted] = Future()
        if leading:
            self._lead(wanted, flight)
        return flight.result(), 0

    def scratch(self, chunks: Iterable[bytes]) -> DiskBlob:
        """A file without a name that holds these bytes for as long as somebody reads it."""
        fd = self._unnamed()
        blob = _Owned(fd)
        blob.size = _fill(fd, chunks)
        return blob

    def _lead(self, wanted: Range, flight: "Future[DiskBlob]") -> None:
        try:
            # Another may have put it there between our look and our turn.
            found = self._exact(wanted)
            flight.set_result(found or self._bring(wanted))
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flights[wanted]

    def _bring(self, wanted: Range) -> DiskBlob:
        blob = self.scratch(self._fetch(wanted))
        if blob.size != wanted.length:
            raise Unavailable("the cold tier gave fewer bytes than promised", hint="try again")
        if wanted.length <= self._limit // 4:
            self._publish(blob.fileno(), wanted)
        return blob

    def _unnamed(self) -> int:
        try:
            return os.open(self._root, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(error) from error

    def _publish(self, fd: int, wanted: Range) -> None:
        path = self._path(wanted)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Any `src_dir_fd` makes this linkat(2), the only one that gives an unnamed file a name.
            os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
        except FileExistsError:
            return
        except OSError as error:
            _log.warning("cache: an entry could not be kept: %s", error.strerror)
            return
        with self._lock:
            self._written += wanted.length
            due = self._written > self._limit // _SLACK
            if due:
                self._written = 0
        if due:
            self.trim()

    def trim(self) -> int:
        """Remove what was used longest ago until the limit is kept; returns the bytes that stay."""
        entries = sorted(_entries(self._root))
        total = sum(size for _, size, _ in entries)
        # Some room below the limit for what comes before the next count.
        goal = self._limit - self._limit // 8
        for _, size, path in entries:
            if total <= goal:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total

    def _find(self, wanted: Range) -> tuple[DiskBlob, int] | None:
        found = self._exact(wanted)
        return (found, 0) if found else self._covering(wanted)

    def _exact(self, wanted: Range) -> DiskBlob | None:
        return _used(self._path(wanted))

    def _covering(self, wanted: Range) -> tuple[DiskBlob, int] | None:
        """A longer range that has the wanted one inside."""
        try:
            names = [path.name for path in self._path(wanted).parent.iterdir()]
        except FileNotFoundError:
            return None
        for name in names:
            begin, length = (int(part) for part in name.split("-"))
            if begin <= wanted.offset and wanted.offset + wanted.length <= begin + length:
                found = _used(self._path(Range(wanted.key, begin, length)))
                if found:
                    return found, wanted.offset - begin
        return None

    def _path(self, wanted: Range) -> Path:
        name = hashlib.sha256(wanted.key.encode()).hexdigest()[:40]
        return self._root / name[:2] / name[2:] / f"{wanted.offset}-{wanted.length}"


class _Owned(DiskBlob):
    """Closed when the last who reads it lets go."""

    __slots__ = ()

    def close(self) -> None:
        pass

    def __del__(self) -> None:
        super().close()


def _used(path: Path) -> DiskBlob | None:
    """Open an entry and note that it was used."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    blob = _Owned(fd)
    os.utime(fd)
    return blob


def _fill(fd: int, chunks: Iterable[bytes]) -> int:
    written = 0
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            try:
                count = os.write(fd, view)
            except OSError as error:
                raise _unusable(error) from error
            written += count
            view = view[count:]
    return written


def _unusable(error: OSError) -> Unavailable:
    return Unavailable(
        f"the cache of the cold tier cannot be written: {error.strerror}",
        hint="free space on the data folder's disk",
    )


def _entries(root: Path) -> Iterator[tuple[int, int, Path]]:
    """When used, bytes and path of every entry."""
    for here, _, names in os.walk(root):
        for name in names:
            path = Path(here, name)
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            yield stat.st_mtime_ns, stat.st_size, path


def _own_folder(folder: Path) -> Path:
    """This system's folder; those of earlier ones are removed."""
    mine = folder / _BOOT.read_text().strip()
    mine.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if other != mine and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
    return mine

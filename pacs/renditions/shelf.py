"""Kept pictures: plain JPEG files below one folder, named for the bytes they were made of.

A name says the digest of the object, so a file can never stand for other bytes than those: what is
superseded is asked for by another name, and its old picture goes with the others that nobody asks
for. Losing the folder loses nothing. Any number of processes may use it; a file that is removed
while somebody reads it is read to its end.
"""

import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacs import clock, log

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"  # of a JPEG
_SUFFIX: Final = ".jpg"
_HALF: Final = ".part"  # being written, or left by a process that died
_USED_NS: Final = 3600 * 1_000_000_000
"""How exactly it is known when a file was last asked for: its age tells, and is renewed this often."""
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    files: int
    bytes: int


class Shelf:
    """Thread-safe. Nothing here fails a caller: what cannot be kept is made again."""

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self.budget = budget

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def get(self, name: str) -> bytes | None:
        """None when there is none, or only a piece of one."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                data = file.read()
                age = clock.now_ns() - os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return None
        if not (data.startswith(_BEGIN) and data.endswith(_END)):
            path.unlink(missing_ok=True)
            return None
        if age > _USED_NS:
            self._renew(path)
        return data

    def put(self, name: str, data: bytes) -> bool:
        """Whole or not at all, also when the power fails. False when it cannot be kept."""
        if not self.budget:
            return False
        path = self._path(name)
        half = path.with_name(secrets.token_hex(8) + _HALF)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            try:
                with half.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fdatasync(file.fileno())
                half.replace(path)
            finally:
                half.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("picture not kept reason=%s", error.strerror)
            return False
        return True

    def held(self) -> Held:
        sizes = [0, 0]
        for entry in self._entries():
            sizes[0] += 1
            sizes[1] += _size(entry)
        return Held(*sizes)

    def evict(self) -> int:
        """Remove what was asked for longest ago until the rest is within the budget, and what was left
        half written; returns how many files that were. Takes memory for hours, not for files."""
        now = clock.now_ns()
        by_hour: Counter[int] = Counter()
        for entry in self._entries():
            by_hour[_hours(entry, now)] += _size(entry)
        surplus = by_hour.total() - self.budget
        removed = self._sweep_halves(now)
        for hour in sorted(by_hour, reverse=True):
            if surplus <= 0:
                break
            count, freed = self._remove(hour, surplus, now)
            surplus -= freed
            removed += count
        return removed

    def forget(self, digests: Iterable[str]) -> int:
        """Remove every picture of these objects; returns how many there were."""
        by_folder: dict[str, set[str]] = {}
        for digest in digests:
            by_folder.setdefault(digest[:2], set()).add(digest)
        removed = 0
        for folder, gone in by_folder.items():
            for entry in _listed(self._folder / folder):
                if entry.name.partition(".")[0] in gone:
                    removed += _unlinked(entry)
        return removed

    def clear(self) -> int:
        """Remove every kept picture; returns how many there were."""
        return sum(_unlinked(entry) for entry in self._entries())

    def _remove(self, hour: int, surplus: int, now: int) -> tuple[int, int]:
        count = freed = 0
        for entry in self._entries():
            if freed >= surplus:
                break
            if _hours(entry, now) >= hour:
                size = _size(entry)
                if _unlinked(entry):
                    count, freed = count + 1, freed + size
        return count, freed

    def _sweep_halves(self, now: int) -> int:
        return sum(_unlinked(entry) for entry in self._entries(_HALF) if _hours(entry, now) >= 1)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}{_SUFFIX}"

    def _entries(self, suffix: str = _SUFFIX) -> "Iterator[os.DirEntry[str]]":
        for folder in _listed(self._folder):
            if folder.is_dir(follow_symlinks=False):
                yield from (entry for entry in _listed(folder.path) if entry.name.endswith(suffix))

    def _renew(self, path: Path) -> None:
        try:
            os.utime(path)
        except OSError as error:  # evicted a moment ago, or not ours to touch: it only ages
            _log.debug("age not renewed reason=%s", error.strerror)


def _listed(folder: "str | Path") -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):  # nothing was kept yet, or somebody cleared it
        return


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _hours(entry: "os.DirEntry[str]", now: int) -> int:
    """Since it was last asked for."""
    try:
        return max(0, now - entry.stat(follow_symlinks=False).st_mtime_ns) // _USED_NS
    except FileNotFoundError:
        return 0


def _unlinked(entry: "os.DirEntry[str]") -> bool:
    try:
        Path(entry.path).unlink()
    except FileNotFoundError:
        return False
    return True

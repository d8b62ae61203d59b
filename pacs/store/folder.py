"""A place for objects in a folder: a mounted share as the cold tier.

A put is written beside its place, synced, and then linked or renamed to its name; what a crash left
half written stands in `.incoming` and is never listed.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pacs import clock
from pacs.errors import Conflict, NotFound, Unavailable
from pacs.store.blobs import Stat, checked
from pacs.store.disk import CHUNK, DiskBlob

_INCOMING: Final = ".incoming"


class FolderStore:
    """Objects as files below `root`, which must be there: a share that is not mounted is away, and
    must not be mistaken for an empty one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, chunks: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        target = self._root / checked(key)
        with _translated():
            self._present()
            (self._root / _INCOMING).mkdir(exist_ok=True)
            incoming = self._root / _INCOMING / secrets.token_hex(12)
            try:
                _write(incoming, chunks, size, sha256)
                target.parent.mkdir(parents=True, exist_ok=True)
                incoming.replace(target)
                for folder in (target.parent, *target.parents):
                    sync_folder(folder)
                    if folder == self._root:
                        break
            finally:
                incoming.unlink(missing_ok=True)

    def open(self, key: str) -> DiskBlob:
        with _translated():
            try:
                return DiskBlob(os.open(self._root / checked(key), os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError as error:
                self._present()
                raise NotFound("the cold tier has no such object", hint="run pacs check") from error

    def ranged(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        if length > 0:
            with self.open(key) as blob:
                yield from blob.chunks(offset, length)

    def stat(self, key: str) -> Stat | None:
        with _translated():
            try:
                return Stat(key, (self._root / checked(key)).stat().st_size)
            except FileNotFoundError:
                self._present()
                return None

    def delete(self, key: str) -> None:
        with _translated():
            self._present()
            (self._root / checked(key)).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        with _translated():
            self._present()
            begin = self._root / prefix.rpartition("/")[0]
            for folder, folders, names in os.walk(begin):
                if Path(folder) == self._root and _INCOMING in folders:
                    folders.remove(_INCOMING)
                for name in names:
                    path = Path(folder, name)
                    key = path.relative_to(self._root).as_posix()
                    if key.startswith(prefix):
                        yield Stat(key, path.stat().st_size)

    def sweep(self, older_than_seconds: float) -> int:
        swept = 0
        with _translated():
            self._present()
            for path in (self._root / _INCOMING).glob("*"):
                age = clock.now_ns() / 1e9 - path.stat().st_mtime
                if age > older_than_seconds:
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept

    def _present(self) -> None:
        if not self._root.is_dir():
            raise Unavailable("the cold tier's folder is not there", hint="is the share mounted?")


def sync_folder(folder: str | Path) -> None:
    """Make the entries of a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(path: Path, chunks: Iterable[bytes], size: int, sha256: str) -> None:
    hasher, written = hashlib.sha256(), 0
    with path.open("xb", buffering=CHUNK) as out:
        for chunk in chunks:
            hasher.update(chunk)
            written += out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if written != size or (sha256 and hasher.hexdigest() != sha256):
        raise Conflict("the bytes are not the ones that were announced")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"a folder of the store cannot be used: {error.strerror}", hint="look at its disk and its rights"
        ) from error

"""Where objects stand while they arrive: on the hot tier's own file system, one folder a process.

A folder belongs to whoever holds the lock on its `.lock` file; the kernel lets go of it when the
process dies, however it dies. What a dead process left is then seen by `abandoned`: a file whose
name holds a seal may have been acknowledged if its bytes still fit the seal, one without a seal was
never, unless the index has it.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from pacs import clock
from pacs.dicom import header
from pacs.errors import Unavailable
from pacs.store import filesystem
from pacs.store.folder import sync_folder

_LOCK = ".lock"
_RECOVERY = _LOCK  # of the folder of all: held by who looks at what the dead left
_AT_ONCE = 256
_PIECE = 1 << 20  # bytes
_FULL = {errno.ENOSPC, errno.EDQUOT}
_BEGINNING = 1 << 16  # bytes
_MARK = "-"
_SEAL = 32  # hexadecimal digits
_ONLY_NEW = ".new"


class Spooled:
    """One arriving object: bytes go to disk as they come, their SHA-256 is taken on the way.

    `prefix` is what stands before the data set, empty where that cannot be told; `beginning` is it and some
    of the data set, so that most headers can be read without the disk. `digest` is that of the data set
    alone, so that the same data set brought by two wires (or by two senders) is the same object;
    `prefix_digest` that of what stands before it.
    Leaving the `with` block removes the spool's link; one in the store stays."""

    def __init__(self, place: str, *, flags: int = os.O_CREAT | os.O_EXCL) -> None:
        self.place = place
        self.size = 0
        self.received_ns = 0
        self.prefix = b""
        self.beginning = b""
        self._head: bytearray | None = bytearray()
        self._looked = 0  # bytes of it
        self._begun = 0  # bytes of it that are known to stand before the data set
        self._hash = hashlib.sha256()
        self._prefix_hash = hashlib.sha256()
        self._retained = False
        self._fd = os.open(place, os.O_RDWR | os.O_CLOEXEC | flags, 0o640)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """A file that is already complete, read once for its digest; its modification time is when
        it was received. It is never removed."""
        self = cls(str(path), flags=0)
        self._retained = True
        self.received_ns = os.fstat(self._fd).st_mtime_ns
        for chunk in self.chunks(0):
            self._digest(chunk)
            self.size += len(chunk)
        self._end_head()
        return self

    def begin(self, prefix: bytes) -> None:
        """Write preamble and File Meta Information, all of them, when nothing was written yet. Raises
        Unavailable."""
        self._head = bytearray(prefix)
        self._begun = len(prefix)
        self._append(memoryview(prefix))

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        """Append. Raises Unavailable when the disk is full or fails."""
        self._digest(data)
        self._append(memoryview(data).cast("B"))

    def _append(self, view: memoryview) -> None:
        self.size += len(view)
        with translated():
            while view:
                view = view[os.write(self._fd, view) :]

    @property
    def path(self) -> Path:
        return Path(self.place)

    @property
    def dataset_offset(self) -> int:
        return len(self.prefix)

    @property
    def digest(self) -> str:
        """SHA-256 of the data set, in hex; final once sealed."""
        return self._hash.hexdigest()

    @property
    def prefix_digest(self) -> str:
        """SHA-256 of preamble and File Meta Information, in hex."""
        return self._prefix_hash.hexdigest()

    def _digest(self, data: "bytes | bytearray | memoryview") -> None:
        if self._head is None:
            self._hash.update(data)
        else:
            self._look_for_data_set(data)

    def _look_for_data_set(self, data: "bytes | bytearray | memoryview") -> None:
        """Hold back the first bytes until they tell where the data set begins."""
        head = self._head if self._head is not None else bytearray()
        if 0 < self._begun == len(head) <= header.META_LIMIT and header.begins_data_set(data):
            self._settle_head(head, self._begun)
            self.beginning = self.prefix + bytes(data[:_BEGINNING])
            self._hash.update(data)
            return
        head += data
        if len(head) < 2 * self._looked:
            return  # or a long beginning in small pieces would be read again for each of them
        self._looked = len(head)
        begin = header.data_set_begin(memoryview(head))
        if begin is not None:
            self._settle_head(head, begin)

    def _end_head(self) -> None:
        """There are no more bytes."""
        if self._head is not None:
            self._settle_head(self._head, header.data_set_begin(memoryview(self._head)) or 0)

    def _settle_head(self, head: bytearray, begin: int) -> None:
        self.prefix = bytes(head[:begin])
        self.beginning = bytes(head[: begin + _BEGINNING])
        self._prefix_hash.update(self.prefix)
        self._hash.update(memoryview(head)[begin:])
        self._head = None

    @property
    def name(self) -> str:
        """Its name in the spool, without the seal."""
        return os.path.basename(self.place).partition(_MARK)[0]

    @property
    def fits(self) -> bool:
        """Whether the bytes are those that it was marked with."""
        return self.path.name.partition(_MARK)[2].removesuffix(_ONLY_NEW) == self._seal()

    @property
    def only_new(self) -> bool:
        """Whether it may take nothing's place."""
        return self.place.endswith(_ONLY_NEW)

    def mark(self, *, only_new: bool = False) -> None:
        """Say in its name what the bytes must be, and whether they may take nothing's place. A disk
        that loses its power may keep a name and not all of the bytes; who finds the file can tell."""
        name = f"{self.name}{_MARK}{self._seal()}{_ONLY_NEW if only_new else ''}"
        place = f"{os.path.dirname(self.place)}/{name}"
        with translated():
            os.rename(self.place, place)
        self.place = place

    def _seal(self) -> str:
        return hashlib.sha256(f"{self.prefix_digest}{self.digest}".encode()).hexdigest()[:_SEAL]

    def fileno(self) -> int:
        return self._fd

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, at most 2 GiB; fewer only at the end of what was written."""
        return os.pread(self._fd, length, offset)

    def chunks(self, offset: int) -> Iterator[bytes]:
        """What was written, from `offset` on, in pieces of 1 MiB."""
        while data := os.pread(self._fd, _PIECE, offset):
            yield data
            offset += len(data)

    def seal(self) -> None:
        """The last byte is here: note the moment, on the file itself too."""
        self._end_head()
        self.received_ns = self.received_ns or clock.now_ns()
        with translated():
            os.utime(self._fd, ns=(self.received_ns, self.received_ns))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def retain(self) -> None:
        """Let the spool's link outlive this object: whether the index has it is not known now."""
        self._retained = True

    def discard(self) -> None:
        """Close and remove the spool's own link; a link in the store stays."""
        self.close()
        if not self._retained:
            with suppress(FileNotFoundError):
                os.unlink(self.place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


class Spool:
    """This process's folder in the spool, locked for as long as the process lives."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
        hidden = root / f".{name}"
        hidden.mkdir()
        self._lock = os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.folder = hidden.rename(root / name)  # seen by others only once it is locked
        if not filesystem.keeps_order(root):  # or what is in it could be found under the hidden name
            sync_folder(root)

    def create(self) -> Spooled:
        """A new, empty spooled object. Raises Unavailable when the disk is full or fails."""
        with translated():
            return Spooled(f"{self.folder}/{secrets.token_hex(12)}")

    def abandoned(self, *, wait: bool = True) -> Iterator[list[Path]]:
        """Spool files of all processes that are dead, a bounded number at a time, the first received
        first. Folders that are empty afterwards go.

        One at a time may look: with `wait` it comes back only when nobody else is at it any more."""
        fd = os.open(self._root / _RECOVERY, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if not _locked(fd, wait=wait):
                return
            folders = [folder for folder in sorted(self._root.iterdir()) if self._is_abandoned(folder)]
            left = [path for folder in folders for path in folder.iterdir() if path.name != _LOCK]
            left.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
            for begin in range(0, len(left), _AT_ONCE):
                yield left[begin : begin + _AT_ONCE]
            for folder in folders:
                _remove(folder)
        finally:
            os.close(fd)

    def _is_abandoned(self, folder: Path) -> bool:
        """Nobody takes a dead process's place in its folder, so this stays true."""
        if folder == self.folder or folder.name.startswith(".") or not folder.is_dir():
            return False
        try:
            fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # given up
            return True
        try:
            return _locked(fd, wait=False)
        finally:
            os.close(fd)

    def probe(self) -> None:
        """Raises Unavailable when nothing can be written."""
        with self.create() as probe:
            probe.write(b"ready?")

    def close(self) -> None:
        """Give the folder up; it goes when it is empty, and is found by the next start when it is not."""
        _remove(self.folder)
        os.close(self._lock)


def is_marked(path: Path) -> bool:
    """Whether a spool file says what its bytes must be."""
    return _MARK in path.name


def _remove(folder: Path) -> None:
    """Unless something is in it."""
    with suppress(OSError):
        if all(path.name == _LOCK for path in folder.iterdir()):
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()


def _locked(fd: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def translated() -> Iterator[None]:
    """File system trouble in the words of the archive."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise Unavailable(
            "the hot tier is full" if full else "the hot tier cannot be written",
            hint="free space on the data folder's disk"
            if full
            else "look at the data folder's disk and its rights",
        ) from error

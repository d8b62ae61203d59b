"""What can be relied on of the file system that a folder is on."""

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_DEVICES: Final = Path("/sys/dev/block")
_EXT4: Final = Path("/sys/fs/ext4")
# Renaming a file changes its inode and its folder in one transaction of the journal, and syncing the inode
# writes that transaction (ext4, XFS), or all names that the inode has got (Btrfs, ext4 without a journal).
_SYNC_NAMES: Final = frozenset({"ext4", "xfs", "btrfs"})

_SYNC_ALL: Final = frozenset({"ext4", "xfs", "btrfs", "f2fs"})
_REFUSED: Final = frozenset({errno.ENOSYS, errno.EPERM})


@cache
def syncs_names(folder: str | Path) -> bool:
    """Whether fsync of a file makes the name durable that it has in `folder`; POSIX asks for a sync of
    the folder besides."""
    return kind(folder) in _SYNC_NAMES


@cache
def keeps_order(folder: str | Path) -> bool:
    """Whether a name that came or went before something else was made durable is as durable as that:
    there is one journal, written in the order of the changes."""
    found = kind(folder)
    return found == "xfs" or (found == "ext4" and _has_journal(_device(folder)))


def sync(folder: Path) -> bool:
    """Write all of the file system to its disk, whoever it is from; False where nobody can be asked to, and
    where the answer could not be believed (some that lie behind a network or FUSE say yes and do nothing).
    What is synced afterwards is only then durable, and all of this with it: some disks keep what was written
    for a while. Raises OSError."""
    call = _syncfs() if kind(folder) in _SYNC_ALL else None
    if call is None:
        return False
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if call(fd):
            number = ctypes.get_errno()
            if number in _REFUSED:
                return False
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)
    return True


def kind(folder: str | Path) -> str:
    """The type of the file system as the kernel names it; empty when it cannot be told."""
    device = _device(folder)
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) > 2 and fields[2] == device:
            return right.split(" ", 1)[0]
    return ""


def _device(folder: str | Path) -> str:
    number = os.stat(folder).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def _has_journal(device: str) -> bool:
    """An ext4 can be made without. False when it cannot be told."""
    try:
        name = (_DEVICES / device).readlink().name
        return (_EXT4 / name / "journal_task").read_text().strip() != "<none>"
    except OSError:
        return False


@cache
def _syncfs() -> Any:
    """Linux has it; errors are told since 5.8."""
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)

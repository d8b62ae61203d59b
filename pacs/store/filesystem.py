"""What can be relied on of the file system that a folder is on."""

import os
from functools import cache
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
# Renaming a file changes its inode and its folder in one transaction of the journal, and syncing the inode
# writes that transaction (ext4, XFS), or all names that the inode has got (Btrfs).
_SYNC_NAMES: Final = frozenset({"ext4", "xfs", "btrfs"})
# One journal, written in the order of the changes.
_KEEP_ORDER: Final = frozenset({"ext4", "xfs"})


@cache
def syncs_names(folder: Path) -> bool:
    """Whether fsync of a file makes the name durable that it has in `folder`; POSIX asks for a sync of
    the folder besides."""
    return kind(folder) in _SYNC_NAMES


@cache
def keeps_order(folder: Path) -> bool:
    """Whether a name that came or went before something else was made durable is as durable as that."""
    return kind(folder) in _KEEP_ORDER


def kind(folder: Path) -> str:
    """The type of the file system as the kernel names it; empty when it cannot be told."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) > 2 and fields[2] == wanted:
            return right.split(" ", 1)[0]
    return ""

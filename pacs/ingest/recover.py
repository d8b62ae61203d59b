"""Finish or forget what processes left in the spool when they died, or when the machine lost its power.

A file that says in its name what its bytes must be may have been acknowledged: if they are those, it is
finished, and what the disk has lost of its place in the hot tier or of its row in the index is made again.
If they are not, it never was, and goes. So does a file without that mark and without a second link; one
with a second link was on its way to quarantine, or made durable without a mark, and is finished too.
"""

import os
from pathlib import Path

from pacs import log
from pacs.auth.actor import system
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Broken, Expected, examine, file_meta
from pacs.store import layout
from pacs.store.disk import DiskStore
from pacs.store.spool import Spool, Spooled, is_marked

_log = log.get(__name__)
_ACTOR = system("recovery")


def recover(ingest: Ingest, spool: Spool, hot: DiskStore) -> int:
    """Returns how many objects were finished. Raises Unavailable when the index is away."""
    finished = 0
    for left in spool.abandoned():
        keys = [key for path in left if (key := _finish(ingest, hot, path)) is not None]
        if keys:
            ingest.make_durable(key for key in keys if key)
        for path in left:
            path.unlink(missing_ok=True)
        finished += len(keys)
    if finished:
        _log.info("recovery: %d objects that were durable are now indexed", finished)
    return finished


def _finish(ingest: Ingest, hot: DiskStore, path: Path) -> str | None:
    """The key of the object, empty where it got none; None for what goes."""
    if not is_marked(path) and path.stat().st_nlink == 1:
        return None
    with Spooled.reopen(path) as spooled:
        if is_marked(path) and not spooled.fits:
            return None  # its place is made only when its bytes are durable
        key = _key_of(hot, spooled)
        try:
            if key or is_marked(path):
                return ingest.finish(_ACTOR, spooled, key)
            ingest.accept(_ACTOR, spooled)  # it was on its way to quarantine
        except Broken as broken:
            _log.warning("recovery: left an object that breaks the rule %s where it is", broken.rule)
    return ""


def _key_of(hot: DiskStore, spooled: Spooled) -> str:
    """The key under which the same file stands in the hot tier; empty when it does not."""
    inode = os.fstat(spooled.fileno())
    if inode.st_nlink == 1:
        return ""
    try:
        meta, _ = file_meta(spooled)
        entry = examine(spooled, meta, Expected())
    except Broken:
        return ""
    folder = layout.folder(entry.key, spooled.received_ns)
    for name in layout.names(entry.key):
        key = f"{folder}/{name}"
        if not hot.exists(key):
            return ""
        if hot.path(key).stat().st_ino == inode.st_ino:
            return key
    return ""

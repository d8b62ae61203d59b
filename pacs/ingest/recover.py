"""Finish or forget what processes left in the spool when they died.

A file with a second link had been made durable in the hot tier, its index row perhaps not: it is
finished. A file without one was never acknowledged and goes.
"""

import os
from pathlib import Path

from pacs import log
from pacs.auth.actor import system
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Broken, Expected, examine, file_meta
from pacs.store import layout
from pacs.store.disk import DiskStore
from pacs.store.spool import Spool, Spooled

_log = log.get(__name__)
_ACTOR = system("recovery")


def recover(ingest: Ingest, spool: Spool, hot: DiskStore) -> int:
    """Returns how many objects were finished. Raises Unavailable when the index is away."""
    finished = 0
    for path in spool.abandoned():
        if path.stat().st_nlink > 1:
            _finish(ingest, hot, path)
            finished += 1
        path.unlink(missing_ok=True)
    if finished:
        _log.info("recovery: %d objects that were durable are now indexed", finished)
    return finished


def _finish(ingest: Ingest, hot: DiskStore, path: Path) -> None:
    with Spooled.reopen(path) as spooled:
        try:
            key = _key_of(hot, spooled)
            if key:
                ingest.finish(_ACTOR, spooled, key)
            else:
                ingest.accept(_ACTOR, spooled)  # it was on its way to quarantine
        except Broken as broken:
            _log.warning("recovery: left an object that breaks the rule %s where it is", broken.rule)


def _key_of(hot: DiskStore, spooled: Spooled) -> str:
    """The key under which the same file stands in the hot tier; empty when it does not."""
    try:
        meta, _ = file_meta(spooled)
        entry = examine(spooled, meta, Expected())
    except Broken:
        return ""
    folder = layout.folder(entry.key, spooled.received_ns)
    inode = os.fstat(spooled.fileno()).st_ino
    for name in layout.names(entry.key):
        key = f"{folder}/{name}"
        if not hot.exists(key):
            return ""
        if hot.path(key).stat().st_ino == inode:
            return key
    return ""

"""Finish or forget what processes left in the spool when they died, or when the machine lost its power.

A file that says in its name what its bytes must be may have been acknowledged: if they are those, it is
finished, and what the disk has lost of its place in the hot tier or of its row in the index is made again.
If they are not, it never was, and goes. So does a file without that mark, and the place that it was given,
unless the index has it: another form of an object, or one on its way back from the cold tier. What stands in
quarantine was refused, and stays so.
"""

from pathlib import Path
from typing import Final

from pacs import log
from pacs.auth.actor import system
from pacs.errors import Unavailable
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Broken, Expected, examine, file_meta
from pacs.store import layout
from pacs.store.disk import DiskStore
from pacs.store.spool import Spool, Spooled, is_marked

_PATIENCE: Final = 8  # failures on end
_log = log.get(__name__)
_ACTOR = system("recovery")


def recover(ingest: Ingest, spool: Spool, hot: DiskStore, *, wait: bool = True) -> int:
    """Returns how many objects were finished. What cannot be finished now stays for the next time.

    With `wait`, what others are finishing at this moment is finished as well when this returns."""
    finished = failures = 0
    for left in spool.abandoned(wait=wait):
        keys: list[str] = []
        done: list[str] = []
        for path in left:
            try:
                key = _finish(ingest, hot, path)
            except (OSError, Unavailable) as error:
                _log.error("recovery: left for later reason=%s", error)
                failures += 1
                if failures == _PATIENCE:
                    break
                continue
            failures = 0
            done.append(str(path))
            keys += [] if key is None else [key]
        finished += _release(ingest, done, keys)
        if failures == _PATIENCE:
            break
    if finished:
        _log.info("recovery: %d objects that were durable are now indexed", finished)
    return finished


def _release(ingest: Ingest, done: list[str], keys: list[str]) -> int:
    """The spooled files go when what became of them is durable."""
    try:
        if keys:
            ingest.make_durable(key for key in keys if key)
        ingest.release(done)
    except Unavailable as error:
        _log.error("recovery: left for later reason=%s", error)
        return 0
    return len(keys)


def _finish(ingest: Ingest, hot: DiskStore, path: Path) -> str | None:
    """The key of the object, empty where it got none; None for what goes."""
    marked = is_marked(path)
    if not marked and path.stat().st_nlink == 1:
        return None
    with Spooled.reopen(path) as spooled:
        if marked and not spooled.fits:
            return None  # its place is made only when its bytes are durable
        if ingest.finish_refusal(_ACTOR, spooled):
            return ""
        key = _key_of(hot, spooled)
        if not marked:
            return None if not key or ingest.drop(key) else key
        try:
            return ingest.finish(_ACTOR, spooled, key)
        except Broken as broken:
            _log.warning("recovery: goes to quarantine rule=%s", broken.rule)
            ingest.accept(_ACTOR, spooled)
    return ""


def _key_of(hot: DiskStore, spooled: Spooled) -> str:
    """The key under which the same file stands in the hot tier; empty when it does not."""
    try:
        meta, _ = file_meta(spooled)
        entry = examine(spooled, meta, Expected())
    except Broken:
        return ""
    folder = layout.folder(entry.key, spooled.received_ns)
    for path in hot.path(folder).glob(f"{entry.key.instance}*{layout.SUFFIX}"):
        if hot.is_same(key := f"{folder}/{path.name}", spooled.fileno()):
            return key
    return ""

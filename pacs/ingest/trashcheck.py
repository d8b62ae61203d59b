"""The trash against its markers and its bytes."""

from collections.abc import Iterator
from pathlib import Path

from pacs.db.connection import Database
from pacs.index import deletions
from pacs.store import layout, markers, trashed
from pacs.store.markers import Markers


def differences(db: Database, kept: Markers) -> Iterator[tuple[str, str, str]]:
    """Kind, place and detail of each. What changes meanwhile is not reported."""
    for key in kept.listed():
        with db.read() as tx:
            known = deletions.get(tx, Path(key).stem)
        if known is None:
            yield "unknown-file", f"{layout.TRASH}/{key}", "a marker of no deletion that the index knows"
    with db.read() as tx:
        marked = deletions.marked(tx)
    for name, at_ns in marked:
        key = markers.key_of(name, at_ns)
        if not kept.exists(key) and _is_marked(db, name):
            yield "missing-file", f"{layout.TRASH}/{key}", "a deletion has lost its marker"
    for uid in trashed.lost(db):
        yield "missing-file", uid, "the trash names an instance whose bytes are not there"


def _is_marked(db: Database, name: str) -> bool:
    """Asked again: it may have been restored or purged since."""
    with db.read() as tx:
        return deletions.is_marked(tx, name)

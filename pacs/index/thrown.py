"""The trash made anew from its markers, while the index is rebuilt: first what they tell, then, file by
file, what is found to be one of theirs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Transaction
from pacs.index import deletions
from pacs.index.deletions import State
from pacs.index.entry import Entry

_t, _d = schema.trash.c, schema.deletions.c
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Thrown:
    """A file that belongs to a deletion. With `other_form` it holds the object in a form that it was no
    longer kept in: it was about to go."""

    id: int
    current: bool
    purged: bool
    other_form: bool


def note(tx: Transaction, head: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> None:
    """What a marker tells."""
    one = deletions.add(tx, {**head, "marked": 1})
    rows: list[dict[str, Any]] = []
    for line in lines:
        rows.append({"deletion_fk": one.id, "study_uid": one.study_uid, **line})
        if len(rows) == _AT_ONCE:
            tx.execute(sa.insert(schema.trash), rows)
            rows = []
    if rows:
        tx.execute(sa.insert(schema.trash), rows)


def find(tx: Transaction, entry: Entry) -> Thrown | None:
    """Whether a file is one that was deleted: the same object, received at the same moment. What arrived
    later under the same UID is another."""
    rows = tx.execute(
        sa.select(_t.id, _t.current, _t.digest, _t.received_digest, _d.state)
        .join(schema.deletions, _d.id == _t.deletion_fk)
        .where(_t.sop_instance_uid == entry.key.instance, _t.received_ns == entry.received_ns)
    )
    for row in rows:
        if row.digest == entry.digest or row.received_digest == entry.received_digest:
            return Thrown(row.id, bool(row.current), row.state == State.PURGED, row.digest != entry.digest)
    return None


def fill(tx: Transaction, thrown: Thrown, entry: Entry) -> None:
    """The file of a deletion is here. Of what was purged nothing is kept that tells of a patient."""
    whole: dict[str, Any] = {}
    if thrown.current and not thrown.purged:
        whole = {"n_frames": entry.n_frames, "frames": entry.frames, "json": entry.json}
    tx.execute(
        sa.update(schema.trash)
        .where(_t.id == thrown.id)
        .values(
            study_uid=entry.key.study,
            series_uid=entry.key.series,
            sop_class_uid=entry.sop_class,
            transfer_syntax=entry.transfer_syntax,
            size=entry.size,
            dataset_offset=entry.dataset_offset,
            prefix_digest=entry.prefix_digest,
            **whole,
        )
    )

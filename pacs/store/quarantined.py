"""Refused objects kept for the administrator: rows of the quarantine table."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged

_q = schema.quarantine.c


@dataclass(frozen=True, slots=True)
class Quarantined:
    """`key` names the file in the quarantine folder; `reason` holds no patient data."""

    at_ns: int
    rule: str
    reason: str
    key: str
    digest: str
    size: int
    actor: str
    origin: str
    sop_instance_uid: str


def note(tx: Transaction, kept: Quarantined) -> None:
    """Record a quarantined file; one that is recorded already stays as it is."""
    if is_recorded(tx, kept.key):
        return
    values = {name: getattr(kept, name) for name in Quarantined.__slots__}
    tx.execute(sa.insert(schema.quarantine), values)


def is_recorded(tx: Transaction, key: str) -> bool:
    return tx.execute(sa.select(_q.id).where(_q.key == key)).first() is not None


def keys(db: Database) -> Iterator[str]:
    for row in paged(db, sa.select(_q.id, _q.key), _q.id):
        yield row.key

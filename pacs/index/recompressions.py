"""What became of attempts to keep objects in less space, and what they were before: the rows of
recompressions.

A row speaks of one file by the digest of its data set. It stays true when the file becomes a former
version of its instance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged
from pacs.dicom import uids
from pacs.dicom.uids import InstanceKey
from pacs.index.entry import Entry

_s, _e, _i, _v = schema.studies.c, schema.series.c, schema.instances.c, schema.versions.c
_r = schema.recompressions.c
_NATIVE = (uids.EXPLICIT_LE, uids.IMPLICIT_LE)

BESIDE_INSTANCES = schema.instances.outerjoin(
    schema.recompressions, sa.and_(_r.sop_instance_uid == _i.sop_instance_uid, _r.digest == _i.digest)
)
RECEIVED_DIGEST = sa.func.coalesce(sa.func.nullif(_r.received_digest, ""), _i.digest)
"""Of the current version of an instance, from BESIDE_INSTANCES."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that is native, little endian and of which nobody knows yet whether it can be
    recompressed. `digest` is that of its data set, which begins at `dataset_offset` of its file."""

    key: InstanceKey
    digest: str
    size: int
    dataset_offset: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`received_bytes` became `bytes`; `left` counts the objects that stay as received, by reason."""

    objects: int
    received_bytes: int
    bytes: int
    left: dict[str, int]


_CANDIDATES = (
    sa.select(
        _i.id,
        _s.study_instance_uid,
        _e.series_instance_uid,
        _i.sop_instance_uid,
        _i.digest,
        _i.size,
        _i.dataset_offset,
        _i.received_ns,
    )
    .select_from(
        BESIDE_INSTANCES.join(schema.series, _e.id == _i.series_fk).join(schema.studies, _s.id == _i.study_fk)
    )
    .where(_i.transfer_syntax.in_(_NATIVE), _i.n_frames > 0, _r.id.is_(None))
)


def candidate(tx: Transaction, sop_instance_uid: str) -> Candidate | None:
    row = tx.execute(_CANDIDATES.where(_i.sop_instance_uid == sop_instance_uid)).first()
    return _candidate(row) if row else None


def candidates(db: Database, study: str = "") -> Iterator[Candidate]:
    """Of a study or, without one, of the whole archive; a bounded number at a time."""
    query = _CANDIDATES.where(_s.study_instance_uid == study) if study else _CANDIDATES
    for row in paged(db, query, _i.id):
        yield _candidate(row)


def count(tx: Transaction, study: str = "") -> tuple[int, int]:
    """How many candidates, and their bytes."""
    query = _CANDIDATES.where(_s.study_instance_uid == study) if study else _CANDIDATES
    inner = query.subquery()
    total = sa.cast(sa.func.coalesce(sa.func.sum(inner.c.size), 0), sa.BigInteger)
    row = tx.execute(sa.select(sa.func.count(), total).select_from(inner)).one()
    return row[0], int(row[1])


def note(tx: Transaction, entry: Entry) -> None:
    """What the file of this entry was before."""
    origin = entry.origin
    if origin is not None:
        _insert(
            tx,
            entry.key.instance,
            entry.digest,
            received_digest=origin.digest,
            received_syntax=origin.transfer_syntax,
            received_size=origin.size,
            size=entry.size,
        )


def leave(tx: Transaction, one: Candidate, reason: str) -> None:
    """It stays as it is and is not tried again."""
    _insert(tx, one.key.instance, one.digest, size=one.size, reason=reason)


def kept_as(tx: Transaction, sop_instance_uid: str, received_digest: str) -> str | None:
    """Digest of the file that was made of what was received with this one."""
    row = tx.execute(
        sa.select(_r.digest).where(
            _r.sop_instance_uid == sop_instance_uid, _r.received_digest == received_digest
        )
    ).first()
    return None if row is None else str(row.digest)


def received_as(tx: Transaction, sop_instance_uid: str, digest: str) -> str:
    """Transfer syntax in which the file with this digest was received, when it is another now; else
    nothing."""
    here = sa.select(_r.received_syntax).where(_r.sop_instance_uid == sop_instance_uid, _r.digest == digest)
    return str(tx.execute(here).scalar_one_or_none() or "")


def is_former(tx: Transaction, sop_instance_uid: str, digest: str) -> bool:
    """Whether a former version of the instance is these bytes at rest."""
    query = sa.select(_v.id).where(_v.sop_instance_uid == sop_instance_uid, _v.digest == digest)
    return tx.execute(query).first() is not None


def totals(tx: Transaction) -> Totals:
    sums = [sa.cast(sa.func.coalesce(sa.func.sum(c), 0), sa.BigInteger) for c in (_r.received_size, _r.size)]
    done = tx.execute(sa.select(sa.func.count(), *sums).where(_r.reason == "")).one()
    rows = tx.execute(
        sa.select(_r.reason, sa.func.count()).where(_r.reason != "").group_by(_r.reason).order_by(_r.reason)
    )
    return Totals(done[0], int(done[1]), int(done[2]), {row[0]: row[1] for row in rows})


def _candidate(row: Any) -> Candidate:
    return Candidate(InstanceKey(row[1], row[2], row[3]), *row[4:])


def _insert(tx: Transaction, sop_instance_uid: str, digest: str, **values: str | int) -> None:
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    row = {"sop_instance_uid": sop_instance_uid, "digest": digest, "at_ns": clock.now_ns(), **values}
    statement = dialect.insert(schema.recompressions).values(row)
    tx.execute(statement.on_conflict_do_nothing(index_elements=["sop_instance_uid", "digest"]))

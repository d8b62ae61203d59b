"""Counts over the whole index, and its emptying before a rebuild."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged

_s, _i = schema.studies.c, schema.instances.c

# What the stored objects can give back, in the order in which rows may go.
_REBUILT = (
    schema.trash_places,
    schema.trash,
    schema.deletions,
    schema.locations,
    schema.versions,
    schema.recompressions,
    schema.quarantine,
    schema.instances,
    schema.series,
    schema.studies,
    schema.patients,
)


@dataclass(frozen=True, slots=True)
class Totals:
    """`bytes` counts the current version of every instance."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int


def totals(tx: Transaction) -> Totals:
    sums = [
        sa.func.coalesce(sa.cast(sa.func.sum(column), sa.BigInteger), 0)
        for column in (_s.n_series, _s.n_instances, _s.bytes)
    ]
    patients = tx.execute(sa.select(sa.func.count()).select_from(schema.patients)).scalar_one()
    studies = tx.execute(sa.select(sa.func.count()).select_from(schema.studies)).scalar_one()
    return Totals(patients, studies, *(int(value) for value in tx.execute(sa.select(*sums)).one()))


def is_usable(tx: Transaction) -> None:
    """Raises what the database raises when it cannot answer."""
    tx.execute(sa.select(_s.id).limit(1)).first()


@dataclass(frozen=True, slots=True)
class Miscount:
    """A study whose statistics are not what its instances say: (series, instances)."""

    study: str
    said: tuple[int, int]
    found: tuple[int, int]


def miscounts(db: Database) -> Iterator[Miscount]:
    counted = (
        sa.select(
            _s.id,
            _s.study_instance_uid,
            _s.n_instances,
            _s.n_series,
            sa.func.count(_i.id).label("instances"),
            sa.func.count(sa.distinct(_i.series_fk)).label("series"),
        )
        .outerjoin(schema.instances, _i.study_fk == _s.id)
        .group_by(_s.id, _s.study_instance_uid, _s.n_instances, _s.n_series)
    )
    for row in paged(db, counted, _s.id):
        said, found = (row.n_series, row.n_instances), (row.series, row.instances)
        if said != found:
            yield Miscount(row.study_instance_uid, said, found)


def clear(tx: Transaction) -> None:
    """Remove everything that the stored objects can give back."""
    for table in _REBUILT:
        tx.execute(sa.delete(table))

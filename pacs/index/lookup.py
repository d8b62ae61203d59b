"""Find stored instances by their unique keys, in a stable order and in bounded pieces."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Database
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey

_p, _s, _e, _i = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c
_CHUNK = 500

Where = list[sa.ColumnElement[bool]]

_JOINED = (
    schema.instances.join(schema.series, _e.id == _i.series_fk)
    .join(schema.studies, _s.id == _i.study_fk)
    .join(schema.patients, _p.id == _s.patient_id_fk)
)
# Unnumbered instances come last, on both databases.
_NUMBER = sa.func.coalesce(_i.instance_number, sa.literal(2**62, sa.BigInteger))
_SERIES_NUMBER = sa.func.coalesce(_e.series_number, sa.literal(2**62, sa.BigInteger))
_ORDER = (_s.study_instance_uid, _SERIES_NUMBER, _e.series_instance_uid, _NUMBER, _i.sop_instance_uid)


def where(
    patients: tuple[str, ...] = (),
    studies: tuple[str, ...] = (),
    series: tuple[str, ...] = (),
    instances: tuple[str, ...] = (),
) -> Where:
    columns = (_p.patient_id, _s.study_instance_uid, _e.series_instance_uid, _i.sop_instance_uid)
    wanted = (patients, studies, series, instances)
    return [column.in_(values) for column, values in zip(columns, wanted, strict=True) if values]


def levels(tx: sa.Connection, uids: Iterable[str]) -> dict[str, Level]:
    """Which of the UIDs name a study, a series or an instance."""
    wanted = tuple(uids)
    columns = {
        Level.STUDY: _s.study_instance_uid,
        Level.SERIES: _e.series_instance_uid,
        Level.IMAGE: _i.sop_instance_uid,
    }
    return {
        row[0]: level
        for level, column in columns.items()
        for row in tx.execute(sa.select(column).where(column.in_(wanted)))
    }


def count_and_syntaxes(tx: sa.Connection, conditions: Where) -> tuple[int, tuple[tuple[str, str], ...]]:
    """How many instances, and their distinct (SOP class, transfer syntax) pairs."""
    rows = tx.execute(
        sa.select(_i.sop_class_uid, _i.transfer_syntax, sa.func.count())
        .select_from(_JOINED)
        .where(*conditions)
        .group_by(_i.sop_class_uid, _i.transfer_syntax)
        .order_by(_i.sop_class_uid, _i.transfer_syntax)
    ).all()
    return sum(row[2] for row in rows), tuple((row[0], row[1]) for row in rows)


def people(tx: sa.Connection, conditions: Where) -> tuple[tuple[str, str], ...]:
    """Distinct (patient ID, Study Instance UID) pairs, for the audit trail."""
    rows = tx.execute(
        sa.select(_p.patient_id, _s.study_instance_uid)
        .select_from(_JOINED)
        .where(*conditions)
        .distinct()
        .order_by(_s.study_instance_uid)
    )
    return tuple((row[0], row[1]) for row in rows)


def stream(db: Database, conditions: Where, *columns: Any) -> Iterator[Any]:
    """Rows of `columns`, study by study, by series and instance number; read in chunks with a
    keyset so that neither memory nor a transaction grows with the answer."""
    keys = [column.label(f"order_{n}") for n, column in enumerate(_ORDER)]
    base = sa.select(*columns, *keys).select_from(_JOINED).where(*conditions).order_by(*_ORDER).limit(_CHUNK)
    query = base
    while True:
        with db.read() as tx:
            rows = tx.execute(query).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        last = [getattr(rows[-1], f"order_{n}") for n in range(len(_ORDER))]
        query = base.where(sa.tuple_(*_ORDER) > sa.tuple_(*(sa.literal(v) for v in last)))


def one(tx: sa.Connection, key: InstanceKey, *columns: Any) -> Any:
    """The row of one instance, None when there is none under these three UIDs."""
    return tx.execute(
        _one(columns), {"study": key.study, "series": key.series, "instance": key.instance}
    ).first()


@lru_cache(maxsize=16)
def _one(columns: tuple[Any, ...]) -> sa.Select[Any]:
    """Built once: building costs more than asking."""
    return (
        sa.select(*columns)
        .select_from(
            schema.instances.join(schema.series, _e.id == _i.series_fk).join(
                schema.studies, _s.id == _i.study_fk
            )
        )
        .where(
            _i.sop_instance_uid == sa.bindparam("instance"),
            _e.series_instance_uid == sa.bindparam("series"),
            _s.study_instance_uid == sa.bindparam("study"),
        )
    )


STORED_COLUMNS = (
    _s.study_instance_uid,
    _e.series_instance_uid,
    _i.sop_instance_uid,
    _i.sop_class_uid,
    _i.transfer_syntax,
    _i.size,
    _i.dataset_offset,
    _i.digest,
    _i.n_frames,
    _i.received_ns,
)
DIGEST_COLUMNS = (
    _i.sop_class_uid,
    _i.size,
    _i.dataset_offset,
    _i.digest,
    _i.prefix_digest,
    _i.received_ns,
)
JSON_COLUMNS = (_s.study_instance_uid, _e.series_instance_uid, _i.sop_instance_uid, _i.json)
FRAME_COLUMN = _i.frames
SYNTAX_COLUMN = _i.transfer_syntax

"""Which instance stands for a series or a study when one picture has to."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Transaction
from pacs.dicom.uids import InstanceKey
from pacs.index import lookup

_s, _e, _i = schema.studies.c, schema.series.c, schema.instances.c
_LAST = sa.literal(2**62, sa.BigInteger)
_WITHIN = (sa.func.coalesce(_i.instance_number, _LAST), _i.sop_instance_uid)
_AMONG = (sa.func.coalesce(_e.series_number, _LAST), _e.series_instance_uid)
_STUDY = schema.series.join(schema.studies, _s.id == _e.study_fk)
_INSTANCES = _STUDY.join(schema.instances, _i.series_fk == _e.id)


# Built once: making the statement costs as much as running it.
COLUMNS = (lookup.FRAME_COLUMN, lookup.JSON_COLUMNS[-1], *lookup.STORED_COLUMNS)
PICTURED = _i.n_frames > 0
_SHOWN = sa.select(*COLUMNS).select_from(_INSTANCES)
_BY_KEY = _SHOWN.where(
    _i.sop_instance_uid == sa.bindparam("instance"),
    _e.series_instance_uid == sa.bindparam("series"),
    _s.study_instance_uid == sa.bindparam("study"),
)
_SERIES = (_s.study_instance_uid == sa.bindparam("study"), _e.series_instance_uid == sa.bindparam("series"))
_COUNT = sa.select(sa.func.count()).select_from(_INSTANCES).where(*_SERIES, _i.n_frames > 0)
_NTH = _SHOWN.where(*_SERIES).order_by(*_WITHIN).offset(sa.bindparam("nth")).limit(1)
_NTH_PICTURE = _NTH.where(_i.n_frames > 0)

Row = Any
"""Frame table, compressed JSON, and the columns of a stored object."""


def instance(tx: Transaction, key: InstanceKey) -> Row | None:
    """None when there is no such instance."""
    keys = {"study": key.study, "series": key.series, "instance": key.instance}
    return tx.execute(_BY_KEY, keys).first()


def middle(tx: Transaction, study: str, series: str) -> Row | None:
    """The middle one of the series' instances that have pictures; its first where none has any;
    None when there is no such series."""
    keys = {"study": study, "series": series}
    count = tx.execute(_COUNT, keys).scalar_one()
    return tx.execute(_NTH_PICTURE if count else _NTH, keys | {"nth": max(0, count - 1) // 2}).first()


def with_pictures(tx: Transaction, conditions: lookup.Where) -> tuple[int, int]:
    """How many instances have pictures, and how many have none."""
    pictured = sa.func.coalesce(sa.func.sum(sa.case((_i.n_frames > 0, 1), else_=0)), 0)
    row = tx.execute(sa.select(pictured, sa.func.count()).select_from(_INSTANCES).where(*conditions)).one()
    return int(row[0]), int(row[1]) - int(row[0])


def largest_series(tx: Transaction, study: str) -> str:
    """That with the most pictures, of several the first; the first of all where no series has any;
    empty when there is no such study."""
    pictures = sa.func.coalesce(sa.func.sum(sa.case((_i.n_frames > 0, 1), else_=0)), 0)
    row = tx.execute(
        sa.select(_e.series_instance_uid)
        .select_from(_INSTANCES)
        .where(_s.study_instance_uid == study)
        .group_by(_e.id, *_AMONG)
        .order_by(pictures.desc(), *_AMONG)
        .limit(1)
    ).first()
    return "" if row is None else str(row[0])


def series_of(tx: Transaction, study: str) -> Iterator[str]:
    """Every series of a study, in order."""
    rows = tx.execute(
        sa.select(_e.series_instance_uid)
        .select_from(_STUDY)
        .where(_s.study_instance_uid == study)
        .order_by(*_AMONG)
    )
    return (str(row[0]) for row in rows.all())


def studies(tx: Transaction, after: str, limit: int) -> list[str]:
    """The next Study Instance UIDs behind `after`."""
    rows = tx.execute(
        sa.select(_s.study_instance_uid)
        .where(_s.study_instance_uid > after)
        .order_by(_s.study_instance_uid)
        .limit(limit)
    )
    return [str(row[0]) for row in rows]

"""The metadata of whole series, kept ready to be sent: one compressed document a series.

A document carries the revision its series had before its instances were read. Whatever changes the
series, or what is in it, counts its revision up in the same transaction, so a document with the
revision of its series is true, and no other is ever given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema

_s, _e, _d = schema.studies.c, schema.series.c, schema.series_documents.c


_SERIES = (
    sa.select(
        _e.id,
        _e.series_instance_uid,
        _e.revision,
        sa.case((_d.revision == _e.revision, _d.digest), else_=""),
        _e.n_instances,
        _s.n_instances,
    )
    .select_from(
        schema.series.join(schema.studies, _s.id == _e.study_fk).outerjoin(
            schema.series_documents, _d.series_fk == _e.id
        )
    )
    .where(_s.study_instance_uid == sa.bindparam("study"))
    .order_by(sa.func.coalesce(_e.series_number, sa.literal(2**62, sa.BigInteger)), _e.series_instance_uid)
)
_DOCUMENT = sa.select(_d.document).where(
    _d.series_fk == sa.bindparam("series"), _d.digest == sa.bindparam("of_digest")
)


@dataclass(frozen=True, slots=True)
class Series:
    """A series of a study and the digest of its document; empty when there is none that is true."""

    id: int
    study_uid: str
    series_uid: str
    revision: int
    digest: str


def series_of(tx: sa.Connection, study_uid: str, series_uid: str = "") -> Sequence[Series] | None:
    """The series of a study, or the one named, in the order of delivery.

    None when there are none, or when instances stand in a series of another study, which no document
    tells apart."""
    rows = tx.execute(_SERIES, {"study": study_uid}).all()
    if not rows or sum(row[4] for row in rows) != rows[0][5]:
        return None
    found = [Series(row[0], study_uid, row[1], row[2], row[3] or "") for row in rows]
    return [one for one in found if series_uid in ("", one.series_uid)]


def read(tx: sa.Connection, series: Series) -> bytes | None:
    """The compressed document with the digest that was promised, if it is still there."""
    row = tx.execute(_DOCUMENT, {"series": series.id, "of_digest": series.digest}).first()
    return None if row is None else bytes(row[0])


def keep(tx: sa.Connection, series: Series, digest: str, document: bytes) -> None:
    """A newer one that another has kept meanwhile stays."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    values = {"revision": series.revision, "digest": digest, "document": document}
    there = tx.execute(sa.select(_e.id).where(_e.id == series.id).with_for_update(key_share=True)).first()
    if there is None:  # it was removed a moment ago
        return
    statement = dialect.insert(schema.series_documents).values(series_fk=series.id, **values)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["series_fk"],
            set_=values,
            where=sa.or_(
                _d.revision < series.revision,
                sa.and_(_d.revision == series.revision, _d.digest != digest),  # of an older edition
            ),
        )
    )

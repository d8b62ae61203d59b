"""Prepared statements do what SQLAlchemy's own execution does, on both databases."""

import pytest
import sqlalchemy as sa

from pacs.db import schema
from pacs.db.prepared import Prepared
from pacs.runtime import Archive

_q = schema.patients.c
INSERT = Prepared(sa.insert(schema.patients).returning(_q.id))
COUNT = Prepared(
    sa.update(schema.patients)
    .where(_q.id == sa.bindparam("of"))
    .values(n_studies=_q.n_studies + sa.bindparam("more"), n_series=_q.n_series + 2)
)
ROW = Prepared(
    sa.select(_q.patient_key, _q.n_studies, _q.n_series).where(_q.patient_key == sa.bindparam("key"))
)


@pytest.mark.parametrize("key", ["plain", "100 % \\ 'quoted' ?", "Ünïcode ✓", ""])
def test_values_go_in_and_come_out(archive: Archive, key: str) -> None:
    with archive.stores.db.write() as tx:
        number = INSERT.run(tx, {"patient_key": key, "patient_id": "P1"})[0].id
        COUNT.run(tx, {"of": number, "more": 3})
        COUNT.run(tx, {"of": number, "more": 4})
        (row,) = ROW.run(tx, {"key": key})
        assert (row.patient_key, row.n_studies, row.n_series) == (key, 7, 4)
        assert tx.execute(sa.select(_q.patient_id).where(_q.id == number)).scalar_one() == "P1"


def test_what_is_there_and_what_is_not(archive: Archive) -> None:
    with archive.stores.db.read() as tx:
        assert ROW.one(tx, {"key": "nobody"}) is None
        assert tx.in_transaction()  # several statements see one state


def test_errors_of_the_driver_are_told_as_everywhere(archive: Archive) -> None:
    def twice(tx: sa.Connection) -> None:
        for _ in range(2):
            INSERT.run(tx, {"patient_key": "once", "patient_id": "P1"})

    with pytest.raises(sa.exc.IntegrityError):
        archive.stores.db.transact(twice)
    with archive.stores.db.read() as tx:
        assert ROW.one(tx, {"key": "once"}) is None


def test_values_that_do_not_fit(archive: Archive) -> None:
    with archive.stores.db.write() as tx:
        ROW.run(tx, {"key": "x"})
        with pytest.raises(ValueError, match="do not fit"):
            ROW.run(tx, {"key": "x", "other": "y"})
        with pytest.raises(KeyError):
            ROW.run(tx, {"other": "y"})


def test_types_that_drivers_take_differently_are_refused(archive: Archive) -> None:
    odd = Prepared(sa.select(sa.bindparam("moment", type_=sa.DateTime)))
    with archive.stores.db.read() as tx, pytest.raises(TypeError):
        odd.run(tx, {"moment": "now"})

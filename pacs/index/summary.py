"""Recount a study from its instances: for the rare changes that plain additions cannot express."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.dicom.json import Encoded
from pacs.dicom.level import Level
from pacs.index import entry as entries
from pacs.index import spoken

_p, _s, _e, _i = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c


def parted(values: str) -> set[str]:
    """`\\CT\\MR\\` -> its parts."""
    return {part for part in values.split("\\") if part}


def joined(values: set[str]) -> str:
    """Sorted, and with a backslash on both sides of every value so that each can be matched whole."""
    kept = sorted(part for value in values for part in value.split("\\") if part)
    return "\\" + "\\".join(dict.fromkeys(kept)) + "\\" if kept else ""


def recompute(tx: sa.Connection, study_id: int) -> None:
    """Bring a study, its series and its patient in line with its instances; remove what is empty."""
    study = tx.execute(
        sa.select(_s.id, _s.patient_id_fk, _s.study_instance_uid)
        .where(_s.id == study_id)
        .with_for_update(key_share=True)
    ).first()
    if study is None:
        return
    series_ids = {row[0] for row in tx.execute(sa.select(_e.id).where(_e.study_fk == study_id))}
    series_ids |= {
        row[0] for row in tx.execute(sa.select(_i.series_fk).where(_i.study_fk == study_id).distinct())
    }
    for series_id in sorted(series_ids):
        _recompute_series(tx, series_id)
    definer = _definer(tx, _i.study_fk == study_id)
    if definer is None:
        _rehome_series(tx, study_id)
        tx.execute(sa.delete(schema.series).where(_e.study_fk == study_id))
        tx.execute(sa.delete(schema.studies).where(_s.id == study_id))
        _recompute_patient(tx, study.patient_id_fk)
        return
    encoded = entries.reopen(definer.json)
    patient_id = _patient_of(tx, entries.patient_key(encoded, study.study_instance_uid), encoded)
    row = entries.level_row(encoded, Level.STUDY)
    tx.execute(
        sa.update(schema.studies)
        .where(_s.id == study_id)
        .values(
            patient_id_fk=patient_id,
            **_defined_by(definer, with_id=True),
            **row,
            **_study_sums(tx, study_id),
        )
    )
    spoken.note(tx, Level.STUDY, study_id, row, new=False)
    for affected in sorted({study.patient_id_fk, patient_id}):
        _recompute_patient(tx, affected)


def touch(tx: sa.Connection, study_id: int, at_ns: int) -> None:
    """Something of the study is not what it was before."""
    tx.execute(sa.update(schema.studies).where(_s.id == study_id).values(updated_ns=at_ns))
    tx.execute(sa.update(schema.series).where(_e.study_fk == study_id).values(updated_ns=at_ns))


def _rehome_series(tx: sa.Connection, study_id: int) -> None:
    """A series that also has instances in another study goes there."""
    elsewhere = sa.select(_i.study_fk).where(_i.id == _e.definer_fk).scalar_subquery()
    tx.execute(
        sa.update(schema.series)
        .where(_e.study_fk == study_id, sa.exists().where(_i.series_fk == _e.id))
        .values(study_fk=elsewhere)
    )


def _recompute_series(tx: sa.Connection, series_id: int) -> None:
    definer = _definer(tx, _i.series_fk == series_id)
    if definer is None:
        tx.execute(sa.delete(schema.series).where(_e.id == series_id))
        return
    count = tx.execute(sa.select(sa.func.count()).where(_i.series_fk == series_id)).scalar_one()
    row = entries.level_row(entries.reopen(definer.json), Level.SERIES)
    tx.execute(
        sa.update(schema.series)
        .where(_e.id == series_id)
        .values(
            n_instances=count,
            revision=_e.revision + 1,
            **_defined_by(definer, with_id=True),
            **row,
        )
    )
    spoken.note(tx, Level.SERIES, series_id, row, new=False)


def _study_sums(tx: sa.Connection, study_id: int) -> dict[str, Any]:
    here = _i.study_fk == study_id
    count, size = tx.execute(
        sa.select(sa.func.count(), sa.cast(sa.func.coalesce(sa.func.sum(_i.size), 0), sa.BigInteger)).where(
            here
        )
    ).one()
    series_ids = sa.select(_i.series_fk).where(here).distinct()
    modalities = tx.execute(sa.select(_e.modality).where(_e.id.in_(series_ids)).distinct()).scalars()
    classes = tx.execute(sa.select(_i.sop_class_uid).where(here).distinct()).scalars()
    return {
        "n_series": tx.execute(sa.select(sa.func.count(sa.distinct(_i.series_fk))).where(here)).scalar_one(),
        "n_instances": count,
        "bytes": size,
        "modalities": joined(set(modalities)),
        "sop_classes": joined(set(classes)),
    }


def _recompute_patient(tx: sa.Connection, patient_id: int) -> None:
    studies = tx.execute(
        sa.select(sa.func.count(), sa.func.sum(_s.n_series), sa.func.sum(_s.n_instances)).where(
            _s.patient_id_fk == patient_id
        )
    ).one()
    if not studies[0]:
        tx.execute(sa.delete(schema.patients).where(_p.id == patient_id))
        return
    first = tx.execute(
        sa.select(_i.json, _i.id, _i.first_received_ns, _i.sop_instance_uid)
        .join(schema.studies, _s.definer_fk == _i.id)
        .where(_s.patient_id_fk == patient_id)
        .order_by(_i.first_received_ns, _i.sop_instance_uid)
        .limit(1)
    ).first()
    values: dict[str, Any] = {
        "n_studies": studies[0],
        "n_series": int(studies[1]),
        "n_instances": int(studies[2]),
    }
    if first is not None:
        row = entries.level_row(entries.reopen(first.json), Level.PATIENT)
        values |= _defined_by(first, with_id=False) | row
        spoken.note(tx, Level.PATIENT, patient_id, row, new=False)
    tx.execute(sa.update(schema.patients).where(_p.id == patient_id).values(values))


def _patient_of(tx: sa.Connection, key: str, encoded: Encoded) -> int:
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    row = {"patient_key": key, **entries.level_row(encoded, Level.PATIENT)}
    tx.execute(dialect.insert(schema.patients).on_conflict_do_nothing(index_elements=["patient_key"]), row)
    return int(tx.execute(sa.select(_p.id).where(_p.patient_key == key)).scalar_one())


def _definer(tx: sa.Connection, where: sa.ColumnElement[bool]) -> Any:
    return tx.execute(
        sa.select(_i.id, _i.json, _i.first_received_ns, _i.sop_instance_uid)
        .where(where)
        .order_by(_i.first_received_ns, _i.sop_instance_uid)
        .limit(1)
    ).first()


def _defined_by(definer: Any, *, with_id: bool) -> dict[str, Any]:
    values = {"definer_ns": definer.first_received_ns, "definer_uid": definer.sop_instance_uid}
    return {"definer_fk": definer.id, **values} if with_id else values

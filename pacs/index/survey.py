"""A study as a whole: what it is of, what it holds, which of named objects it holds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import sqlalchemy as sa

from pacs.db import schema
from pacs.dicom.attributes import tag_of

_p, _s, _e, _i = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c
_AT_ONCE: Final = 500
_PATIENT_AGE: Final = f"{tag_of('PatientAge'):08X}"
_IN_ORDER: Final = (_e.series_number, _e.series_instance_uid, _i.instance_number, _i.sop_instance_uid)


@dataclass(frozen=True, slots=True)
class Part:
    """Objects of one SOP class in one series, and how many."""

    modality: str
    body_part: str
    sop_class: str
    count: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Dates are YYYYMMDD, the age is an AS value (PS3.5 6.2); any of them may be empty."""

    patient_id: str
    description: str
    study_date: str
    birth_date: str
    age: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Object:
    series_uid: str
    modality: str
    uid: str
    sop_class: str
    frames: int


def of(tx: sa.Connection, study_uid: str) -> Survey | None:
    """None when there is no such study."""
    row = tx.execute(
        sa.select(_s.id, _p.patient_id, _s.study_description, _s.study_date, _p.patient_birth_date, _s.attrs)
        .join(schema.patients, _p.id == _s.patient_id_fk)
        .where(_s.study_instance_uid == study_uid)
    ).first()
    if row is None:
        return None
    kinds = (_e.modality, _e.body_part_examined, _i.sop_class_uid)
    parts = tx.execute(
        sa.select(*kinds, sa.func.count())
        .join(schema.instances, _i.series_fk == _e.id)
        .where(_e.study_fk == row.id)
        .group_by(*kinds)
        .order_by(*kinds)
    )
    return Survey(
        patient_id=row.patient_id,
        description=row.study_description,
        study_date=row.study_date,
        birth_date=row.patient_birth_date,
        age=_first(row.attrs, _PATIENT_AGE),
        parts=tuple(Part(*part) for part in parts),
    )


def attributes(tx: sa.Connection, study_uid: str) -> dict[str, Any] | None:
    """What the index keeps of the study and its patient, as DICOM JSON; None when there is no such study."""
    row = tx.execute(
        sa.select(_p.attrs.label("patient"), _s.attrs.label("study"))
        .join(schema.patients, _p.id == _s.patient_id_fk)
        .where(_s.study_instance_uid == study_uid)
    ).first()
    if row is None:
        return None
    return {**orjson.loads(row.patient or b"{}"), **orjson.loads(row.study or b"{}")}


def objects(tx: sa.Connection, study_uid: str) -> Iterator[Object]:
    """All of them, series by series, by number."""
    return (Object(*row) for row in tx.execute(_OBJECTS.where(_s.study_instance_uid == study_uid)))


def named(tx: sa.Connection, study_uid: str, uids: Iterable[str]) -> dict[str, Object]:
    """Those of the study among the SOP Instance UIDs given."""
    wanted = sorted(set(uids))
    found: dict[str, Object] = {}
    for begin in range(0, len(wanted), _AT_ONCE):
        some = _i.sop_instance_uid.in_(wanted[begin : begin + _AT_ONCE])
        for row in tx.execute(_OBJECTS.where(_s.study_instance_uid == study_uid, some)):
            found[row[2]] = Object(*row)
    return found


_OBJECTS: sa.Select[Any] = (
    sa.select(_e.series_instance_uid, _e.modality, _i.sop_instance_uid, _i.sop_class_uid, _i.n_frames)
    .select_from(
        schema.instances.join(schema.series, _e.id == _i.series_fk).join(schema.studies, _s.id == _i.study_fk)
    )
    .order_by(*_IN_ORDER)
)


def _first(attrs: str, tag: str) -> str:
    values = orjson.loads(attrs).get(tag, {}).get("Value") if attrs else None
    return str(values[0]) if values and values[0] is not None else ""

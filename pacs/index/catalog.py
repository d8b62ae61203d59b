"""Record an instance in the caller's transaction: rows, statistics and definers together.

Locks are taken in one order (study, patient, series, instance), so that transactions on the same
study wait for each other instead of dead-locking. They are FOR NO KEY UPDATE: who adds a study
shares its patient's key already (for the foreign key), as may another beside it.

The *definer* of a patient, study or series is the instance first received; its attributes stand
for the whole. That choice depends only on the objects, never on who won a race, so a rebuilt index
says the same.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.db.prepared import Prepared
from pacs.dicom.level import Level
from pacs.index import recompressions, spoken, summary
from pacs.index.entry import Entry

_p, _s, _e, _i, _v = (
    schema.patients.c,
    schema.studies.c,
    schema.series.c,
    schema.instances.c,
    schema.versions.c,
)


@dataclass(frozen=True, slots=True)
class Known:
    """An instance that the index already holds: its bytes at rest, and the digest of what was received."""

    id: int
    digest: str
    prefix_digest: str
    transfer_syntax: str
    size: int
    dataset_offset: int
    study_fk: int
    received_ns: int
    first_received_ns: int
    received_digest: str


class Moved(Exception):
    """Another transaction changed what this one was about to rely on; run it again."""


_KNOWN = Prepared(
    sa.select(
        _i.id,
        _i.digest,
        _i.prefix_digest,
        _i.transfer_syntax,
        _i.size,
        _i.dataset_offset,
        _i.study_fk,
        _i.received_ns,
        _i.first_received_ns,
        recompressions.RECEIVED_DIGEST,
    )
    .select_from(recompressions.BESIDE_INSTANCES)
    .where(_i.sop_instance_uid == sa.bindparam("uid"))
)
# Files that were superseded, by the digest of their bytes at rest.
_FORMER = sa.select(_v.id).where(
    _v.sop_instance_uid == sa.bindparam("uid"), _v.digest == sa.bindparam("of_digest")
)
_STUDY = Prepared(
    sa.select(
        _s.id, _s.patient_id_fk, _s.definer_ns, _s.definer_uid, _s.modalities, _s.sop_classes, _p.patient_key
    )
    .join(schema.patients, _p.id == _s.patient_id_fk)
    .where(_s.study_instance_uid == sa.bindparam("uid"))
    .with_for_update(of=schema.studies, key_share=True)
)
_SERIES = Prepared(
    sa.select(_e.id, _e.study_fk, _e.definer_ns, _e.definer_uid, _e.modality)
    .where(_e.series_instance_uid == sa.bindparam("uid"))
    .with_for_update(key_share=True)
)
_AT_REST = {"transfer_syntax", "size", "dataset_offset", "digest", "prefix_digest", "n_frames", "frames"}
# Not locked here: whoever made the study holds it and will want the patient next.
_PATIENT = Prepared(sa.select(_p.id).where(_p.patient_key == sa.bindparam("key")))
_DEFINED_PATIENT = Prepared(
    sa.select(_p.id, _p.definer_ns, _p.definer_uid)
    .where(_p.id == sa.bindparam("of"))
    .with_for_update(key_share=True)
)
_PATIENT_KEY = Prepared(sa.select(_p.patient_key).where(_p.id == sa.bindparam("of")))


def find(tx: sa.Connection, sop_instance_uid: str) -> Known | None:
    row = _KNOWN.one(tx, {"uid": sop_instance_uid})
    return Known(*tuple(row)) if row else None


def hold(tx: sa.Connection, sop_instance_uid: str) -> Known | None:
    """`find`, with the instance's study locked until the transaction ends. Raises Moved."""
    known = find(tx, sop_instance_uid)
    if known is None:
        return None
    tx.execute(sa.select(_s.id).where(_s.id == known.study_fk).with_for_update(key_share=True))
    now = find(tx, sop_instance_uid)
    if now is None or now.study_fk != known.study_fk:
        raise Moved
    return now


def holds(tx: sa.Connection, known: Known, entry: Entry) -> bool:
    """Whether these very bytes were received before, or lie here, as the current or as a former version."""
    if entry.received_digest in {known.received_digest, known.digest} or rests(tx, known, entry):
        return True
    return recompressions.kept_as(tx, entry.key.instance, entry.received_digest) is not None


def rests(tx: sa.Connection, known: Known, entry: Entry) -> bool:
    """Whether a file of these very bytes is recorded, as the current or as a former version."""
    if known.digest == entry.digest:
        return True
    asked = {"uid": entry.key.instance, "of_digest": entry.digest}
    return tx.execute(_FORMER, asked).first() is not None


def insert(tx: sa.Connection, entry: Entry) -> int | None:
    """Add a new instance; returns its id, or None when its SOP Instance UID is taken by now."""
    study = _locked_study(tx, entry)
    patient = _locked_patient(tx, study.patient_id_fk)
    series, new_series = _locked_series(tx, entry, study.id)
    instance_id = _insert_ignoring(
        tx, schema.instances, instance_row(entry, series.id, study.id), "sop_instance_uid"
    )
    if instance_id is None:
        return None
    _count_patient(tx, entry, patient, new_study=not study.definer_uid, new_series=new_series)
    _count_study(tx, entry, study, instance_id, new_series=new_series)
    _count_series(tx, entry, series, instance_id)
    if _redefines(entry, study, series):
        summary.recompute(tx, study.id)
    return instance_id


def supersede(
    tx: sa.Connection, known: Known, entry: Entry, former_key: str, *, tier: str, offset: int
) -> None:
    """Make `entry` the current version; the former one, which lies at `offset` of `former_key` in
    `tier`, is noted in the versions table."""
    study = _locked_study(tx, entry)
    series, _ = _locked_series(tx, entry, study.id)
    row = instance_row(entry, series.id, study.id)
    row["first_received_ns"] = min(known.first_received_ns, entry.received_ns)
    tx.execute(sa.update(schema.instances).where(_i.id == known.id), row)
    note_version(tx, entry.key.instance, key=former_key, tier=tier, offset=offset, **_as_a_version(known))
    for study_id in sorted({known.study_fk, study.id}):
        summary.recompute(tx, study_id)


def keep_as(tx: sa.Connection, known: Known, entry: Entry) -> None:
    """The same object lies in another form from now on: `entry` tells which and what it was before."""
    values = {name: value for name, value in instance_row(entry, 0, 0).items() if name in _AT_REST}
    tx.execute(sa.update(schema.instances).where(_i.id == known.id).values(values))
    grown = entry.size - known.size
    tx.execute(sa.update(schema.studies).where(_s.id == known.study_fk).values(bytes=_s.bytes + grown))
    mine = sa.select(_i.series_fk).where(_i.id == known.id).scalar_subquery()
    tx.execute(sa.update(schema.series).where(_e.id == mine).values(revision=_e.revision + 1))
    recompressions.note(tx, entry)


def add_former(tx: sa.Connection, known: Known, entry: Entry, key: str, *, tier: str, offset: int) -> None:
    """Keep bytes that are older than the current ones as a former version."""
    note_version(tx, entry.key.instance, key=key, tier=tier, offset=offset, **_as_a_version(entry))
    if entry.received_ns < known.first_received_ns:
        tx.execute(
            sa.update(schema.instances).where(_i.id == known.id).values(first_received_ns=entry.received_ns)
        )
        summary.recompute(tx, known.study_fk)


def note_version(tx: sa.Connection, sop_instance_uid: str, **values: Any) -> None:
    tx.execute(sa.insert(schema.versions), {"sop_instance_uid": sop_instance_uid, **values})


def _as_a_version(one: Known | Entry) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "prefix_digest": one.prefix_digest,
        "transfer_syntax": one.transfer_syntax,
        "size": one.size,
        "dataset_offset": one.dataset_offset,
        "received_ns": one.received_ns,
    }


def home(tx: sa.Connection, entry: Entry) -> tuple[int, int]:
    """Ids of the study and the series that the instance belongs to, which are made when they are not
    there; the study is locked. Recompute it afterwards. Raises Moved."""
    study = _locked_study(tx, entry)
    series, _ = _locked_series(tx, entry, study.id)
    return study.id, series.id


def _locked_study(tx: sa.Connection, entry: Entry) -> Any:
    row = _STUDY.one(tx, {"uid": entry.key.study})
    if row:
        return row
    patient_row = {"patient_key": entry.patient_key, **entry.levels[Level.PATIENT]}
    created = _insert_ignoring(tx, schema.patients, patient_row, "patient_key")
    if created is not None:
        spoken.note(tx, Level.PATIENT, created, patient_row, new=True)
    patient = _PATIENT.one(tx, {"key": entry.patient_key})
    if patient is None:
        raise Moved
    values = {"patient_id_fk": patient.id, **entry.levels[Level.STUDY]}
    created = _insert_ignoring(tx, schema.studies, values, "study_instance_uid")
    if created is not None:
        spoken.note(tx, Level.STUDY, created, values, new=True)
    row = _STUDY.one(tx, {"uid": entry.key.study})
    if row is None:
        raise Moved
    return row


def _locked_patient(tx: sa.Connection, patient_id: int) -> Any:
    row = _DEFINED_PATIENT.one(tx, {"of": patient_id})
    if row is None:
        raise Moved
    return row


def _locked_series(tx: sa.Connection, entry: Entry, study_id: int) -> tuple[Any, bool]:
    """The series row and whether it is new. A Series Instance UID that stands in another study is
    a mistake of its maker (PS3.3 C.7.3.1 makes it unique); the series keeps its first study."""
    row = _SERIES.one(tx, {"uid": entry.key.series})
    if row:
        return row, False
    values = {"study_fk": study_id, **entry.levels[Level.SERIES]}
    created = _insert_ignoring(tx, schema.series, values, "series_instance_uid")
    if created is not None:
        spoken.note(tx, Level.SERIES, created, values, new=True)
    row = _SERIES.one(tx, {"uid": entry.key.series})
    if row is None:
        raise Moved
    return row, created is not None


def instance_row(entry: Entry, series_id: int, study_id: int) -> dict[str, Any]:
    return {
        "series_fk": series_id,
        "study_fk": study_id,
        **entry.levels[Level.IMAGE],
        "transfer_syntax": entry.transfer_syntax,
        "size": entry.size,
        "dataset_offset": entry.dataset_offset,
        "digest": entry.digest,
        "prefix_digest": entry.prefix_digest,
        "n_frames": entry.n_frames,
        "frames": entry.frames,
        "json": entry.json,
        "first_received_ns": entry.received_ns,
        "received_ns": entry.received_ns,
    }


def _insert_ignoring(tx: sa.Connection, table: sa.Table, values: dict[str, Any], unique: str) -> int | None:
    """INSERT ... ON CONFLICT DO NOTHING; the new id, or None when the row was there."""
    row = _inserting(table, unique).one(tx, values)
    return int(row[0]) if row else None


@cache
def _inserting(table: sa.Table, unique: str) -> Prepared:
    statements = {
        name: dialect.insert(table).on_conflict_do_nothing(index_elements=[unique]).returning(table.c.id)
        for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
    }
    return Prepared(statements["sqlite"], **statements)


def _update(
    tx: sa.Connection, table: sa.Table, row_id: int, to: dict[str, Any], more: dict[str, int] | None = None
) -> None:
    """Set the columns of one row `to` these values, and count `more` in others."""
    more = more or {}
    values = {f"to_{name}": value for name, value in to.items()}
    values |= {f"more_{name}": number for name, number in more.items()}
    _updating(table, tuple(to), tuple(more)).run(tx, {"of": row_id, **values})


@cache
def _updating(table: sa.Table, to: tuple[str, ...], more: tuple[str, ...]) -> Prepared:
    changes: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in to}
    changes |= {name: table.c[name] + sa.bindparam(f"more_{name}") for name in more}
    return Prepared(sa.update(table).where(table.c.id == sa.bindparam("of")).values(changes))


def _earlier(entry: Entry, row: Any) -> bool:
    """Whether this instance defines its parent from now on."""
    return not row.definer_uid or (entry.received_ns, entry.key.instance) < (row.definer_ns, row.definer_uid)


def _definition(entry: Entry, level: Level, instance_id: int | None) -> dict[str, Any]:
    values = {
        "definer_ns": entry.received_ns,
        "definer_uid": entry.key.instance,
        **entry.levels[level],
    }
    return values if instance_id is None else {"definer_fk": instance_id, **values}


def _count_patient(tx: sa.Connection, entry: Entry, row: Any, *, new_study: bool, new_series: bool) -> None:
    more = {"n_studies": int(new_study), "n_series": int(new_series), "n_instances": 1}
    to: dict[str, Any] = {}
    if _earlier(entry, row) and _PATIENT_KEY.one(tx, {"of": row.id})[0] == entry.patient_key:
        to = _definition(entry, Level.PATIENT, None)
        _speak(tx, entry, row, Level.PATIENT)
    _update(tx, schema.patients, row.id, to, more)


def _count_study(tx: sa.Connection, entry: Entry, row: Any, instance_id: int, *, new_series: bool) -> None:
    more = {"n_series": int(new_series), "n_instances": 1, "bytes": entry.size}
    to: dict[str, Any] = {
        "updated_ns": entry.received_ns,
        "modalities": summary.joined(
            {*summary.parted(row.modalities), entry.levels[Level.SERIES]["modality"]}
        )
        if new_series
        else row.modalities,
        "sop_classes": summary.joined({*summary.parted(row.sop_classes), entry.sop_class}),
    }
    if _earlier(entry, row):
        to |= _definition(entry, Level.STUDY, instance_id)
        _speak(tx, entry, row, Level.STUDY)
    _update(tx, schema.studies, row.id, to, more)


def _count_series(tx: sa.Connection, entry: Entry, row: Any, instance_id: int) -> None:
    to: dict[str, Any] = {"updated_ns": entry.received_ns}
    if _earlier(entry, row):
        to |= _definition(entry, Level.SERIES, instance_id)
        _speak(tx, entry, row, Level.SERIES)
    _update(tx, schema.series, row.id, to, {"n_instances": 1, "revision": 1})


def _speak(tx: sa.Connection, entry: Entry, row: Any, level: Level) -> None:
    """The names of a new definer; those of the first one were noted when the row was made."""
    if row.definer_uid:
        spoken.note(tx, level, row.id, entry.levels[level], new=False)


def _redefines(entry: Entry, study: Any, series: Any) -> bool:
    """Whether a new definer changes more than its own rows: the patient, or the study's modalities.
    A series that stands in another study makes the sums unsafe as well."""
    if series.study_fk != study.id:
        return True
    if study.definer_uid and _earlier(entry, study) and study.patient_key != entry.patient_key:
        return True
    return bool(
        series.definer_uid
        and _earlier(entry, series)
        and series.modality != entry.levels[Level.SERIES]["modality"]
    )

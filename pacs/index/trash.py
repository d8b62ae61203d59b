"""From the index to the trash and back, in the caller's transaction; no byte moves.

What is in the trash is in none of the tables that are searched or read from, so that it is gone for
every wire at once, and the statistics of what is left are counted anew. Locks are taken on the study
first, as ingest does.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Transaction
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.index import catalog, deletions, recompressions, summary
from pacs.index import entry as entries
from pacs.index.deletions import Deletion, State
from pacs.index.entry import Entry

_p, _s, _e, _i = schema.patients.c, schema.studies.c, schema.series.c, schema.instances.c
_v, _l, _r = schema.versions.c, schema.locations.c, schema.recompressions.c
_t, _at, _d = schema.trash.c, schema.trash_places.c, schema.deletions.c
_AT_ONCE: Final = 500
_SAME = ("transfer_syntax", "size", "dataset_offset", "digest", "prefix_digest", "received_ns")
_WHOLE = ("n_frames", "frames", "json", "first_received_ns", "sop_instance_uid", "sop_class_uid")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to delete: a study, one of its series, or one of that series' instances; and why."""

    study: str
    series: str = ""
    instance: str = ""
    reason: str = ""

    @property
    def level(self) -> Level:
        return Level.IMAGE if self.instance else Level.SERIES if self.series else Level.STUDY


def throw(tx: Transaction, asked: Asked, actor: str, origin: str) -> Deletion | None:
    """Everything that is asked for, with its former versions; None when there is no such thing."""
    study = tx.execute(
        sa.select(_s.id, _p.patient_id)
        .join(schema.patients, _p.id == _s.patient_id_fk)
        .where(_s.study_instance_uid == asked.study)
        .with_for_update(of=schema.studies, key_share=True)
    ).first()
    if study is None:
        return None
    chosen = _chosen(asked, study.id)
    if tx.execute(sa.select(sa.func.count()).select_from(chosen.subquery())).scalar_one() == 0:
        return None
    one = deletions.add(
        tx,
        {
            "name": secrets.token_hex(16),
            "level": asked.level.name,
            "study_uid": asked.study,
            "series_uid": asked.series,
            "sop_instance_uid": asked.instance,
            "patient_id": study.patient_id,
            "actor": actor,
            "origin": origin,
            "reason": asked.reason,
            "state": State.TRASHED,
        },
    )
    _copy_current(tx, one, chosen)
    _copy_former(tx, one)
    _remove(tx, chosen, one)
    summary.recompute(tx, study.id)
    summary.touch(tx, study.id, one.at_ns)
    return _counted(tx, one)


def put_back(tx: Transaction, one: Deletion) -> int:
    """What has not arrived anew since is current again; what has, with other bytes, becomes a former
    version of it. Files that are here twice then stay in the trash: let them go. Returns how many
    files are back. Raises catalog.Moved."""
    studies: set[int] = set()
    back = 0
    for rows in _pieces(tx, one, current=1):
        back += _put_current(tx, rows, studies)
    for rows in _pieces(tx, one, current=0):
        back += _put_former(tx, rows)
    for study_id in sorted(studies):
        summary.recompute(tx, study_id)
        summary.touch(tx, study_id, clock.now_ns())
    return back


def _chosen(asked: Asked, study_id: int) -> sa.Select[Any]:
    query = sa.select(_i.id).where(_i.study_fk == study_id)
    if asked.series:
        query = query.join(schema.series, _e.id == _i.series_fk).where(_e.series_instance_uid == asked.series)
    return query.where(_i.sop_instance_uid == asked.instance) if asked.instance else query


def _copy_current(tx: Transaction, one: Deletion, chosen: sa.Select[Any]) -> None:
    beside = recompressions.BESIDE_INSTANCES.join(schema.series, _e.id == _i.series_fk).join(
        schema.studies, _s.id == _i.study_fk
    )
    _insert(
        tx,
        schema.trash,
        sa.select(
            sa.literal(one.id).label("deletion_fk"),
            _s.study_instance_uid.label("study_uid"),
            _e.series_instance_uid.label("series_uid"),
            sa.literal(1).label("current"),
            recompressions.RECEIVED_DIGEST.label("received_digest"),
            *(_i[name] for name in (*_SAME, *_WHOLE)),
        )
        .select_from(beside)
        .where(_i.id.in_(chosen)),
    )
    _insert(
        tx,
        schema.trash_places,
        sa.select(_t.id.label("trash_fk"), _l.tier, _l.key, _l.offset, _l.length)
        .select_from(
            schema.locations.join(schema.instances, _i.id == _l.instance_fk).join(
                schema.trash, _t.sop_instance_uid == _i.sop_instance_uid
            )
        )
        .where(_t.deletion_fk == one.id),
    )


def _copy_former(tx: Transaction, one: Deletion) -> None:
    beside = schema.versions.join(
        schema.trash, sa.and_(_t.sop_instance_uid == _v.sop_instance_uid, _t.deletion_fk == one.id)
    ).outerjoin(
        schema.recompressions,
        sa.and_(_r.sop_instance_uid == _v.sop_instance_uid, _r.digest == _v.digest),
    )
    received = sa.func.coalesce(sa.func.nullif(_r.received_digest, ""), _v.digest)
    _insert(
        tx,
        schema.trash,
        sa.select(
            _t.deletion_fk,
            _t.study_uid,
            _t.series_uid,
            _t.sop_instance_uid,
            _t.sop_class_uid,
            sa.literal(0).label("current"),
            received.label("received_digest"),
            *(_v[name] for name in _SAME),
        ).select_from(beside),
    )
    same = sa.and_(
        _t.sop_instance_uid == _v.sop_instance_uid, _t.digest == _v.digest, _t.received_ns == _v.received_ns
    )
    _insert(
        tx,
        schema.trash_places,
        sa.select(_t.id.label("trash_fk"), _v.tier, _v.key, _v.offset, _v.size.label("length"))
        .select_from(schema.versions.join(schema.trash, same))
        .where(_t.deletion_fk == one.id, _t.current == 0),
    )


def _remove(tx: Transaction, chosen: sa.Select[Any], one: Deletion) -> None:
    thrown = sa.select(_t.sop_instance_uid).where(_t.deletion_fk == one.id)
    tx.execute(sa.delete(schema.locations).where(_l.instance_fk.in_(chosen)))
    tx.execute(sa.delete(schema.versions).where(_v.sop_instance_uid.in_(thrown)))
    tx.execute(sa.delete(schema.instances).where(_i.sop_instance_uid.in_(thrown)))


def _insert(tx: Transaction, table: sa.Table, query: sa.Select[Any]) -> None:
    tx.execute(sa.insert(table).from_select([column.name for column in query.selected_columns], query))


def _counted(tx: Transaction, one: Deletion) -> Deletion:
    here = _t.deletion_fk == one.id
    count = sa.func.coalesce(sa.cast(sa.func.sum(_t.current), sa.BigInteger), 0)
    size = sa.func.coalesce(sa.cast(sa.func.sum(_t.size), sa.BigInteger), 0)
    values = tx.execute(sa.select(count, size).where(here)).one()
    tx.execute(
        sa.update(schema.deletions).where(_d.id == one.id).values(n_instances=values[0], bytes=values[1])
    )
    found = deletions.get(tx, one.name)
    return one if found is None else found


def _pieces(tx: Transaction, one: Deletion, *, current: int) -> Iterator[Sequence[Any]]:
    last = 0
    while True:
        rows = tx.execute(
            sa.select(schema.trash)
            .where(_t.deletion_fk == one.id, _t.current == current, _t.id > last)
            .order_by(_t.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _put_current(tx: Transaction, rows: Sequence[Any], studies: set[int]) -> int:
    uids = [row.sop_instance_uid for row in rows]
    taken = {
        row[0]: row[1]
        for row in tx.execute(
            sa.select(_i.sop_instance_uid, _i.study_fk).where(_i.sop_instance_uid.in_(uids))
        )
    }
    homes: dict[str, tuple[int, int]] = {}
    values = []
    for row in rows:
        if row.sop_instance_uid in taken:
            continue
        entry = _entry(row)
        if row.series_uid not in homes:
            homes[row.series_uid] = catalog.home(tx, entry)
        study_id, series_id = homes[row.series_uid]
        values.append(
            catalog.instance_row(entry, series_id, study_id) | {"first_received_ns": row.first_received_ns}
        )
    if values:
        tx.execute(sa.insert(schema.instances), values)
    back = [row for row in rows if row.sop_instance_uid not in taken]
    _put_places(tx, [row.id for row in back])
    studies |= {study_id for study_id, _ in homes.values()} | set(taken.values())
    _drop(tx, [row.id for row in back])
    return len(back) + _put_former(tx, [row for row in rows if row.sop_instance_uid in taken])


def _put_places(tx: Transaction, ids: Sequence[int]) -> None:
    _insert(
        tx,
        schema.locations,
        sa.select(_i.id.label("instance_fk"), _at.tier, _at.key, _at.offset, _at.length)
        .select_from(
            schema.trash_places.join(schema.trash, _t.id == _at.trash_fk).join(
                schema.instances, _i.sop_instance_uid == _t.sop_instance_uid
            )
        )
        .where(_t.id.in_(ids))
        .order_by(_at.id),
    )


def _put_former(tx: Transaction, rows: Sequence[Any]) -> int:
    """As versions of what is current; not what is here already."""
    back = []
    for row in rows:
        known = catalog.find(tx, row.sop_instance_uid)
        place = tx.execute(sa.select(schema.trash_places).where(_at.trash_fk == row.id)).first()
        if known is None or place is None or _is_here(tx, known, row):
            continue
        same = {name: getattr(row, name) for name in _SAME}
        catalog.note_version(
            tx, row.sop_instance_uid, key=place.key, tier=place.tier, offset=place.offset, **same
        )
        back.append(row.id)
    _drop(tx, back)
    return len(back)


def _is_here(tx: Transaction, known: catalog.Known, row: Any) -> bool:
    if row.received_digest in {known.digest, known.received_digest} or row.digest == known.digest:
        return True
    return recompressions.is_former(tx, row.sop_instance_uid, row.digest)


def _drop(tx: Transaction, ids: Sequence[int]) -> None:
    tx.execute(sa.delete(schema.trash_places).where(_at.trash_fk.in_(ids)))
    tx.execute(sa.delete(schema.trash).where(_t.id.in_(ids)))


def _entry(row: Any) -> Entry:
    """The index entry again, from the stored JSON."""
    encoded = entries.reopen(row.json)
    return Entry(
        key=InstanceKey(row.study_uid, row.series_uid, row.sop_instance_uid),
        sop_class=row.sop_class_uid,
        transfer_syntax=row.transfer_syntax,
        size=row.size,
        dataset_offset=row.dataset_offset,
        digest=row.digest,
        prefix_digest=row.prefix_digest,
        received_ns=row.received_ns,
        n_frames=row.n_frames,
        frames=row.frames,
        json=row.json,
        patient_key=entries.patient_key(encoded, row.study_uid),
        levels={level: entries.level_row(encoded, level) for level in Level},
    )

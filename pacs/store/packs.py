"""Packs, what lies in them, and evictions under way: rows of packs, evictions and locations.

A row of the locations table in the cold tier is written only after its pack was read back and found
right, and every location of an instance holds its current bytes. So whoever finds both a hot and a
cold row may let the hot one go. Locks are taken on the study first, as ingest does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged
from pacs.store import layout, locations
from pacs.store.locations import Location
from pacs.store.pack import Member, Pack

_s, _e, _i = schema.studies.c, schema.series.c, schema.instances.c
_l, _p, _x, _v = schema.locations.c, schema.packs.c, schema.evictions.c, schema.versions.c
_t, _at, _d = schema.trash.c, schema.trash_places.c, schema.deletions.c
_hot = schema.locations.alias("hot")
_cold = schema.locations.alias("cold")
_PIECE = 500  # rows in one statement
_LATEST = 2**63 - 1

_MEMBER = (_i.sop_instance_uid, _i.size, _i.dataset_offset, _i.digest, _i.prefix_digest, _i.received_ns)
_PLACED = (
    schema.instances.join(schema.series, _e.id == _i.series_fk)
    .join(schema.studies, _s.id == _i.study_fk)
    .outerjoin(_hot, sa.and_(_hot.c.instance_fk == _i.id, _hot.c.tier == layout.HOT))
    .outerjoin(_cold, sa.and_(_cold.c.instance_fk == _i.id, _cold.c.tier == layout.COLD))
)
_IN_TRASH = (
    sa.select(*(_t[column.name] for column in _MEMBER), _at.offset)
    .select_from(
        schema.trash_places.join(schema.trash, _t.id == _at.trash_fk).join(
            schema.deletions, _d.id == _t.deletion_fk
        )
    )
    .where(_at.tier == layout.COLD, _d.state != "purged")
)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An instance that lies on the hot tier only."""

    member: Member
    hot_key: str


@dataclass(frozen=True, slots=True)
class ColdOnly:
    """An instance that lies on the cold tier only."""

    id: int
    study: str
    series: str
    member: Member
    location: Location


@dataclass(frozen=True, slots=True)
class Known:
    """A pack; `verified_ns` is 0 until it was read back and found right."""

    key: str
    size: int
    verified_ns: int


def series_to_pack(tx: Transaction, study: str) -> list[str]:
    """Series of a study with instances on the hot tier only."""
    rows = tx.execute(
        sa.select(_e.series_instance_uid)
        .select_from(_PLACED)
        .where(_s.study_instance_uid == study, _hot.c.id.is_not(None), _cold.c.id.is_(None))
        .distinct()
        .order_by(_e.series_instance_uid)
    )
    return [str(row[0]) for row in rows]


def unpacked(tx: Transaction, study: str, series: str) -> list[Unpacked]:
    """In the order in which they are looked at."""
    rows = tx.execute(
        sa.select(*_MEMBER, _hot.c.key)
        .select_from(_PLACED)
        .where(
            _s.study_instance_uid == study,
            _e.series_instance_uid == series,
            _hot.c.id.is_not(None),
            _cold.c.id.is_(None),
        )
        .order_by(sa.func.coalesce(_i.instance_number, sa.literal(2**62, sa.BigInteger)), _i.sop_instance_uid)
    )
    return [Unpacked(Member(*row[:6]), str(row[6])) for row in rows]


def begin(tx: Transaction, pack: Pack, owner: str, now_ns: int, until_ns: int) -> bool:
    """Write the pack down and claim it; False while another has it. A claim ends by itself."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    tx.execute(
        dialect.insert(schema.packs).on_conflict_do_nothing(index_elements=["key"]),
        {
            "key": pack.key,
            "study_uid": pack.study,
            "series_uid": pack.series,
            "size": pack.size,
            "begun_ns": now_ns,
        },
    )
    claimed = tx.execute(
        sa.update(schema.packs)
        .where(_p.key == pack.key, sa.or_(_p.claimed_until_ns <= now_ns, _p.claimed_by == owner))
        .values(claimed_by=owner, claimed_until_ns=until_ns, size=pack.size)
    )
    return bool(claimed.rowcount)


def claim_until(tx: Transaction, key: str, owner: str, until_ns: int) -> bool:
    """Lengthen a claim, or with 0 give it up; False and nothing if it is another's by now."""
    mine = sa.update(schema.packs).where(_p.key == key, _p.claimed_by == owner)
    return bool(tx.execute(mine.values(claimed_until_ns=until_ns)).rowcount)


def is_claimed(tx: Transaction, study: str, series: str, now_ns: int) -> bool:
    """Whether somebody is packing instances of this series just now."""
    query = sa.select(_p.id).where(
        _p.study_uid == study, _p.series_uid == series, _p.claimed_until_ns > now_ns
    )
    return tx.execute(query.limit(1)).first() is not None


def record(tx: Transaction, pack: Pack, now_ns: int) -> int:
    """Every member that is still what was packed lies there too from now on; returns how many that
    are. What was superseded meanwhile is left out."""
    _lock(tx, pack.study)
    found = {
        row.sop_instance_uid: row
        for row in tx.execute(
            sa.select(_i.id, *_MEMBER, _cold.c.id.label("cold"))
            .select_from(_PLACED)
            .where(_s.study_instance_uid == pack.study, _e.series_instance_uid == pack.series)
        )
    }
    rows = []
    for placed in pack.placed:
        row = found.get(placed.member.instance)
        if row is not None and row.cold is None and Member(*row[1:7]) == placed.member:
            rows.append(
                {
                    "instance_fk": row.id,
                    "tier": layout.COLD,
                    "key": pack.key,
                    "offset": placed.offset,
                    "length": placed.member.size,
                }
            )
    if rows:
        tx.execute(sa.insert(schema.locations), rows)
    tx.execute(sa.update(schema.packs).where(_p.key == pack.key).values(verified_ns=now_ns))
    return len(rows)


def evictable(tx: Transaction, study: str, verified_before_ns: int) -> list[Known]:
    """Verified packs of a study whose members lie on the hot tier as well."""
    rows = tx.execute(
        sa.select(_p.key, _p.size, _p.verified_ns)
        .where(
            _p.study_uid == study,
            _p.verified_ns > 0,
            _p.verified_ns <= verified_before_ns,
            sa.exists(
                sa.select(_cold.c.id)
                .join(_hot, sa.and_(_hot.c.instance_fk == _cold.c.instance_fk, _hot.c.tier == layout.HOT))
                .where(_cold.c.tier == layout.COLD, _cold.c.key == _p.key)
            ),
        )
        .order_by(_p.key)
    )
    return [Known(*row) for row in rows]


def evict(tx: Transaction, study: str, pack_key: str) -> int:
    """Forget the hot place of every instance that lies in this verified pack, and note the files as
    to be removed; returns how many bytes that will free."""
    _lock(tx, study)
    rows = tx.execute(
        sa.select(_hot.c.id, _hot.c.key, _hot.c.length)
        .join(_cold, sa.and_(_cold.c.instance_fk == _hot.c.instance_fk, _cold.c.tier == layout.COLD))
        .join(schema.packs, sa.and_(_p.key == _cold.c.key, _p.verified_ns > 0))
        .where(_hot.c.tier == layout.HOT, _cold.c.key == pack_key)
    ).all()
    for piece in _pieces(rows):
        tx.execute(sa.delete(schema.locations).where(_l.id.in_([row.id for row in piece])))
        for row in piece:
            leave(tx, row.key)
    return sum(row.length for row in rows)


def leave(tx: Transaction, key: str, due_ns: int = 0) -> None:
    """Note that a hot file, which no row names any more, is to be removed when `due_ns` has come."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(schema.evictions).values(key=key, due_ns=due_ns)
    tx.execute(statement.on_conflict_do_nothing(index_elements=["key"]))


def evicting(db: Database, due_ns: int = _LATEST) -> Iterator[str]:
    """Keys of hot files that no row names any more but that may still be there, those that are to go
    by `due_ns`."""
    for row in paged(db, sa.select(_x.id, _x.key).where(_x.due_ns <= due_ns), _x.id):
        yield row.key


def is_evicting(tx: Transaction, key: str) -> bool:
    return tx.execute(sa.select(_x.id).where(_x.key == key)).first() is not None


def finish_eviction(tx: Transaction, key: str, remove: Callable[[], bool]) -> bool:
    """Remove the file and its note together; False when somebody else did, or has to come first.

    `remove` is called only when nobody records the file; it says whether it is gone. The note's
    row is locked meanwhile, so the name cannot be given to another file and then removed."""
    noted = tx.execute(sa.select(_x.id).where(_x.key == key).with_for_update()).first()
    if noted is None or not remove():
        return False
    tx.execute(sa.delete(schema.evictions).where(_x.id == noted.id))
    return True


def distrust(tx: Transaction, study: str, pack_key: str) -> int:
    """The pack is not what it was: forget its copies of everything that lies on the hot tier, so
    that these are packed anew. Returns how many."""
    _lock(tx, study)
    hot = sa.select(_hot.c.instance_fk).where(_hot.c.tier == layout.HOT)
    gone = tx.execute(
        sa.delete(schema.locations).where(_l.tier == layout.COLD, _l.key == pack_key, _l.instance_fk.in_(hot))
    )
    tx.execute(sa.update(schema.packs).where(_p.key == pack_key).values(verified_ns=0))
    return gone.rowcount


def cold_only(tx: Transaction, study: str) -> list[ColdOnly]:
    """In the order in which they lie in their packs."""
    rows = tx.execute(
        sa.select(
            _i.id, _s.study_instance_uid, _e.series_instance_uid, *_MEMBER,
            _cold.c.tier, _cold.c.key, _cold.c.offset, _cold.c.length,
        )
        .select_from(_PLACED)
        .where(_s.study_instance_uid == study, _hot.c.id.is_(None), _cold.c.id.is_not(None))
        .order_by(_cold.c.key, _cold.c.offset)
    )  # fmt: skip
    return [ColdOnly(*row[:3], Member(*row[3:9]), Location(*row[9:13])) for row in rows]


def recalled(tx: Transaction, item: ColdOnly, location: Location) -> bool:
    """The instance lies on the hot tier again; False when it does already or has other bytes now."""
    _lock(tx, item.study)
    row = tx.execute(
        sa.select(*_MEMBER, _hot.c.id.label("hot")).select_from(_PLACED).where(_i.id == item.id)
    ).first()
    if row is None or row.hot is not None or Member(*row[:6]) != item.member:
        return False
    locations.add(tx, item.id, location)
    return True


def known(db: Database) -> Iterator[Known]:
    """Every pack that was begun."""
    for row in paged(db, sa.select(_p.id, _p.key, _p.size, _p.verified_ns), _p.id):
        yield Known(*row[1:])


def is_known(tx: Transaction, pack_key: str) -> bool:
    return tx.execute(sa.select(_p.id).where(_p.key == pack_key)).first() is not None


def holds(tx: Transaction, pack_key: str) -> bool:
    """Whether anything lies in it that is wanted: shown, kept as a former version, or restorable."""
    shown = sa.select(_l.id).where(_l.tier == layout.COLD, _l.key == pack_key)
    former = sa.select(_v.id).where(_v.tier == layout.COLD, _v.key == pack_key)
    trashed = _IN_TRASH.with_only_columns(_at.id).where(_at.key == pack_key)
    return any(tx.execute(query.limit(1)).first() for query in (shown, former, trashed))


def members(tx: Transaction, pack_key: str) -> list[tuple[Member, int]]:
    """What the index says lies in a pack, and where; also what could be restored from it."""
    shown = (
        sa.select(*_MEMBER, _l.offset)
        .join(schema.instances, _i.id == _l.instance_fk)
        .where(_l.tier == layout.COLD, _l.key == pack_key)
    )
    trashed = _IN_TRASH.where(_at.key == pack_key)
    rows = [row for query in (shown, trashed) for row in tx.execute(query)]
    return sorted(((Member(*row[:6]), row[6]) for row in rows), key=lambda found: found[1])


def of_study(tx: Transaction, study: str, series: str = "") -> tuple[str, ...]:
    """Keys of all packs that were begun for a study, or for one of its series."""
    query = sa.select(_p.key).where(_p.study_uid == study).order_by(_p.key)
    return tuple(tx.execute(query.where(_p.series_uid == series) if series else query).scalars())


def claim_unwanted(tx: Transaction, pack_key: str, owner: str, now_ns: int, until_ns: int) -> bool:
    """Claim a pack that holds nothing anybody wants; False for another, or while somebody has it."""
    study = tx.execute(sa.select(_p.study_uid).where(_p.key == pack_key)).scalar_one_or_none()
    if study is None:
        return False
    _lock(tx, study)
    if holds(tx, pack_key):
        return False
    claimed = tx.execute(
        sa.update(schema.packs)
        .where(_p.key == pack_key, _p.claimed_until_ns <= now_ns)
        .values(claimed_by=owner, claimed_until_ns=until_ns)
    )
    return bool(claimed.rowcount)


def forget(tx: Transaction, pack_key: str) -> None:
    """Of a pack that is there no more."""
    tx.execute(sa.delete(schema.packs).where(_p.key == pack_key))


def _lock(tx: Transaction, study: str) -> None:
    tx.execute(sa.select(_s.id).where(_s.study_instance_uid == study).with_for_update(key_share=True))


def _pieces(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _PIECE):
        yield rows[begin : begin + _PIECE]

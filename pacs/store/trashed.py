"""Where the bytes lie of what is in the trash, and how they go: rows of trash_places.

A hot file goes by a note of `packs.leave`, as every file does that no row names any more. What is
inside a pack goes with the pack, when nothing else in it is wanted.
"""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged
from pacs.store import layout, packs
from pacs.store.locations import Location

LEAVING: Final = "leaving"
"""The place of a purged hot file that may not have been removed yet."""

_at, _t, _x, _d = schema.trash_places.c, schema.trash.c, schema.evictions.c, schema.deletions.c


def lies(tx: Transaction, trash_id: int, place: Location) -> None:
    """A file of the trash lies there."""
    values = {"tier": place.tier, "key": place.key, "offset": place.offset, "length": place.length}
    tx.execute(sa.insert(schema.trash_places), {"trash_fk": trash_id, **values})


def leave(tx: Transaction, deletion_id: int) -> None:
    """The hot files of a deletion are to be removed; what lies in packs stays accounted for, without
    what tells of a patient."""
    mine = _at.trash_fk.in_(_of(deletion_id))
    for key in tx.execute(sa.select(_at.key).where(mine, _at.tier == layout.HOT)).scalars().all():
        packs.leave(tx, key)
    tx.execute(sa.update(schema.trash_places).where(mine, _at.tier == layout.HOT).values(tier=LEAVING))
    nothing = {"json": None, "frames": None, "n_frames": 0}
    tx.execute(sa.update(schema.trash).where(_t.deletion_fk == deletion_id).values(nothing))
    _sweep(tx, deletion_id)


def settle(tx: Transaction, deletion_id: int) -> None:
    """Forget the files that are gone by now."""
    waiting = sa.select(_x.key)
    tx.execute(
        sa.delete(schema.trash_places).where(
            _at.trash_fk.in_(_of(deletion_id)), _at.tier == LEAVING, _at.key.not_in(waiting)
        )
    )
    _sweep(tx, deletion_id)


def let_go(tx: Transaction, deletion_id: int) -> None:
    """Nothing of the deletion is needed any more: its hot files go, its places are forgotten."""
    mine = _at.trash_fk.in_(_of(deletion_id))
    for key in tx.execute(sa.select(_at.key).where(mine, _at.tier == layout.HOT)).scalars().all():
        packs.leave(tx, key)
    tx.execute(sa.delete(schema.trash_places).where(mine))
    _sweep(tx, deletion_id)


def forget_pack(tx: Transaction, pack_key: str) -> None:
    tx.execute(sa.delete(schema.trash_places).where(_at.tier == layout.COLD, _at.key == pack_key))


def lost(db: Database) -> Iterator[str]:
    """SOP Instance UIDs that could be restored if their bytes lay anywhere."""
    query = (
        sa.select(_t.id, _t.sop_instance_uid)
        .join(schema.deletions, _d.id == _t.deletion_fk)
        .where(_d.state == "trashed", ~sa.exists().where(_at.trash_fk == _t.id))
    )
    for row in paged(db, query, _t.id):
        yield row.sop_instance_uid


def dead_bytes(tx: Transaction, deletion_id: int = 0) -> int:
    """Bytes of purged objects, of this deletion or of all, that still lie inside packs."""
    total = sa.cast(sa.func.coalesce(sa.func.sum(_at.length), 0), sa.BigInteger)
    query = (
        sa.select(total)
        .select_from(
            schema.trash_places.join(schema.trash, _t.id == _at.trash_fk).join(
                schema.deletions, _d.id == _t.deletion_fk
            )
        )
        .where(_at.tier == layout.COLD, _d.state == "purged")
    )
    if deletion_id:
        query = query.where(_d.id == deletion_id)
    return int(tx.execute(query).scalar_one())


def _of(deletion_id: int) -> sa.Select[tuple[int]]:
    return sa.select(_t.id).where(_t.deletion_fk == deletion_id)


def _sweep(tx: Transaction, deletion_id: int) -> None:
    """What lies nowhere any more is in the trash no more."""
    nowhere = ~sa.exists().where(_at.trash_fk == _t.id)
    tx.execute(sa.delete(schema.trash).where(_t.deletion_fk == deletion_id, nowhere))

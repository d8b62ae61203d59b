"""Where the bytes of an instance lie: rows of the locations table."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.connection import Database, paged
from pacs.db.prepared import Prepared
from pacs.store import layout


@dataclass(frozen=True, slots=True)
class Location:
    """`length` bytes at `offset` of the object named `key` in a tier."""

    tier: str
    key: str
    offset: int
    length: int


_INSERT = Prepared(sa.insert(schema.locations))
_CURRENT = Prepared(
    sa.select(
        schema.locations.c.tier, schema.locations.c.key, schema.locations.c.offset, schema.locations.c.length
    )
    .join(schema.instances, schema.instances.c.id == schema.locations.c.instance_fk)
    .where(
        schema.instances.c.sop_instance_uid == sa.bindparam("uid"),
        schema.instances.c.digest == sa.bindparam("sha256"),
    )
    .order_by(schema.locations.c.id)
)
_OF_MANY = (
    sa.select(
        schema.instances.c.sop_instance_uid,
        schema.instances.c.digest,
        schema.locations.c.tier,
        schema.locations.c.key,
        schema.locations.c.offset,
        schema.locations.c.length,
    )
    .join(schema.instances, schema.instances.c.id == schema.locations.c.instance_fk)
    .where(schema.instances.c.sop_instance_uid.in_(sa.bindparam("uids", expanding=True)))
    .order_by(schema.locations.c.id)
)
_FORMER = Prepared(
    sa.select(
        schema.versions.c.tier, schema.versions.c.key, schema.versions.c.offset, schema.versions.c.size
    ).where(
        schema.versions.c.sop_instance_uid == sa.bindparam("uid"),
        schema.versions.c.digest == sa.bindparam("sha256"),
    )
)
_BY_KEY = sa.select(schema.locations.c.id).where(
    schema.locations.c.tier == sa.bindparam("tier"), schema.locations.c.key == sa.bindparam("key")
)
_VERSION_BY_KEY = sa.select(schema.versions.c.id).where(
    schema.versions.c.tier == sa.bindparam("tier"), schema.versions.c.key == sa.bindparam("key")
)
_TRASH_BY_KEY = sa.select(schema.trash_places.c.id).where(
    schema.trash_places.c.tier == sa.bindparam("tier"), schema.trash_places.c.key == sa.bindparam("key")
)


def add(tx: sa.Connection, instance_id: int, location: Location) -> None:
    _INSERT.run(
        tx,
        {
            "instance_fk": instance_id,
            "tier": location.tier,
            "key": location.key,
            "offset": location.offset,
            "length": location.length,
        },
    )


def replace(tx: sa.Connection, instance_id: int, location: Location) -> Location:
    """Point the instance at new bytes; where the former ones lie is returned, the hot place first."""
    place = schema.locations.c
    former = [
        Location(*row)
        for row in tx.execute(
            sa.select(place.tier, place.key, place.offset, place.length)
            .where(place.instance_fk == instance_id)
            .order_by(place.id)
        )
    ]
    tx.execute(sa.delete(schema.locations).where(place.instance_fk == instance_id))
    add(tx, instance_id, location)
    return next((one for one in former if one.tier == layout.HOT), former[0])


def move(tx: sa.Connection, instance_id: int, former: Location, now: Location) -> bool:
    """Point the instance from one file to another; False unless it lies in that one and nowhere else."""
    place = schema.locations.c
    mine = sa.select(place.tier, place.key).where(place.instance_fk == instance_id)
    if [tuple(row) for row in tx.execute(mine)] != [(former.tier, former.key)]:
        return False
    tx.execute(
        sa.update(schema.locations)
        .where(place.instance_fk == instance_id)
        .values(tier=now.tier, key=now.key, offset=now.offset, length=now.length)
    )
    return True


def of(tx: sa.Connection, sop_instance_uid: str, digest: str) -> list[Location]:
    """Where the bytes with this digest lie, current or, superseded by now, a former version: who
    chose an object gets the one that was chosen."""
    asked = {"uid": sop_instance_uid, "sha256": digest}
    current = [Location(*row) for row in _CURRENT.run(tx, asked)]
    return current or [Location(*row) for row in _FORMER.run(tx, asked)]


def of_many(tx: sa.Connection, uids: Collection[str]) -> dict[tuple[str, str], list[Location]]:
    """Where the current bytes of these instances lie, by SOP Instance UID and digest."""
    found: dict[tuple[str, str], list[Location]] = {}
    for uid, digest, *place in tx.execute(_OF_MANY, {"uids": list(uids)}):
        found.setdefault((uid, digest), []).append(Location(*place))
    return found


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the index says about a file: current bytes, a former version, or what is in the trash."""

    key: str
    size: int
    digest: str
    prefix_digest: str
    dataset_offset: int


def recorded(db: Database, tier: str) -> Iterator[Recorded]:
    """Every file the index knows in a tier: current ones, former versions, those in the trash."""
    place, instance, version = schema.locations.c, schema.instances.c, schema.versions.c
    thrown, there = schema.trash.c, schema.trash_places.c
    current = (
        sa.select(
            place.id,
            place.key,
            instance.size,
            instance.digest,
            instance.prefix_digest,
            instance.dataset_offset,
        )
        .join(schema.instances, instance.id == place.instance_fk)
        .where(place.tier == tier)
    )
    former = sa.select(
        version.id,
        version.key,
        version.size,
        version.digest,
        version.prefix_digest,
        version.dataset_offset,
    ).where(version.tier == tier)
    trashed = (
        sa.select(
            there.id, there.key, thrown.size, thrown.digest, thrown.prefix_digest, thrown.dataset_offset
        )
        .join(schema.trash, thrown.id == there.trash_fk)
        .where(there.tier == tier)
    )
    for query, identity in ((current, place.id), (former, version.id), (trashed, there.id)):
        for row in paged(db, query, identity):
            yield Recorded(*row[1:])


def is_recorded(tx: sa.Connection, tier: str, key: str) -> bool:
    """Whether the index knows this file: as current bytes, as a former version, or in the trash."""
    asked = {"tier": tier, "key": key}
    return any(tx.execute(query, asked).first() for query in (_BY_KEY, _VERSION_BY_KEY, _TRASH_BY_KEY))

"""What decides where a study should be: how old, how large, when last read, whether held.

The notes of reading and holding are rows of study_care. They are no cache: the stored objects could
not give them back, and a rebuilt index keeps them.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database, Transaction, paged
from pacs.store import layout

_s, _i, _l = schema.studies.c, schema.instances.c, schema.locations.c
_p, _c = schema.packs.c, schema.study_care.c
_EVERY: Final = 60 * 10**9  # ns between two notes of the same study's being read
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Care:
    """A study as the rules see it. Bytes lie hot, cold or both; `last_read_ns` and `packed_ns`
    (its latest pack was verified) are 0 for never; `study_date` is `yyyymmdd` or empty."""

    study: str
    study_date: str
    received_ns: int
    modalities: tuple[str, ...]
    bytes: int
    hot_bytes: int
    cold_bytes: int
    packed_ns: int
    last_read_ns: int
    hold: str


class Reads:
    """Notes when studies are read; at most once a minute for each. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._noted: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, study: str) -> None:
        """Raises Unavailable."""
        now = clock.now_ns()
        with self._lock:
            if now - self._noted.get(study, 0) < _EVERY:
                return
            self._noted[study] = now
            self._noted.move_to_end(study)
            while len(self._noted) > _REMEMBERED:
                self._noted.popitem(last=False)
        with self._db.write() as tx:
            was_read(tx, study, now)


def was_read(tx: Transaction, study: str, at_ns: int) -> None:
    _put(tx, study, "last_read_ns", at_ns)


def hold(tx: Transaction, study: str, reason: str) -> None:
    """Keep a study hot whatever the rules say; an empty reason ends that."""
    _put(tx, study, "hold", reason)


def hold_of(tx: Transaction, study: str) -> str:
    """Why a study is held, empty when it is not; also of one that is in the trash."""
    return tx.execute(sa.select(_c.hold).where(_c.study_uid == study)).scalar_one_or_none() or ""


def studies(db: Database, *, read_since_ns: int | None = None) -> Iterator[Care]:
    """Every study, or those read since; a bounded number at a time."""
    query = _FACTS if read_since_ns is None else _FACTS.where(_c.last_read_ns >= read_since_ns)
    for row in paged(db, query, _s.id):
        yield _care(row)


def study(tx: Transaction, uid: str) -> Care | None:
    row = tx.execute(_FACTS.where(_s.study_instance_uid == uid)).first()
    return _care(row) if row else None


def hot_bytes(tx: Transaction) -> int:
    """Current bytes on the hot tier; former versions are not counted."""
    total = sa.cast(sa.func.coalesce(sa.func.sum(_l.length), 0), sa.BigInteger)
    return int(tx.execute(sa.select(total).where(_l.tier == layout.HOT)).scalar_one())


def _care(row: Any) -> Care:
    modalities = tuple(part for part in row.modalities.split("\\") if part)
    return Care(row[1], row[2], row[3], modalities, *row[5:])


def _lying(tier: str) -> sa.ColumnElement[int]:
    total = sa.cast(sa.func.coalesce(sa.func.sum(_l.length), 0), sa.BigInteger)
    inside = schema.locations.join(schema.instances, _i.id == _l.instance_fk)
    return sa.select(total).select_from(inside).where(_i.study_fk == _s.id, _l.tier == tier).scalar_subquery()


_FACTS = sa.select(
    _s.id,
    _s.study_instance_uid,
    _s.study_date,
    _s.definer_ns,
    _s.modalities,
    _s.bytes,
    _lying(layout.HOT).label("hot_bytes"),
    _lying(layout.COLD).label("cold_bytes"),
    sa.select(sa.func.coalesce(sa.func.max(_p.verified_ns), 0))
    .where(_p.study_uid == _s.study_instance_uid)
    .scalar_subquery()
    .label("packed_ns"),
    sa.func.coalesce(_c.last_read_ns, 0),
    sa.func.coalesce(_c.hold, ""),
).select_from(schema.studies.outerjoin(schema.study_care, _c.study_uid == _s.study_instance_uid))


def _put(tx: Transaction, study_uid: str, column: str, value: int | str) -> None:
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    values = {"study_uid": study_uid, column: value}
    statement = dialect.insert(schema.study_care).values(values)
    tx.execute(statement.on_conflict_do_update(index_elements=["study_uid"], set_={column: value}))

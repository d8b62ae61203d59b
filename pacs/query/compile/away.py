"""Rows of an answer that have something in the cold tier alone.

One statement for a whole chunk, and none to speak of where nothing was ever packed: what it costs
follows the packed studies of the chunk, whatever else the archive holds.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from pacs.db import schema
from pacs.db.prepared import Prepared
from pacs.dicom.level import Level
from pacs.store import layout

_S, _E, _I = schema.studies.c, schema.series.c, schema.instances.c
_L, _P = schema.locations.c, schema.packs.c

_ANY_PACK: Final = Prepared(sa.select(_P.id).limit(1))
_NOT_HOT: Final = ~sa.exists(sa.select(_L.id).where(_L.instance_fk == _I.id, _L.tier == layout.HOT))
_WANTED: Final[sa.BindParameter[int]] = sa.bindparam("ids", expanding=True)
_PACKED: Final = sa.exists(sa.select(_P.id).where(_P.study_uid == _S.study_instance_uid))
_OF_STUDY: Final = sa.exists(sa.select(_I.id).where(_I.study_fk == _S.id, _NOT_HOT))
_OF_SERIES: Final = sa.exists(sa.select(_I.id).where(_I.series_fk == _E.id, _NOT_HOT))

_AWAY: Final[Mapping[Level, Select[Any]]] = {
    Level.PATIENT: sa.select(_S.patient_id_fk).where(_S.patient_id_fk.in_(_WANTED), _PACKED, _OF_STUDY),
    Level.STUDY: sa.select(_S.id).where(_S.id.in_(_WANTED), _PACKED, _OF_STUDY),
    Level.SERIES: sa.select(_E.id)
    .join(schema.studies, _S.id == _E.study_fk)
    .where(_E.id.in_(_WANTED), _PACKED, _OF_SERIES),
    Level.IMAGE: sa.select(_I.id).where(_I.id.in_(_WANTED), _NOT_HOT),
}


def away(tx: Connection, level: Level, ids: Iterable[int]) -> frozenset[int]:
    """Those with an instance, at or below them, that does not lie on the hot tier."""
    wanted = sorted(set(ids))
    if not wanted or _ANY_PACK.one(tx, {}) is None:
        return frozenset()
    return frozenset(tx.execute(_AWAY[level], {"ids": wanted}).scalars())

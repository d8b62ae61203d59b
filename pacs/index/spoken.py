"""The sounds of the names in a patient's, study's or series' columns, kept beside its row."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from pacs.db import schema
from pacs.db.prepared import Prepared
from pacs.dicom import sounds
from pacs.dicom.attributes import Column, at_level
from pacs.dicom.level import Level

_NAMES: Final = {
    level: tuple(
        (attribute.tag, schema.column_names(attribute))
        for attribute in at_level(level)
        if attribute.column is Column.NAME
    )
    for level in schema.SOUNDS
}

_INSERT: Final = {level: Prepared(sa.insert(table)) for level, table in schema.SOUNDS.items()}


def note(tx: sa.Connection, level: Level, owner: int, columns: Mapping[str, Any], *, new: bool) -> None:
    """What the names in `columns` sound like from now on; nothing is there before of a `new` row. Rows
    that go take theirs with them."""
    table = schema.SOUNDS[level]
    if not new:
        tx.execute(sa.delete(table).where(table.c.owner_fk == owner))
    for tag, names in _NAMES[level]:
        for sound in sorted(sounds.of_all(columns[name] for name in names)):
            _INSERT[level].run(tx, {"tag": tag, "sound": sound, "owner_fk": owner})

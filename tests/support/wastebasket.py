"""What an index says, in a form that can be compared; and an archive with a cold tier in a folder."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pacs.db import schema
from pacs.errors import NotFound
from pacs.index.trash import Asked
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from pacs.store import markers, pack
from tests.contract.conftest import ME
from tests.support.dicom_object import DicomObject
from tiering.service import open_tiering

# Numbers that a database gives as it likes, and the moment of the latest change.
_PRIVATE = {
    "revision",
    "id",
    "definer_fk",
    "updated_ns",
    "series_fk",
    "study_fk",
    "patient_id_fk",
    "instance_fk",
}
_SHOWN = (
    schema.patients,
    schema.studies,
    schema.series,
    schema.instances,
    schema.versions,
    schema.locations,
)
_THROWN = (schema.deletions, schema.trash, schema.trash_places)


def cold_config(folder: Path, more: str = "") -> str:
    folder.mkdir(exist_ok=True)
    return f'[cold]\nendpoint_url = "file://{folder}"\ngrace_seconds = 0.0\n{more}'


def shown(archive: Archive) -> dict[str, list[str]]:
    """Every row that is searched or read from."""
    return _rows(archive, _SHOWN, _PRIVATE)


def thrown(archive: Archive) -> dict[str, list[str]]:
    """Every row of the trash."""
    return _rows(archive, _THROWN, {"id", "deletion_fk", "trash_fk", "frames", "json"})


def _rows(archive: Archive, tables: tuple[sa.Table, ...], private: set[str]) -> dict[str, list[str]]:
    with archive.stores.db.read() as tx:
        return {
            table.name: sorted(
                repr({name: value for name, value in row.items() if name not in private})
                for row in tx.execute(sa.select(table)).mappings()
            )
            for table in tables
        }


def of(item: DicomObject, level: str = "IMAGE", reason: str = "") -> Asked:
    series = "" if level == "STUDY" else item.series
    return Asked(item.study, series, item.instance if level == "IMAGE" else "", reason)


def is_there(archive: Archive, item: DicomObject) -> bool:
    """Whether retrieval gives the very bytes that were sent."""
    wanted = Wanted((), (item.study,), (item.series,), (item.instance,))
    chosen = list(archive.retrieve.choose(ME, wanted))
    if not chosen:
        return False
    try:
        with archive.retrieve.open(chosen[0]) as source:
            return b"".join(source.chunks()) == item.part10()
    except NotFound:
        return False


def agrees(archive: Archive) -> bool:
    """Whether a thorough check finds nothing."""
    found: list[Any] = list(archive.checker.check(deep=True))
    assert not found, found
    return True


def to_cold(archive: Archive, study: str) -> None:
    """Packed, and gone from the hot tier."""
    tiering = open_tiering(archive)
    assert tiering is not None
    tiering._mover.pack_study(study)
    tiering._mover.evict_study(study, 1 << 62)


def packs_in(archive: Archive) -> list[str]:
    assert archive.stores.cold is not None
    return sorted(stat.key for stat in pack.listed(archive.stores.cold))


def copies_in(archive: Archive) -> list[str]:
    """Names of the deletions that the cold tier knows of."""
    assert archive.stores.cold is not None
    return sorted(Path(stat.key).stem for stat in archive.stores.cold.list(markers.COPIES))

"""An archive in this process whose objects are recompressed by hand, and looks at what came of it."""

import hashlib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from pacs.db import schema
from pacs.dicom import uids
from pacs.dicom.uids import InstanceKey
from pacs.ingest.check import Checker
from pacs.ingest.recompress import Fate
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.runtime import Archive
from pacs.store import packs
from tests.contract.conftest import ME
from tests.support.dicom_object import DicomObject

RPCL = "1.2.840.10008.1.2.4.202"
AT_ONCE = "[store]\nrecompress_grace_seconds = 0\n"
LITTLE = (uids.EXPLICIT_LE, uids.IMPLICIT_LE)


def key_of(item: DicomObject) -> InstanceKey:
    return InstanceKey(item.study, item.series, item.instance)


def stored(archive: Archive, item: DicomObject) -> StoredObject:
    (found,) = archive.retrieve.choose(ME, Wanted(instances=(item.instance,)))
    return found


def recompress(archive: Archive, items: Iterable[DicomObject]) -> None:
    """All of them must become smaller, and the former files go."""
    for item in items:
        outcome = archive.recompressor.one(item.instance)
        assert (outcome.fate, outcome.reason) == (Fate.DONE, ""), item.name
        assert outcome.now < outcome.size == len(item.part10())
        assert stored(archive, item).transfer_syntax == RPCL
    archive.evictor.finish()


def given(archive: Archive, item: DicomObject, *accepted: str) -> bytes:
    """The data set as it goes out in one of these transfer syntaxes, the one of arrival if none is said."""
    with archive.retrieve.give(stored(archive, item), accepted or (item.transfer_syntax,)) as out:
        return b"".join(out.dataset(lambda: None))


def file_of(archive: Archive, chosen: StoredObject) -> bytes:
    with archive.retrieve.open(chosen) as source:
        return b"".join(source.chunks())


def assert_kept(archive: Archive, items: Iterable[DicomObject], checker: Checker | None = None) -> None:
    """Everybody gets what was received, and index and store agree."""
    assert list((checker or archive.checker).check(deep=True)) == []
    for item in items:
        chosen = stored(archive, item)
        file = file_of(archive, chosen)
        assert hashlib.sha256(file[chosen.dataset_offset :]).hexdigest() == chosen.digest
        assert given(archive, item) == item.dataset


def native_frames(archive: Archive, item: DicomObject, count: int) -> list[bytes]:
    """Of an object as it is stored now."""
    with archive.retrieve.frames(ME, key_of(item), tuple(range(1, count + 1))) as found:
        return [b"".join(frame.chunks) for frame in found]


def hot_files(archive: Archive) -> set[str]:
    """Without those that are about to go."""
    return set(archive.stores.hot.walk()) - set(packs.evicting(archive.stores.db))


def rows(archive: Archive, table: sa.Table, *hidden: str) -> list[dict[str, Any]]:
    with archive.stores.db.read() as tx:
        found = [dict(row._mapping) for row in tx.execute(sa.select(table))]
    return sorted(
        ({k: v for k, v in row.items() if k not in hidden} for row in found),
        key=lambda row: str(sorted(row.items(), key=str)),
    )


def index_of(archive: Archive) -> dict[str, list[dict[str, Any]]]:
    """What a rebuild must bring back. Row numbers and the moment of recompression are of no account."""
    hidden = (
        "id", "series_fk", "study_fk", "patient_id_fk", "definer_fk", "instance_fk", "updated_ns", "revision"
    )  # fmt: skip
    tables = (schema.patients, schema.studies, schema.series, schema.instances, schema.versions)
    found = {table.name: rows(archive, table, *hidden) for table in (*tables, schema.locations)}
    done = [row for row in rows(archive, schema.recompressions, "id", "at_ns") if not row["reason"]]
    return found | {"recompressions": done}

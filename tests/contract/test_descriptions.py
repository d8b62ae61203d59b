"""The metadata of a series that is kept ready is always that of its instances, on each index."""

import threading
from itertools import pairwise

import orjson
import pytest
import sqlalchemy as sa

from pacs.db import schema
from pacs.dicom.uids import InstanceKey
from pacs.index import catalog, lookup
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.retrieve import described
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, with_changes


def wanted(item: DicomObject, *, series: bool = False) -> Wanted:
    return Wanted(studies=(item.study,), series=(item.series,) if series else ())


def given(archive: Archive, what: Wanted) -> tuple[str, list[dict[str, object]]]:
    found = archive.retrieve.described(ME, what)
    text = b"[" + b"".join(found) + b"]"
    each = [orjson.loads(one.replace(b"\x01", b"")) for one in found.each()]
    together: list[dict[str, object]] = orjson.loads(text.replace(b"\x01", b""))
    assert together == each
    return found.digest, together


def expected(archive: Archive, what: Wanted) -> list[str]:
    return [entry.key.instance for entry in archive.retrieve.metadata(ME, what)]


def uids(documents: list[dict[str, object]]) -> list[object]:
    return [one["00080018"]["Value"][0] for one in documents]  # type: ignore[index]


def statements(archive: Archive, what: Wanted) -> list[str]:
    """What the index was asked while it was given again."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(archive.stores.db.engine, "before_cursor_execute", note)
    try:
        given_text = b"".join(archive.retrieve.described(ME, what))
    finally:
        sa.event.remove(archive.stores.db.engine, "before_cursor_execute", note)
    assert given_text
    return [one for one in seen if one.startswith("SELECT")]


def test_every_change_is_seen_at_once(archive: Archive) -> None:
    items = ct_series(4, rows=8, columns=8)
    tags = []
    for count, item in enumerate(items, 1):
        put(archive, item.part10())
        digest, found = given(archive, wanted(item))
        assert uids(found) == [one.instance for one in items[:count]]
        assert given(archive, wanted(item)) == (digest, found)
        tags.append(digest)
    corrected = with_changes(items[1], SeriesDescription="corrected")
    put(archive, corrected.part10())
    digest, found = given(archive, wanted(items[0], series=True))
    assert found[1]["0008103E"] == {"vr": "LO", "Value": ["corrected"]}
    tags.append(digest)
    assert all(one != other for one, other in pairwise(tags))


def test_a_ready_series_costs_the_same_however_many_its_instances(archive: Archive) -> None:
    small, large = ct_series(2, rows=8, columns=8), ct_series(40, rows=8, columns=8)
    for item in (*small, *large):
        put(archive, item.part10())
    asked = []
    for item in (small[0], large[0]):
        given(archive, wanted(item))
        asked.append(statements(archive, wanted(item)))
    assert asked[0] == asked[1]
    assert not any("instances.json" in one for one in asked[1])


def test_a_study_that_has_settled_is_described_before_anybody_asks(archive: Archive) -> None:
    items = ct_series(3, rows=8, columns=8)
    for item in items:
        put(archive, item.part10())
    told = Told(1, 1, 1, Kind.SETTLED, items[0].study, "", "", {})
    archive.retrieve.descriptions.errand().work(told)
    assert not any("instances.json" in one for one in statements(archive, wanted(items[0])))


def test_studies_of_several_series_are_in_order(archive: Archive) -> None:
    first = ct_series(2, rows=8, columns=8)
    second = ct_series(2, rows=8, columns=8, study=first[0].study)
    for item in (*second, *first):
        put(archive, item.part10())
    _, found = given(archive, wanted(first[0]))
    assert uids(found) == expected(archive, wanted(first[0]))
    assert len(found) == 4


def test_a_series_that_stands_in_two_studies_is_told_apart(archive: Archive) -> None:
    mine = ct_series(2, rows=8, columns=8)
    strange = ct_series(2, rows=8, columns=8, series=mine[0].series)
    for item in (*mine, *strange):
        put(archive, item.part10())
    for items in (mine, strange):
        _, found = given(archive, wanted(items[0], series=True))
        assert sorted(map(str, uids(found))) == sorted(one.instance for one in items)


def test_what_is_too_long_is_not_kept(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "_LARGEST", 1000)
    items = ct_series(3, rows=8, columns=8)
    for item in items:
        put(archive, item.part10())
    digest, found = given(archive, wanted(items[0]))
    assert uids(found) == [one.instance for one in items]
    assert given(archive, wanted(items[0]))[0] == digest
    with archive.stores.db.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(schema.series_documents)).scalar() == 0


def test_documents_made_while_instances_arrive_are_never_stale(archive: Archive) -> None:
    items = ct_series(25, rows=8, columns=8)
    put(archive, items[0].part10())
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            text = b"".join(archive.retrieve.described(ME, wanted(items[0])))
            seen.append(len(orjson.loads(b"[" + text.replace(b"\x01", b"") + b"]")))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for count, item in enumerate(items[1:], 2):
            put(archive, item.part10())
            assert len(given(archive, wanted(item))[1]) == count
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert max(seen) <= len(items)


def test_an_instance_is_found_under_its_own_address_only(archive: Archive) -> None:
    (item,), (other,) = ct_series(1, rows=8, columns=8), ct_series(1, rows=8, columns=8)
    put(archive, item.part10())
    put(archive, other.part10())
    with archive.stores.db.read() as tx:
        key = InstanceKey(item.study, item.series, item.instance)
        assert lookup.one(tx, key, *lookup.STORED_COLUMNS) is not None
        for wrong in (
            InstanceKey(other.study, item.series, item.instance),
            InstanceKey(item.study, other.series, item.instance),
        ):
            assert lookup.one(tx, wrong, *lookup.STORED_COLUMNS) is None
        assert catalog.find(tx, item.instance) is not None

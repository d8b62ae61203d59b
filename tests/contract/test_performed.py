"""A study of which a modality says that it is complete settles as soon as all of it is here, and once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database
from pacs.ingest.settle import NAME, Settler
from pacs.orders import item
from pacs.orders.model import DataSet, Declined, Fault, Taken
from pacs.orders.whole import Whole
from pacs.outbox import subscriber
from pacs.outbox.events import Kind
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, encode
from tests.support.worklist import begun, ended, order, place

SECOND = 1_000_000_000
QUIET_S = 60.0
EXPLICIT_LE = "1.2.840.10008.1.2.1"


class Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def pass_s(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    hands = Time()
    monkeypatch.setattr(clock, "now_ns", lambda: hands.now)
    return hands


class Watch:
    """What the worker does about settling, step by step."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.settler = Settler(db, quiet_s=QUIET_S)
        self.whole = Whole(db)
        subscriber.enrol(db, [self.settler.follower()])

    def note(self) -> None:
        """Until every arrival is noted (see test_settle.rounds)."""
        until = monotonic() + 20
        while True:
            while subscriber.serve(self.db, self.settler.follower()):
                pass
            if not self._unread() or monotonic() > until:
                return
            sleep(0.02)

    def round(self) -> None:
        self.note()
        while self.whole.settle() or self.settler.fire():
            pass

    def settled(self) -> list[tuple[str, int]]:
        told = schema.outbox.c
        query = sa.select(told.study_uid, told.payload).where(told.kind == Kind.SETTLED).order_by(told.seq)
        with self.db.read() as tx:
            return [(uid, orjson.loads(payload)["generation"]) for uid, payload in tx.execute(query)]

    def _unread(self) -> bool:
        told, cursor = schema.outbox.c, schema.outbox_cursors.c
        arrivals = sa.select(sa.func.max(told.seq)).where(told.kind.in_([Kind.STORED, Kind.SUPERSEDED]))
        with self.db.read() as tx:
            latest = tx.execute(arrivals).scalar_one() or 0
            noted = tx.execute(sa.select(cursor.seq).where(cursor.name == NAME)).scalar_one_or_none() or 0
        return int(latest) > int(noted)


def told(dataset: Dataset) -> DataSet:
    return item.decode(encode(dataset), EXPLICIT_LE)


def begin(archive: Archive, uid: str, study: str) -> None:
    assert archive.performing.create(ME, uid, told(begun(study=study))) == Taken()


def end(archive: Archive, uid: str, objects: Sequence[DicomObject], **more: Any) -> None:
    assert archive.performing.set(ME, uid, told(ended(objects, **more))) == Taken()


def store(archive: Archive, objects: Sequence[DicomObject]) -> None:
    for one in objects:
        put(archive, one.part10())


@pytest.fixture
def watch(archive: Archive, time: Time) -> Watch:
    return Watch(archive.db)


def test_all_here_when_it_completes(archive: Archive, watch: Watch, time: Time) -> None:
    objects = ct_series(3, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    store(archive, objects)
    time.pass_s(1)
    watch.round()
    assert watch.settled() == [], "it is in progress"
    end(archive, "1.1", objects)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]
    time.pass_s(1000)
    watch.round()
    assert len(watch.settled()) == 1, "quiet settles it no second time"


def test_the_last_object_settles_it(archive: Archive, watch: Watch, time: Time) -> None:
    objects = ct_series(3, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    end(archive, "1.1", objects)
    for one in objects:
        watch.round()
        assert watch.settled() == []
        put(archive, one.part10())
        time.pass_s(1)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]


def test_not_before_every_arrival_is_noted(archive: Archive, watch: Watch, time: Time) -> None:
    """Else it would be unsettled again by what it was settled with."""
    objects = ct_series(2, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    store(archive, objects[:1])
    watch.note()
    store(archive, objects[1:])
    end(archive, "1.1", objects)
    assert not watch.whole.settle()
    watch.round()
    time.pass_s(1000)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]


def test_what_never_comes_leaves_it_to_quiet(archive: Archive, watch: Watch, time: Time) -> None:
    objects = ct_series(3, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    store(archive, objects[:2])
    end(archive, "1.1", objects)
    watch.round()
    assert watch.settled() == []
    time.pass_s(QUIET_S)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]
    time.pass_s(10)
    store(archive, objects[2:])
    watch.round()
    assert watch.settled()[1:] == [(objects[0].study, 2)], "the last one came late, and makes it whole"
    time.pass_s(7200)
    watch.round()
    with archive.db.read() as tx:
        assert tx.execute(sa.select(schema.performed_instances)).all() == [], "nothing is kept of it"


def test_a_study_that_was_settled_before_stays_so(archive: Archive, watch: Watch, time: Time) -> None:
    objects = ct_series(2, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    store(archive, objects)
    watch.note()
    time.pass_s(QUIET_S)
    watch.round()
    end(archive, "1.1", objects)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]
    more = ct_series(1, rows=8, columns=8, study=objects[0].study)
    store(archive, more)
    watch.round()
    assert len(watch.settled()) == 1, "of what comes later the step says nothing"


def test_while_another_step_is_in_progress(archive: Archive, watch: Watch, time: Time) -> None:
    objects = ct_series(2, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    begin(archive, "1.2", objects[0].study)
    store(archive, objects)
    end(archive, "1.1", objects[:1])
    watch.round()
    assert watch.settled() == []
    end(archive, "1.2", objects[1:])
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]


@pytest.mark.parametrize("status", ["DISCONTINUED", "nothing named"])
def test_what_says_nothing_of_being_whole(archive: Archive, watch: Watch, time: Time, status: str) -> None:
    objects = ct_series(2, rows=8, columns=8)
    begin(archive, "1.1", objects[0].study)
    store(archive, objects)
    if status == "DISCONTINUED":
        end(archive, "1.1", objects, status=status)
    else:
        end(archive, "1.1", [])
    watch.round()
    assert watch.settled() == []
    time.pass_s(QUIET_S)
    watch.round()
    assert watch.settled() == [(objects[0].study, 1)]


def test_many_workers_settle_it_once(opened: Opener, time: Time) -> None:
    archives = [opened(), opened()]
    watches = [Watch(archive.db) for archive in archives]
    studies = [ct_series(1, rows=8, columns=8) for _ in range(12)]
    for number, objects in enumerate(studies):
        begin(archives[0], f"1.{number}", objects[0].study)
        store(archives[0], objects)
        end(archives[0], f"1.{number}", objects)
    watches[0].note()
    time.pass_s(QUIET_S)  # both ways of settling at once

    def work(number: int) -> None:
        watch = watches[number % 2]
        while watch.whole.settle() or watch.settler.fire():
            pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    watches[0].round()
    assert sorted(watches[1].settled()) == sorted((objects[0].study, 1) for objects in studies)


def test_one_of_many_creators_makes_it(opened: Opener) -> None:
    archives = [opened(), opened()]
    told_of = told(begun(study="1.2.3"))
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: archives[n % 2].performing.create(ME, "1.1", told_of), range(16)))
    declined = [one for one in outcomes if isinstance(one, Declined)]
    assert len(declined) == 15
    assert {one.fault for one in declined} == {Fault.DUPLICATE}


def test_one_of_many_enders_ends_it(opened: Opener) -> None:
    archives = [opened(), opened()]
    (ordered,) = place(archives[0], order())
    assert archives[0].performing.create(ME, "1.1", told(begun(ordered))) == Taken()
    ends = [told(ended(status=status)) for status in ("COMPLETED", "DISCONTINUED")]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: archives[n % 2].performing.set(ME, "1.1", ends[n % 2]), range(16)))
    assert outcomes.count(Taken()) == 1
    found = archives[1].orders.get(ME, ordered.number)
    assert found.steps[0].status.value == found.performed[0].status.value

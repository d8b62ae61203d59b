"""A study settles once each time it has been quiet, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database
from pacs.ingest.settle import NAME, Settler
from pacs.outbox import events, subscriber
from pacs.outbox.events import Event, Kind
from pacs.runtime import Archive
from tests.contract.conftest import Opener, put
from tests.support.factory import ct_series

SECOND = 1_000_000_000
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.33"


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


def settler(db: Database) -> Settler:
    made = Settler(db, quiet_s=10)
    subscriber.enrol(db, [made.follower()])
    return made


def arrive(db: Database, *studies: str, sop_class: str = CT) -> None:
    with db.write() as tx:
        for study in studies:
            events.append(tx, Event(Kind.STORED, study, payload={"sop_class": sop_class}))


def rounds(made: Settler, db: Database) -> None:
    """Until every arrival is noted: on PostgreSQL an event can be read once every transaction that
    was running beside it has ended, and the server has some of its own."""
    until = monotonic() + 20
    while True:
        while subscriber.serve(db, made.follower()) or made.fire():
            pass
        if not unread(db) or monotonic() > until:
            return
        sleep(0.02)


def unread(db: Database) -> bool:
    told, cursor = schema.outbox.c, schema.outbox_cursors.c
    arrivals = sa.select(sa.func.max(told.seq)).where(told.kind.in_([Kind.STORED, Kind.SUPERSEDED]))
    with db.read() as tx:
        latest = tx.execute(arrivals).scalar_one() or 0
        noted = tx.execute(sa.select(cursor.seq).where(cursor.name == NAME)).scalar_one_or_none() or 0
    return int(latest) > int(noted)


def settled(db: Database) -> list[tuple[str, Any]]:
    told = schema.outbox.c
    query = sa.select(told.study_uid, told.payload).where(told.kind == Kind.SETTLED).order_by(told.seq)
    with db.read() as tx:
        return [(uid, orjson.loads(payload)["generation"]) for uid, payload in tx.execute(query)]


def test_quiet_for_long_enough_and_told_once(archive: Archive, time: Time) -> None:
    db, made = archive.stores.db, settler(archive.stores.db)
    arrive(db, "1.1")
    time.pass_s(9)
    arrive(db, "1.1")
    rounds(made, db)
    time.pass_s(9.9)
    rounds(made, db)
    assert settled(db) == []
    time.pass_s(0.1)
    rounds(made, db)
    time.pass_s(1000)
    rounds(made, db)
    assert settled(db) == [("1.1", 1)]


def test_it_settles_again_when_more_comes(archive: Archive, time: Time) -> None:
    db, made = archive.stores.db, settler(archive.stores.db)
    for generation in (1, 2, 3):
        arrive(db, "1.1")
        time.pass_s(11)
        rounds(made, db)
        assert settled(db)[-1] == ("1.1", generation)
    assert len(settled(db)) == 3


def test_a_stored_object_settles_its_study(archive: Archive, time: Time) -> None:
    db, made = archive.stores.db, settler(archive.stores.db)
    (item,) = ct_series(1)
    put(archive, item.part10())
    put(archive, item.part10())  # nothing new
    time.pass_s(11)
    rounds(made, db)
    assert settled(db) == [(item.study, 1)]


def test_a_restart_forgets_nothing(opened: Opener, time: Time) -> None:
    first = opened()
    made = settler(first.stores.db)
    arrive(first.stores.db, "1.1")
    rounds(made, first.stores.db)
    second = opened()
    time.pass_s(11)
    rounds(settler(second.stores.db), second.stores.db)
    rounds(made, first.stores.db)
    assert settled(second.stores.db) == [("1.1", 1)]


def test_a_backlog_is_read_before_quiet_is_believed(archive: Archive, time: Time) -> None:
    """The worker was away: the study that kept coming all the while settles once, not twice."""
    db, made = archive.stores.db, settler(archive.stores.db)
    for _ in range(6):
        arrive(db, "1.1")
        time.pass_s(8)
    time.pass_s(60)
    one = subscriber.Follower("settle", made.follower().kinds, made.follower().work, batch=1)
    while subscriber.serve(db, one):
        made.fire()
    made.fire()
    assert settled(db) == [("1.1", 1)]


def test_remarks_on_a_study_do_not_unsettle_it(archive: Archive, time: Time) -> None:
    db, made = archive.stores.db, settler(archive.stores.db)
    arrive(db, "1.1")
    time.pass_s(11)
    rounds(made, db)
    arrive(db, "1.1", sop_class=SR)
    time.pass_s(11)
    rounds(made, db)
    assert settled(db) == [("1.1", 1)]
    arrive(db, "1.1", sop_class=CT)
    time.pass_s(11)
    rounds(made, db)
    assert settled(db) == [("1.1", 1), ("1.1", 2)]


def test_a_study_of_remarks_only_settles(archive: Archive, time: Time) -> None:
    db, made = archive.stores.db, settler(archive.stores.db)
    arrive(db, "1.1", sop_class=SR)
    time.pass_s(11)
    rounds(made, db)
    assert settled(db) == [("1.1", 1)]


def test_many_workers_fire_each_settling_once(opened: Opener, time: Time) -> None:
    databases = [opened().stores.db, opened().stores.db]
    made = [settler(db) for db in databases]
    studies = [f"1.{n}" for n in range(300)]
    start = threading.Barrier(6)

    def fire(n: int) -> None:
        start.wait()
        while made[n % 2].fire():
            pass

    for _ in range(2):
        arrive(databases[0], *studies)
        while subscriber.serve(databases[0], made[0].follower()):
            pass
        time.pass_s(11)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(fire, range(6)))
        rounds(made[0], databases[0])  # what the last of them skipped because another held it
    assert sorted(settled(databases[1])) == sorted((s, g) for s in studies for g in (1, 2))


def test_the_search_for_the_due_is_served_by_an_index(archive: Archive) -> None:
    with archive.stores.db.write() as tx:
        rows = [{"study_uid": f"1.{n}", "quiet_since_ns": None if n > 9 else n} for n in range(5000)]
        tx.execute(sa.insert(schema.settling), rows)
        text = "SELECT study_uid FROM settling WHERE quiet_since_ns <= 5 ORDER BY quiet_since_ns LIMIT 200"
        if archive.stores.db.dialect == "postgresql":
            tx.execute(sa.text("ANALYZE settling"))
            plan = tx.execute(sa.text(f"EXPLAIN {text}")).all()
        else:
            plan = tx.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all()
    assert "ix_settling_quiet_since_ns" in str(plan)

"""Events are read in an order that skips none, and told until the work is done or parked."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.db.connection import Database, Transaction
from pacs.errors import Unavailable
from pacs.outbox import deliveries, events, log
from pacs.outbox.crew import Chore, Crew, trimming
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import START, Position, Told
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import (
    Errand,
    Follower,
    Subscriber,
    advance,
    enrol,
    perform,
    serve,
    take,
)
from pacs.runtime import Archive
from tests.contract.conftest import Opener

AT_ONCE = Backoff(attempts=3, first_s=0.0)
STORED = frozenset({Kind.STORED})


def tell(db: Database, *studies: str, kind: Kind = Kind.STORED) -> None:
    with db.write() as tx:
        for study in studies:
            events.append(tx, Event(kind, study))


def everything(db: Database) -> list[Told]:
    with db.read() as tx:
        return list(log.read(tx, START, 10_000))


def drain(db: Database, subscriber: Subscriber) -> None:
    while serve(db, subscriber):
        pass


def parked(db: Database) -> list[deliveries.Parked]:
    with db.read() as tx:
        return list(deliveries.parked(tx))


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)


def no_answer(begun: threading.Event, until: threading.Event) -> None:
    begun.set()
    until.wait(60)


# -- the log ------------------------------------------------------------------------------------


def test_what_commits_late_is_not_skipped(archive: Archive) -> None:
    """Two committers; the one with the lower number commits last."""
    db = archive.stores.db
    naive: list[int] = []

    def naive_reader() -> None:
        """Remembers the highest number it has seen."""
        with db.read() as tx:
            rows = tx.execute(
                sa.select(schema.outbox.c.seq).where(schema.outbox.c.seq > max(naive, default=0))
            )
            naive.extend(row.seq for row in rows)

    with db.write() as slow:
        events.append(slow, Event(Kind.STORED, "first"))
        other = threading.Thread(target=tell, args=(db, "second"))
        other.start()
        if db.dialect == "postgresql":
            other.join()  # on SQLite it waits for its turn instead: the order of numbers is that of commits
        naive_reader()
        early = everything(db)
    other.join()
    naive_reader()
    assert early == []
    assert [t.study_uid for t in everything(db)] == ["first", "second"]
    assert naive == ([2] if db.dialect == "postgresql" else [1, 2])


def test_a_reader_beside_many_committers_reads_each_event_once(opened: Opener) -> None:
    archives = [opened(), opened()]
    done = threading.Event()
    seen: list[str] = []

    def reader() -> None:
        at = START
        while True:
            last = done.is_set()
            with archives[0].stores.db.read() as tx:
                found = log.read(tx, at, 7)
            seen.extend(told.study_uid for told in found)
            if found:
                at = found[-1].position
            elif last:
                return

    def committer(n: int) -> None:
        for k in range(10):
            with archives[n % 2].stores.db.write() as tx:
                events.append(tx, Event(Kind.STORED, f"{n}.{k}.a"))
                time.sleep(0.001 * ((n * 7 + k * 3) % 5))
                events.append(tx, Event(Kind.STORED, f"{n}.{k}.b"))

    reading = threading.Thread(target=reader)
    reading.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(committer, range(6)))
    done.set()
    reading.join()
    assert Counter(seen) == Counter(f"{n}.{k}.{x}" for n in range(6) for k in range(10) for x in "ab")


def test_a_rolled_back_event_was_never_told(archive: Archive) -> None:
    def undone(tx: Transaction) -> None:
        events.append(tx, Event(Kind.STORED, "undone"))
        raise KeyError

    with pytest.raises(KeyError):
        archive.stores.db.transact(undone)
    tell(archive.stores.db, "done")
    assert [t.study_uid for t in everything(archive.stores.db)] == ["done"]


def test_only_what_every_reader_has_passed_is_trimmed(archive: Archive) -> None:
    db = archive.stores.db
    ahead, behind = (Follower(name, STORED, lambda _tx, _told: None) for name in ("ahead", "behind"))
    enrol(db, [ahead, behind])
    tell(db, "1", "2", "3")
    drain(db, ahead)
    with db.write() as tx:
        assert log.trim(tx, clock.now_ns() + 1) == 0
    drain(db, behind)
    with db.write() as tx:
        assert log.trim(tx, 0) == 0  # not old enough
        assert log.trim(tx, clock.now_ns() + 1) == 2
    assert [t.study_uid for t in everything(db)] == ["3"]


def test_after_trimming_the_next_event_is_still_news(archive: Archive) -> None:
    """SQLite gives the number of a removed last row again."""
    db = archive.stores.db
    seen: list[str] = []
    follower = Follower("f", STORED, lambda _, told: seen.extend(t.study_uid for t in told))
    enrol(db, [follower])
    for n in range(5):
        tell(db, str(n))
        drain(db, follower)
        while trimming(db, -1.0).work():
            pass
    assert seen == ["0", "1", "2", "3", "4"]


def test_a_forgotten_reader_holds_nothing_back(archive: Archive) -> None:
    db = archive.stores.db
    enrol(db, [Follower(name, STORED, lambda _tx, _told: None) for name in ("here", "gone")])
    tell(db, "1", "2")
    drain(db, Follower("here", STORED, lambda _tx, _told: None))
    with db.write() as tx:
        assert [(c.name, c.behind_since_ns > 0) for c in log.cursors(tx)] == [("gone", True), ("here", False)]
        log.forget(tx, "gone")
        assert log.trim(tx, clock.now_ns() + 1) == 1


def test_a_database_restored_into_another_server_is_read_again(archive: Archive) -> None:
    db = archive.stores.db
    seen: list[str] = []
    follower = Follower("f", STORED, lambda _, told: seen.extend(t.study_uid for t in told))
    enrol(db, [follower])
    tell(db, "old")
    drain(db, follower)
    if db.dialect == "postgresql":
        with db.write() as tx:  # the former server had counted further
            tx.execute(sa.update(schema.outbox).values(tx=10**15))
            log.move(tx, "f", Position(10**15, 1))
    enrol(db, [follower])
    tell(db, "new")
    drain(db, follower)
    assert seen == (["old", "old", "new"] if db.dialect == "postgresql" else ["old", "new"])


# -- followers ----------------------------------------------------------------------------------


def test_a_follower_sees_each_event_once_however_many_serve_it(opened: Opener) -> None:
    databases = [opened().stores.db, opened().stores.db]

    def work(tx: Transaction, told: Sequence[Told]) -> None:
        for event in told:  # in its transaction: what is rolled back was not seen
            events.append(tx, Event(Kind.REFUSED, event.study_uid))

    follower = Follower("f", STORED, work, batch=7)
    for db in databases:
        enrol(db, [follower])
    studies = [str(n) for n in range(100)]
    for study in studies:
        tell(databases[0], study)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: drain(databases[n % 2], follower), range(6)))
    drain(databases[0], follower)
    seen = [t.study_uid for t in everything(databases[0]) if t.kind == Kind.REFUSED]
    assert sorted(seen) == sorted(studies)


def test_a_poison_event_is_passed_parked_and_tried_again_when_asked(archive: Archive) -> None:
    db = archive.stores.db
    seen: list[str] = []
    healed = False

    def work(tx: Transaction, told: Sequence[Told]) -> None:
        for event in told:
            events.append(tx, Event(Kind.REFUSED, event.study_uid))
            if event.study_uid == "poison" and not healed:
                raise KeyError("a name of somebody")
            seen.append(event.study_uid)

    follower = Follower("f", STORED, work, retry=AT_ONCE)
    enrol(db, [follower])
    tell(db, "1", "poison", "2")
    drain(db, follower)
    (given_up,) = parked(db)
    assert (given_up.subscriber, given_up.told.study_uid, given_up.attempts) == ("f", "poison", 3)
    assert given_up.reason.startswith("KeyError at work:")
    tell(db, "3")
    drain(db, follower)
    written = [t.study_uid for t in everything(db) if t.kind == Kind.REFUSED]
    assert written == ["1", "2", "3"], "what a failed attempt wrote is undone"
    healed = True
    drain(db, follower)
    assert "poison" not in [t.study_uid for t in everything(db) if t.kind == Kind.REFUSED]
    with db.write() as tx:
        assert deliveries.unpark(tx, id=given_up.id) == 1
    drain(db, follower)
    assert [t.study_uid for t in everything(db) if t.kind == Kind.REFUSED][-1] == "poison"
    assert parked(db) == []


def test_a_failing_statement_spoils_only_its_own_event(archive: Archive) -> None:
    db = archive.stores.db

    def work(tx: Transaction, told: Sequence[Told]) -> None:
        for event in told:
            if event.study_uid == "poison":
                tx.execute(sa.text("SELECT no_such_column FROM outbox"))
            events.append(tx, Event(Kind.REFUSED, event.study_uid))

    follower = Follower("f", STORED, work, retry=AT_ONCE)
    enrol(db, [follower])
    tell(db, "1", "poison", "2")
    drain(db, follower)
    assert [t.study_uid for t in everything(db) if t.kind == Kind.REFUSED] == ["1", "2"]
    assert [p.told.study_uid for p in parked(db)] == ["poison"]


@pytest.mark.parametrize("opened", ["sqlite"], indirect=True)
def test_a_full_disk_in_the_middle_of_a_batch_loses_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite then gives up the whole transaction, and not only what the failing attempt wrote."""
    monkeypatch.setattr("pacs.outbox.subscriber._HOLD_S", 60)  # all of it in one
    db = archive.stores.db
    room = False

    def work(tx: Transaction, told: Sequence[Told]) -> None:
        for event in told:
            events.append(tx, Event(Kind.REFUSED, event.study_uid))
        tx.exec_driver_sql(f"PRAGMA max_page_count = {2**31 if room else 1}")  # no less than there are
        if told[-1].study_uid == "9":
            tx.execute(sa.insert(schema.outbox), {"kind": "big", "payload": f"{{{' ' * 10_000_000}}}"})

    follower = Follower("f", STORED, work, retry=AT_ONCE)
    enrol(db, [follower])
    tell(db, *"123456789")
    with pytest.raises(Unavailable):
        drain(db, follower)
    assert {t.kind for t in everything(db)} == {"stored"}
    room = True
    drain(db, follower)
    assert [t.study_uid for t in everything(db) if t.kind == Kind.REFUSED] == list("123456789")
    assert parked(db) == []


def test_what_nobody_asked_for_is_passed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    db = archive.stores.db
    seen: list[str] = []
    follower = Follower("f", STORED, lambda _, told: seen.extend(t.study_uid for t in told), batch=4)
    enrol(db, [follower])
    tell(db, *"123", kind=Kind.REFUSED)
    with db.write() as tx:  # of a newer version
        tx.execute(sa.update(schema.outbox).where(schema.outbox.c.study_uid == "2").values(kind="unheard-of"))
    assert not serve(db, follower), "not worth a transaction yet"
    now = clock.now_ns() + 60_000_000_000
    monkeypatch.setattr(clock, "now_ns", lambda: now)
    assert serve(db, follower)
    tell(db, "4")
    drain(db, follower)
    assert seen == ["4"]
    with db.read() as tx:
        assert log.cursors(tx)[0].behind_since_ns == 0


def test_a_slow_follower_lets_others_write_meanwhile(archive: Archive) -> None:
    """What it does is cut into transactions, and a sender waits for one of them at most."""
    db = archive.stores.db
    reads = db.read
    seen: list[str] = []
    ends: set[int] = set()

    def work(_tx: Transaction, told: Sequence[Told]) -> None:
        with reads() as tx:  # beside the transaction: what others see
            at = log.position(tx, "f")
        assert at is not None
        ends.add(at.seq)
        if any(event.study_uid == "13" for event in told):
            raise KeyError("poison")
        seen.extend(event.study_uid for event in told)
        time.sleep(0.002 * len(told))

    follower = Follower("f", STORED, work, retry=AT_ONCE)
    enrol(db, [follower])
    tell(db, *map(str, range(40)))
    assert serve(db, follower), "in one go for whoever calls"
    assert len(ends) >= 5
    assert seen[:39] == [str(n) for n in range(40) if n != 13]
    drain(db, follower)
    assert [p.told.study_uid for p in parked(db)] == ["13"]


def test_a_follower_does_a_batch_at_a_time_however_slow_it_is(archive: Archive) -> None:
    """Or one that tells of what it follows would never end, nor hear that it is to stop."""
    db = archive.stores.db
    seen: list[str] = []

    def work(tx: Transaction, told: Sequence[Told]) -> None:
        seen.extend(event.study_uid for event in told)
        events.append(tx, Event(Kind.STORED, "of its own"))
        time.sleep(0.003)

    follower = Follower("f", STORED, work, batch=20)
    enrol(db, [follower])
    tell(db, *map(str, range(50)))
    assert serve(db, follower)
    assert seen == [str(n) for n in range(20)]
    assert serve(db, follower)
    assert seen == [str(n) for n in range(40)]


# -- errands ------------------------------------------------------------------------------------


def test_errands_are_shared_and_each_is_run_once(opened: Opener) -> None:
    databases = [opened().stores.db, opened().stores.db]
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def work(told: Told) -> None:
        with lock:
            seen[told.study_uid] += 1

    errand = Errand("e", STORED, work, batch=9)
    enrol(databases[0], [errand])
    studies = [str(n) for n in range(60)]
    tell(databases[0], *studies)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: drain(databases[n % 2], errand), range(4)))
    assert seen == Counter(studies)


def test_an_errand_of_a_dead_worker_comes_back(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    db = archive.stores.db
    seen: list[str] = []
    errand = Errand("e", STORED, lambda told: seen.append(told.study_uid), lease_s=60, retry=AT_ONCE)
    enrol(db, [errand])
    tell(db, "1")
    advance(db, errand)
    dead = take(db, errand)
    assert dead is not None
    drain(db, errand)
    assert seen == [], "it is leased"
    now = clock.now_ns() + 61_000_000_000
    monkeypatch.setattr(clock, "now_ns", lambda: now)
    second = take(db, errand)
    assert second is not None
    perform(db, errand, dead)  # it was only slow: its answer is late and changes nothing
    assert take(db, errand) is None
    perform(db, errand, second)
    now += 600_000_000_000
    drain(db, errand)
    assert seen == ["1", "1"], "at least once"


def test_what_lasts_is_kept_by_signs_of_life(archive: Archive) -> None:
    """Far longer than a dead worker keeps others waiting, and nobody else begins it."""
    db = archive.stores.db
    begun: list[str] = []
    ended = threading.Event()

    def work(told: Told) -> None:
        begun.append(told.study_uid)
        ended.wait(30)

    errand = Errand("e", STORED, work, lease_s=60, held_s=0.4, retry=AT_ONCE)
    enrol(db, [errand])
    tell(db, "long")
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(drain, db, errand)
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            if begun:
                assert take(db, errand) is None
            time.sleep(0.02)
        ended.set()
        working.result()
    assert begun == ["long"]
    with db.read() as tx:
        assert deliveries.waiting(tx) == {}


def test_work_that_outlasts_its_lease_is_begun_anew(archive: Archive) -> None:
    db = archive.stores.db
    begun, ended = threading.Event(), threading.Event()

    def hang(_: Told) -> None:
        begun.set()
        ended.wait(60)

    errand = Errand("e", STORED, hang, lease_s=0.5, held_s=0.2, retry=AT_ONCE)
    enrol(db, [errand])
    tell(db, "hangs")
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(drain, db, errand)
        assert begun.wait(20)
        eventually(lambda: take(db, errand) is not None)
        ended.set()
        working.result()


def test_what_kills_its_workers_is_parked(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    db = archive.stores.db
    errand = Errand("e", STORED, lambda _: None, lease_s=1, retry=AT_ONCE)
    enrol(db, [errand])
    tell(db, "deadly", "harmless")
    advance(db, errand)
    now = clock.now_ns()
    monkeypatch.setattr(clock, "now_ns", lambda: now)
    for _ in range(3):
        taken = take(db, errand)
        assert taken is not None
        assert taken.told.study_uid == "deadly"
        other = take(db, errand)
        assert other is not None
        now += 2_000_000_000
    last = take(db, errand)
    assert last is None or last.told.study_uid == "harmless"
    assert "deadly" in [p.told.study_uid for p in parked(db)]
    assert "died" in parked(db)[0].reason


def test_a_failing_errand_waits_longer_each_time(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    db = archive.stores.db
    tries: list[int] = []
    start = now = clock.now_ns()
    monkeypatch.setattr(clock, "now_ns", lambda: now)

    def work(_: Told) -> None:
        tries.append((now - start) // 1_000_000_000)
        raise Unavailable("the model is away")

    errand = Errand("e", STORED, work, retry=Backoff(attempts=5, first_s=10.0))
    enrol(db, [errand])
    tell(db, "1")
    for _ in range(400):
        drain(db, errand)
        now += 1_000_000_000
    gaps = [b - a for a, b in pairwise(tries)]
    assert len(tries) == 5
    assert all(5 * 2**n <= gap <= 10 * 2**n + 1 for n, gap in enumerate(gaps)), gaps
    (given_up,) = parked(db)
    assert given_up.reason == "the model is away"
    with db.write() as tx:
        assert not deliveries.discard(tx, given_up.id + 1)
        assert deliveries.discard(tx, given_up.id)


def test_an_errand_may_begin_with_what_comes(archive: Archive) -> None:
    db = archive.stores.db
    seen: list[str] = []
    errand = Errand("e", STORED, lambda told: seen.append(told.study_uid), from_start=False)
    tell(db, "before")
    enrol(db, [errand])
    enrol(db, [errand])
    tell(db, "after")
    drain(db, errand)
    assert seen == ["after"]


# -- the crew -----------------------------------------------------------------------------------


def test_one_that_hangs_keeps_nobody_from_working(archive: Archive) -> None:
    db = archive.stores.db
    begun, release = threading.Event(), threading.Event()
    followed: list[str] = []
    looked_after: list[str] = []

    def chore() -> bool:
        looked_after.append("x")
        raise KeyError

    hanging = Errand("hanging", STORED, lambda _: no_answer(begun, release))
    follower = Follower("f", STORED, lambda _, told: followed.extend(t.study_uid for t in told))
    crew = Crew(db, [hanging, follower], [Chore("fails", chore, every_s=0.01)])
    crew.start()
    tell(db, "1")
    eventually(lambda: followed == ["1"])
    tell(db, "2")
    eventually(lambda: followed == ["1", "2"])
    assert looked_after
    assert begun.wait(30)
    assert not crew.stop(grace_s=0.2)
    release.set()
    assert crew.stop()

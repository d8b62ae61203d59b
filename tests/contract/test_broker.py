"""Errands over a real broker: whatever becomes of it or of a worker, the outbox says what is done."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from pacs.config import BrokerConfig
from pacs.db.connection import sqlite_url
from pacs.outbox import deliveries, events, log
from pacs.outbox.events import Event, Kind
from pacs.outbox.subscriber import enrol, perform, take
from pacs.runtime import Archive
from pacs.worker.app import make_app
from tests.support import redis_server
from tests.support.errand_worker import ATTEMPTS, Workers, errands
from tests.support.redis_server import RedisServer

SECONDS = 90.0


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """These tests' own: they flush and stop it."""
    with redis_server.running() as server:
        yield server


@pytest.fixture
def workers(archive: Archive, redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    redis.flush()
    (folder := tmp_path / "done").mkdir()
    index_url = archive.config.index.url or sqlite_url(archive.config.data / "index.db")
    found = Workers(index_url, folder, redis.url, [])
    enrol(archive.stores.db, errands(folder))
    yield found
    found.kill()


def tell(archive: Archive, kind: Kind, *studies: str) -> None:
    with archive.stores.db.write() as tx:
        for study in studies:
            events.append(tx, Event(kind, study))


def until(holds: Callable[[], bool], workers: Workers, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it did not come true in time\n{workers.log()[-4000:]}"
        time.sleep(0.05)


def is_all_done(archive: Archive, *names: str) -> bool:
    """Every event is read by these errands, and none of theirs waits or is in hand."""
    with archive.stores.db.read() as tx:
        unread = [
            cursor.name
            for cursor in log.cursors(tx)
            if cursor.name in names and log.first_unread_ns(tx, cursor.position, list(Kind)) is not None
        ]
        return not unread and not any(deliveries.waiting(tx).get(name) for name in names)


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}.{number}" for number in range(count)]


def test_workers_share_it_and_one_that_hangs_holds_up_no_other(archive: Archive, workers: Workers) -> None:
    tell(archive, Kind.REFUSED, *numbered("hang", 200))
    workers.start(2)
    until(lambda: len(workers.done("hang")) == 2, workers)
    studies = numbered("1.2", 80)
    tell(archive, Kind.STORED, *studies)
    until(lambda: is_all_done(archive, "mark"), workers)
    assert Counter(workers.done("mark")) == Counter(studies)
    assert len(workers.who("mark")) == 2
    assert len(workers.done("hang")) == 2, "one at a time in each process"
    (workers.folder / "release").touch()
    until(lambda: is_all_done(archive, "hang"), workers)
    assert len(workers.done("hang")) == 200
    workers.stop()


def test_it_ends_as_it_does_without_a_broker(archive: Archive, workers: Workers) -> None:
    tell(archive, Kind.SUPERSEDED, "there")
    workers.start()

    def parked() -> list[deliveries.Parked]:
        with archive.stores.db.read() as tx:
            return list(deliveries.parked(tx))

    until(lambda: bool(parked()), workers)
    workers.stop()
    assert workers.done("poison") == ["tried"] * ATTEMPTS
    (errand,) = [one for one in errands(workers.folder) if one.name == "poison"]
    tell(archive, Kind.SUPERSEDED, "here")
    until(lambda: _work_here(archive, errand) and len(parked()) == 2, workers)
    there, here = parked()
    assert there.reason == here.reason
    assert there.reason.startswith("KeyError at poison:")
    assert there.attempts == here.attempts == ATTEMPTS
    assert "name of somebody" not in workers.log()


def _work_here(archive: Archive, errand: Any) -> bool:
    from pacs.outbox.subscriber import serve

    serve(archive.stores.db, errand)
    return True


def test_a_flushed_broker_loses_no_work(archive: Archive, workers: Workers, redis: RedisServer) -> None:
    workers.start(2)
    studies = numbered("1.2", 300)
    for begin in range(0, 300, 50):
        tell(archive, Kind.STORED, *studies[begin : begin + 50])
        time.sleep(0.1)
        redis.flush()
    until(lambda: is_all_done(archive, "mark"), workers)
    assert Counter(workers.done("mark")) == Counter(studies), "a lost message costs no attempt either"
    workers.stop()


def test_what_a_killed_worker_had_begun_is_done_by_another(archive: Archive, workers: Workers) -> None:
    tell(archive, Kind.SETTLED, "1.2")
    workers.start()
    until(lambda: workers.done("slow-begun") == ["1.2"], workers)
    workers.kill()
    assert workers.done("slow") == []
    tell(archive, Kind.STORED, *numbered("1.3", 20))
    workers.start()
    until(lambda: is_all_done(archive, "slow", "mark"), workers)
    assert workers.done("slow-begun") == ["1.2", "1.2"]
    assert workers.done("slow") == ["1.2"]
    assert Counter(workers.done("mark")) == Counter(numbered("1.3", 20))


def test_work_goes_on_while_the_broker_is_away(
    archive: Archive, workers: Workers, redis: RedisServer
) -> None:
    workers.start()
    tell(archive, Kind.STORED, "with")
    until(lambda: workers.done("mark") == ["with"], workers)
    redis.stop()
    try:
        tell(archive, Kind.STORED, *numbered("without", 20))
        until(lambda: is_all_done(archive, "mark"), workers)
        assert Counter(workers.done("mark")) == Counter(["with", *numbered("without", 20)])
    finally:
        redis.start()
    until(lambda: _is_listened_to(redis), workers)
    seen = redis.client().info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"]
    tell(archive, Kind.STORED, "again")
    until(lambda: is_all_done(archive, "mark"), workers)
    assert workers.done("mark")[-1] == "again"
    assert redis.client().info("commandstats")["cmdstat_lpush"]["calls"] > seen, "by a message"
    workers.stop()


def _is_listened_to(redis: RedisServer) -> bool:
    return any(client["cmd"] == "brpop" for client in redis.client().client_list())


def test_a_broker_that_does_not_answer_holds_nothing_up(
    archive: Archive, workers: Workers, redis: RedisServer
) -> None:
    workers.start()
    until(lambda: _is_listened_to(redis), workers)
    with redis.frozen():
        tell(archive, Kind.STORED, *numbered("1.2", 5))
        until(lambda: is_all_done(archive, "mark"), workers)
        workers.stop()
    assert Counter(workers.done("mark")) == Counter(numbered("1.2", 5))


def test_messages_of_strangers_and_doubles_do_nothing(
    archive: Archive, workers: Workers, redis: RedisServer
) -> None:
    """Whoever reaches Redis can only hurry what the outbox has announced."""
    tell(archive, Kind.SETTLED, "1.2")
    workers.start()
    until(lambda: workers.done("slow-begun") == ["1.2"], workers)
    with archive.stores.db.read() as tx:
        id_ = tx.exec_driver_sql("SELECT id FROM deliveries").scalar_one()
    app = make_app(BrokerConfig(redis.url), ["slow", "mark"])
    for words in ((id_, 0), (id_, 1), (id_, 1), (id_, 2), (id_ + 1, 0)):
        app.send_task("hilum.slow", words)
    for odd in (("1", 0), (id_,), (), (10**30, 0), (-1, 0), (True, 0), ({"a": 1}, [2])):
        app.send_task("hilum.slow", odd, queue="slow")
    app.send_task("hilum.slow", (id_, 1), {"what": 1}, queue="slow")
    for name in ("celery.map", "celery.chain", "os.system"):
        app.send_task(name, ({"task": "hilum.slow"}, [[id_, 1]]), queue="slow")
    _send_raw(redis, b"cos\nsystem\n(S'touch owned'\ntR.", "application/x-python-serialize")
    _send_raw(redis, b"{not json", "application/json")
    until(lambda: is_all_done(archive, "slow"), workers)
    tell(archive, Kind.SETTLED, "1.3")
    until(lambda: workers.done("slow") == ["1.2", "1.3"], workers)
    assert workers.done("slow-begun") == ["1.2", "1.3"]
    workers.stop()


def _send_raw(redis: RedisServer, body: bytes, content_type: str) -> None:
    with Connection(redis.url, transport_options={"global_keyprefix": "hilum."}) as connection:
        connection.Producer().publish(
            body, routing_key="slow", content_type=content_type, content_encoding="binary",
            headers={"task": "hilum.slow", "id": "x", "lang": "py"},
        )  # fmt: skip


def test_taken_here_meanwhile_a_message_comes_too_late(archive: Archive, workers: Workers) -> None:
    """A worker without the broker works beside those with it."""
    (errand,) = [one for one in errands(workers.folder) if one.name == "slow"]
    tell(archive, Kind.SETTLED, "1.2")
    _work_here(archive, errand)
    with archive.stores.db.write() as tx:
        assert deliveries.announce(tx, "slow", errand.retry, 10**10, 5) == ()
    assert take(archive.stores.db, errand) is None
    assert perform is not None

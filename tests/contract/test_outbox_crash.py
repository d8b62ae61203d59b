"""A worker killed at any moment: followers have worked exactly once, errands at least once."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from pacs.db.connection import sqlite_url
from pacs.outbox import deliveries, events, log
from pacs.outbox.events import Event, Kind
from pacs.runtime import Archive

WORKER = """
import sys, threading, time
from pacs.db.connection import Database
from pacs.outbox import events
from pacs.outbox.crew import Crew
from pacs.outbox.events import Event, Kind
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand, Follower

db, path = Database(sys.argv[1]), sys.argv[2]

def follow(tx, told):
    for event in told:
        events.append(tx, Event(Kind.REFUSED, event.study_uid))

def run(told):
    time.sleep(0.002)
    with open(path, "a") as out:
        out.write(told.study_uid + "\\n")

stored = frozenset({Kind.STORED})
patient = Backoff(attempts=1000, first_s=0.1)
Crew(db, [
    Follower("f", stored, follow, batch=3),
    Errand("e", stored, run, batch=5, lease_s=0.5, workers=2, retry=patient),
]).start()
print("ready", flush=True)
threading.Event().wait()
"""


def test_killed_workers_lose_nothing_and_repeat_only_errands(archive: Archive, tmp_path: Path) -> None:
    db, random, out = archive.stores.db, Random(11), tmp_path / "run"
    url = archive.config.index.url or sqlite_url(archive.config.data / "index.db")
    expected = set()
    for life in range(4):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, url, str(out)], stdout=subprocess.PIPE)
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
            for n in range(40):
                expected.add(study := f"{life}.{n}")
                with db.write() as tx:
                    events.append(tx, Event(Kind.STORED, study))
            if life == 3:
                _until_all_is_done(archive)
            else:
                time.sleep(random.uniform(0, 0.3))
        finally:
            worker.kill()
            worker.communicate()
    with db.read() as tx:
        followed = [told.study_uid for told in log.read(tx, log.START, 10_000) if told.kind == Kind.REFUSED]
        assert deliveries.parked(tx) == ()
    assert Counter(followed) == Counter(expected)
    assert set(out.read_text().split()) == expected


def _until_all_is_done(archive: Archive) -> None:
    until = time.monotonic() + 60
    while True:
        with archive.stores.db.read() as tx:
            unread = [c for c in log.cursors(tx) if log.first_unread_ns(tx, c.position, [Kind.STORED])]
            if not unread and not deliveries.waiting(tx):
                return
        assert time.monotonic() < until, "not done in time"
        time.sleep(0.1)

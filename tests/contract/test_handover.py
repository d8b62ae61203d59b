"""Deliveries and the messages about them: lost, late and doubled ones change nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pacs import clock
from pacs.db.connection import Database
from pacs.errors import Unavailable
from pacs.outbox import deliveries, events
from pacs.outbox.deliveries import Note
from pacs.outbox.events import Event, Kind
from pacs.outbox.handover import AHEAD, Sender, obey
from pacs.outbox.log import Told
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand, enrol, serve, take
from pacs.runtime import Archive
from tests.contract.conftest import Opener

STORED = frozenset({Kind.STORED})
WAIT_S = 15.0


@dataclass(slots=True)
class Letters:
    """A broker whose messages lie open. Those after the first `fails_after` cannot be sent."""

    sent: list[Note] = field(default_factory=list)
    there: bool = True
    fails_after: int = 1000

    def is_away(self, _errand: str, /) -> bool:
        return not self.there

    def ask(self, _errand: str, /) -> bool:
        return self.there

    def send(self, _errand: str, notes: Sequence[Note], /) -> None:
        for note in notes:
            if len(self.sent) >= self.fails_after:
                raise Unavailable("the broker is away")
            self.sent.append(note)


@dataclass(slots=True)
class Clock:
    now: int

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(clock.now_ns())
    monkeypatch.setattr(clock, "now_ns", lambda: found.now)
    return found


@dataclass(slots=True)
class Desk:
    """One errand, what it has seen, and who sends messages about it."""

    db: Database
    letters: Letters
    seen: list[str] = field(default_factory=list)
    fails: bool = False
    errand: Errand = field(init=False)
    sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        retry = Backoff(attempts=3, first_s=1.0, longest_s=1.0)
        self.errand = Errand("e", STORED, self._work, lease_s=60.0, workers=2, retry=retry)
        self.sender = Sender(self.db, self.errand, self.letters, WAIT_S)
        enrol(self.db, [self.errand])

    def _work(self, told: Told) -> None:
        self.seen.append(told.study_uid)
        if self.fails:
            raise Unavailable("the model is away")

    def tell(self, *studies: str) -> None:
        with self.db.write() as tx:
            for study in studies:
                events.append(tx, Event(Kind.STORED, study))

    def obey(self, note: Note) -> bool:
        return obey(self.db, self.errand, note)

    def waiting(self) -> int:
        with self.db.read() as tx:
            return deliveries.waiting(tx).get("e", 0)


@pytest.fixture
def desk(archive: Archive, time: Clock) -> Desk:
    return Desk(archive.stores.db, Letters())


def test_a_message_brings_its_work_about_once(desk: Desk) -> None:
    desk.tell("1")
    assert desk.sender.serve()
    (note,) = desk.letters.sent
    assert desk.obey(note)
    assert not desk.obey(note), "a double"
    assert desk.seen == ["1"]
    assert not desk.waiting()


def test_lost_messages_are_sent_again_and_cost_no_attempt(desk: Desk, time: Clock) -> None:
    desk.tell("1")
    for _ in range(10):
        desk.sender.serve()
        time.passes(WAIT_S + 0.1)
    assert len(desk.letters.sent) == 10
    assert len(set(desk.letters.sent)) == 1, "any of them will do, the first as well as the last"
    assert desk.obey(desk.letters.sent[0])
    assert not any(desk.obey(note) for note in desk.letters.sent)
    assert desk.seen == ["1"]


def test_only_so_many_are_on_the_way(desk: Desk, time: Clock) -> None:
    desk.tell(*map(str, range(50)))
    at_once = desk.errand.workers * AHEAD
    for _ in range(3):
        desk.sender.serve()
    assert len(desk.letters.sent) == at_once
    assert desk.obey(desk.letters.sent[0])
    desk.sender.serve()
    assert len(desk.letters.sent) == at_once + 1
    while desk.waiting():
        desk.sender.serve()
        while desk.letters.sent:
            desk.obey(desk.letters.sent.pop())
    assert sorted(desk.seen, key=int) == list(map(str, range(50)))


def test_what_could_not_be_sent_is_due_at_once(desk: Desk) -> None:
    desk.tell("1", "2", "3")
    desk.letters.fails_after = 1
    desk.sender.serve()
    assert len(desk.letters.sent) == 1
    while serve(desk.db, desk.errand):
        pass
    assert desk.seen == ["1", "2", "3"]
    assert not desk.obey(desk.letters.sent[0]), "done here meanwhile"


def test_without_the_broker_nothing_is_announced(desk: Desk) -> None:
    desk.tell("1")
    desk.letters.there = False
    while desk.sender.serve():
        pass
    assert serve(desk.db, desk.errand)
    assert desk.seen == ["1"]


def test_what_is_leased_or_waits_for_another_try_is_nobody_elses(desk: Desk, time: Clock) -> None:
    """Forged messages that guess the count of attempts steal no lease."""
    desk.tell("1")
    desk.sender.serve()
    time.passes(WAIT_S + 0.1)
    taken = take(desk.db, desk.errand)
    assert taken is not None
    forged = [Note(taken.id, attempts) for attempts in range(4)]
    assert not any(desk.obey(note) for note in forged)
    with desk.db.write() as tx:
        deliveries.failed(tx, taken, "no answer", desk.errand.retry)
    assert not any(desk.obey(note) for note in forged)
    time.passes(2.0)
    desk.sender.serve()
    assert desk.obey(Note(taken.id, 1))
    assert desk.seen == ["1"]


def test_what_fails_is_parked_after_as_many_attempts_as_without_a_broker(desk: Desk, time: Clock) -> None:
    desk.fails = True
    desk.tell("1")
    for _ in range(20):
        desk.sender.serve()
        while desk.letters.sent:
            desk.obey(desk.letters.sent.pop())
        time.passes(1.0)
    assert desk.seen == ["1"] * 3
    with desk.db.read() as tx:
        (given_up,) = deliveries.parked(tx)
    assert (given_up.attempts, given_up.reason) == (3, "the model is away")
    assert not any(desk.obey(Note(given_up.id, attempts)) for attempts in range(5))
    with desk.db.write() as tx:
        deliveries.unpark(tx)
    desk.fails = False
    desk.sender.serve()
    assert desk.obey(desk.letters.sent.pop())


def test_what_kills_every_worker_is_parked(desk: Desk, time: Clock) -> None:
    desk.tell("deadly")
    for _ in range(3):
        desk.sender.serve()
        note = desk.letters.sent.pop()
        with desk.db.write() as tx:
            assert deliveries.begin(tx, "e", note, 10**9) is not None
        time.passes(61.0)
    desk.sender.serve()
    assert desk.letters.sent == []
    with desk.db.read() as tx:
        (given_up,) = deliveries.parked(tx)
    assert "died" in given_up.reason


def test_two_senders_never_announce_the_same(opened: Opener, time: Clock) -> None:
    desks = [Desk(opened().stores.db, Letters()) for _ in range(2)]
    desks[0].tell(*map(str, range(10)))
    for _ in range(2):
        for one in desks:
            one.sender.serve()
    sent = [note.id for one in desks for note in one.letters.sent]
    assert len(sent) == len(set(sent)) == 10

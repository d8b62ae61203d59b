"""The threads that serve subscribers and chores in one process; any number of processes may."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pacs import clock
from pacs import log as logging
from pacs.db.connection import Database
from pacs.errors import PacsError
from pacs.outbox import log
from pacs.outbox.deliveries import Note
from pacs.outbox.handover import WAIT_S, Broker, Sender, obey
from pacs.outbox.subscriber import Errand, Follower, Subscriber, describe, enrol, is_behind, retire, serve

IDLE_S: Final = 0.2
_TROUBLE_S: Final = 1.0
_log = logging.get(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to look after again and again; `work` says whether there is more to do at once."""

    name: str
    work: Callable[[], bool]
    every_s: float = IDLE_S


def trimming(db: Database, keep_s: float) -> Chore:
    """Remove events that every reader has passed and that are older than `keep_s`."""

    def work() -> bool:
        return db.transact(lambda tx: log.trim(tx, clock.now_ns() - round(keep_s * 1e9))) > 0

    return Chore("trim", work, every_s=60.0)


class Crew:
    """Each subscriber has threads of its own: one that hangs keeps nobody else from working.

    With a broker, errands are sent to whoever gets the message, and done here only while it is away."""

    def __init__(
        self,
        db: Database,
        subscribers: Sequence[Subscriber],
        chores: Sequence[Chore] = (),
        *,
        retired: Sequence[str] = (),
        wait_s: float = WAIT_S,
    ) -> None:
        """`retired` names subscribers that are switched off: nothing is kept for them."""
        self._db = db
        self._retired = tuple(retired)
        self._subscribers = tuple(subscribers)
        self._chores = tuple(chores)
        self._wait_s = wait_s
        self._senders: dict[str, Sender] = {}
        # Messages and the time without a broker share the workers of an errand.
        self._free = {name: threading.Semaphore(one.workers) for name, one in self.errands.items()}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def errands(self) -> Mapping[str, Errand]:
        """By name: what can be handed to a broker."""
        return MappingProxyType({one.name: one for one in self._subscribers if isinstance(one, Errand)})

    def enrol(self) -> None:
        """From now on nothing is told that would pass the subscribers by, whenever one of them starts.
        Raises Unavailable."""
        enrol(self._db, self._subscribers)

    def start(self, broker: Broker | None = None) -> None:
        """Raises Unavailable."""
        self.enrol()
        retire(self._db, self._retired)
        for subscriber in self._subscribers:
            if isinstance(subscriber, Errand) and broker is not None:
                self._send(subscriber, broker)
            workers = subscriber.workers if isinstance(subscriber, Errand) else 1
            for _ in range(workers):
                self._spawn(subscriber.name, self._serving(subscriber, broker), IDLE_S)
        for chore in self._chores:
            self._spawn(chore.name, chore.work, chore.every_s)

    def obey(self, errand: str, note: Note) -> bool:
        """A message has come. False when there was nothing to do; raises Unavailable."""
        with self._free[errand]:
            done = obey(self._db, self.errands[errand], note)
        if (sender := self._senders.get(errand)) is not None:
            sender.ended()
        return done

    def stop(self, grace_s: float = 5.0) -> bool:
        """Begin nothing new, and wait a while for what is begun; False when something is still at
        work. That ends with the process, and its lease brings the event back."""
        self._stop.set()
        until = clock.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, until - clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self, errand: Errand, broker: Broker) -> None:
        sender = self._senders[errand.name] = Sender(self._db, errand, broker, self._wait_s)
        self._spawn(f"{errand.name}-sender", sender.serve, IDLE_S)

    def _serving(self, subscriber: Subscriber, broker: Broker | None) -> Callable[[], bool]:
        if isinstance(subscriber, Errand) and broker is not None:
            return lambda: broker.is_away(subscriber.name) and self._serve_alone(subscriber)
        if isinstance(subscriber, Follower):
            return lambda: self._follow(subscriber)
        return lambda: serve(self._db, subscriber)

    def _follow(self, follower: Follower) -> bool:
        """What arrives one by one is taken together, a few times a second: a transaction for each would
        make those who bring it wait for the disk twice."""
        return serve(self._db, follower) and is_behind(self._db, follower)

    def _serve_alone(self, errand: Errand) -> bool:
        with self._free[errand.name]:
            return serve(self._db, errand)

    def _spawn(self, name: str, work: Callable[[], bool], idle_s: float) -> None:
        thread = threading.Thread(target=self._loop, args=(name, work, idle_s), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self, name: str, work: Callable[[], bool], idle_s: float) -> None:
        while not self._stop.is_set():
            try:
                pause = 0.0 if work() else idle_s
            except PacsError as error:
                _log.warning("postponed name=%s reason=%s", name, error)
                pause = _TROUBLE_S
            except Exception as error:  # noqa: BLE001 - one bad round must not end the upkeep for good
                _log.error("failed name=%s reason=%s", name, describe(error))
                pause = _TROUBLE_S
            if pause:
                self._stop.wait(pause)

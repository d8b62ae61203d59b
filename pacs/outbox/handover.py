"""Errands with a broker: messages say that there is work, the outbox says which, and whose it is.

A message names a delivery and how often it was tried, nothing else. It may be lost, doubled, late or
forged: who gets it asks the outbox first. Only a bounded number of each errand's deliveries is on the
way at once, so that one that hangs leaves room for the others.
"""

import threading
from collections.abc import Sequence
from typing import Final, Protocol

from pacs import log as logging
from pacs.db.connection import Database
from pacs.errors import Unavailable
from pacs.outbox import deliveries
from pacs.outbox.deliveries import Note
from pacs.outbox.subscriber import Errand, advance, perform

WAIT_S: Final = 15.0
"""How long a message may take to arrive before another is sent."""
AHEAD: Final = 4
"""For each worker of an errand so many deliveries are on the way, so that none waits for the next."""
_LOOK_S: Final = 0.05
_log = logging.get(__name__)


class Broker(Protocol):
    """Carries messages to whoever works, in this process or another."""

    def is_away(self, errand: str, /) -> bool:
        """Whether its work should be done here meanwhile. Answers at once."""

    def ask(self, errand: str, /) -> bool:
        """Whether messages about it are carried now. May wait for the broker, but not for long."""

    def send(self, errand: str, notes: Sequence[Note], /) -> None:
        """Raises Unavailable when not all of them could be sent."""


class Sender:
    """Announces the deliveries of one errand and sends messages about them. For one thread."""

    def __init__(self, db: Database, errand: Errand, broker: Broker, wait_s: float = WAIT_S) -> None:
        self._db = db
        self._errand = errand
        self._broker = broker
        self._wait_ns = round(wait_s * 1e9)
        self._sent: list[Note] = []
        self._ended = threading.Event()

    def ended(self) -> None:
        """Something that was on the way has ended in this process: look at once. From any thread."""
        self._ended.set()

    def serve(self) -> bool:
        """One bounded round; False when there is nothing to send now and nothing on the way."""
        moved = advance(self._db, self._errand)
        if not self._broker.ask(self._errand.name):
            return moved
        if self._send_some() or moved:
            return True
        if self._sent:
            self._ended.wait(_LOOK_S)
        return bool(self._sent)

    def _send_some(self) -> bool:
        self._ended.clear()
        errand = self._errand
        with self._db.read() as tx:
            still = deliveries.on_the_way(tx, self._sent)
            self._sent = [note for note in self._sent if note.id in still]
            room = errand.workers * AHEAD - len(self._sent)
            if room <= 0 or not deliveries.is_due(tx, errand.name):
                return False
        notes = self._db.transact(
            lambda tx: deliveries.announce(tx, errand.name, errand.retry, self._wait_ns, room)
        )
        try:
            self._broker.send(errand.name, notes)
        except Unavailable as error:
            _log.warning("not sent subscriber=%s reason=%s", errand.name, error)
            self._db.transact(lambda tx: deliveries.withdraw(tx, notes))
            return False
        self._sent += notes
        return bool(notes)


def obey(db: Database, errand: Errand, note: Note) -> bool:
    """What is to be done on a message. False when there was nothing to do any more. Raises
    Unavailable when the index is away; the delivery comes back by itself."""
    taken = db.transact(lambda tx: deliveries.begin(tx, errand.name, note, errand.hold_ns))
    if taken is None:
        return False
    perform(db, errand, taken)
    return True

"""Every look is recorded before it is allowed to see anything.

A viewer asks for thousands of frames of one study; one row tells of them all. Such a repeated look
by the same actor from the same address is written again only after five minutes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Final

import sqlalchemy as sa

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database

_WINDOW: Final = 300.0  # seconds
_REMEMBERED: Final = 10_000

Whose = Callable[[sa.Connection], Iterable[tuple[str, str]]]


class Recent:
    """What has been written down in the last five minutes. Thread-safe; bounded, so that it may forget."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, look: Hashable) -> bool:
        with self._lock:
            until = self._seen.get(look)
        return until is not None and clock.monotonic() < until

    def add(self, look: Hashable) -> None:
        with self._lock:
            self._seen[look] = clock.monotonic() + _WINDOW
            self._seen.move_to_end(look)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)


class Looks:
    """Thread-safe; what it remembers is bounded and only ever saves writing a row twice."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._written = Recent()

    def admitted(
        self, actor: Actor, action: Action, *, asked: Hashable, studies: Collection[str] = ()
    ) -> bool:
        """Whether `admit` would have nothing to write and nothing to object."""
        return allows(actor, action, studies) and self._written.holds((actor, action, asked))

    def admit(
        self,
        actor: Actor,
        action: Action,
        whose: Whose,
        *,
        asked: Hashable,
        detail: str,
        often: bool,
        studies: Collection[str] = (),
    ) -> None:
        """Record the look, or the refusal, and raise Forbidden if it is one.

        `whose` tells the (patient ID, Study Instance UID) pairs that are asked for; `studies` are
        those that the look is confined to, if it is to any."""
        if often and self.admitted(actor, action, asked=asked, studies=studies):
            return
        allowed = allows(actor, action, studies)
        with self._db.write() as tx:
            pairs = tuple(whose(tx))  # whose data was asked for is known of a refusal, too
            for patient_id, study_uid in pairs or (("", _named(studies)),):
                record(
                    tx,
                    actor,
                    action,
                    outcome=("ok" if pairs else "nothing found") if allowed else "forbidden",
                    patient_id=patient_id,
                    study_uid=study_uid,
                    detail=detail,
                )
        require(actor, action, studies)
        if often and pairs:  # what is there later is another look
            self._written.add((actor, action, asked))


def _named(studies: Collection[str]) -> str:
    """The study that was asked for in vain, so that its trail tells of it."""
    return next(iter(studies))[:64] if len(studies) == 1 else ""

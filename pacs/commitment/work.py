"""What is done about a commitment in the background: its objects are read, its station is called."""

import time
from collections.abc import Callable
from typing import Final

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import system
from pacs.auth.policy import Action
from pacs.commitment import rows
from pacs.commitment.model import Commitment, Reference, Result, Verdict
from pacs.db.connection import Database, Transaction
from pacs.errors import Unavailable
from pacs.outbox import events
from pacs.outbox.crew import Chore
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import Told
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand

VERIFY: Final = "commitment-verify"
TELL: Final = "commitment-tell"
ON_A_NEW: Final = "new association"

_ME: Final = system("commitment")
# A week in all: stations are switched off over holidays, and nobody should have to ask again for them.
_RETRY: Final = Backoff(attempts=460, first_s=1.0, longest_s=1800.0)
_LONGEST_S: Final = 6 * 3600.0  # a study may be large, and lie on the cold tier
_HELD_S: Final = 10.0
_TELLERS: Final = 4  # one station that hangs does not keep the others waiting
_HOLDER: Final = "errand"  # one name for all: who takes the work of one that died has its place, too
_HELD_NS: Final = 3600 * 10**9  # longer than any call lasts; given back when it fails
_PATIENCE_S: Final = 10.0  # for an association that is about to tell
_LOOK_S: Final = 0.2
_AT_ONCE: Final = 20
_FORGOTTEN_AT_ONCE: Final = 100

Judge = Callable[[Reference], Verdict]
Tell = Callable[[Result], None]


class Work:
    """`judge` raises Unavailable while it cannot tell; `tell` calls the station over an association
    of its own, and raises Unavailable when that does not succeed."""

    def __init__(self, db: Database, judge: Judge, tell: Tell) -> None:
        self._db = db
        self._judge = judge
        self._tell = tell

    def errands(self) -> tuple[Errand, Errand]:
        asked, decided = frozenset({Kind.COMMITMENT_ASKED}), frozenset({Kind.COMMITMENT_DECIDED})
        return (
            Errand(VERIFY, asked, self.verify, retry=_RETRY, lease_s=_LONGEST_S, held_s=_HELD_S),
            Errand(
                TELL, decided, self.tell, retry=_RETRY, lease_s=_LONGEST_S, held_s=_HELD_S, workers=_TELLERS
            ),
        )

    def chore(self, keep_s: float) -> Chore:
        """Forget what was told long ago."""

        def work() -> bool:
            before_ns = clock.now_ns() - round(keep_s * 1e9)
            return self._db.transact(lambda tx: rows.forget(tx, before_ns, _FORGOTTEN_AT_ONCE)) > 0

        return Chore("commitments", work, every_s=60.0)

    def verify(self, told: Told) -> None:
        """Look at every object that was not looked at yet: one that dies on the way is followed up."""
        id_ = self._begin(told)
        while True:
            with self._db.read() as tx:
                objects = rows.undecided(tx, id_, _AT_ONCE)
            if not objects:
                break
            found = [(object_id, self._judge(reference)) for object_id, reference in objects]
            self._db.transact(lambda tx, found=found: rows.decide(tx, found))  # type: ignore[misc]
        self._db.transact(lambda tx: _close(tx, id_))

    def tell(self, told: Told) -> None:
        id_ = self._begin(told)
        one = self._hold(id_)
        if one is None:
            return
        with self._db.read() as tx:
            result = rows.result(tx, one)
        try:
            self._tell(result)
        except BaseException:
            with self._db.write() as tx:
                rows.let_go(tx, id_, _HOLDER)
            raise
        self._db.transact(lambda tx: _was_told(tx, one))

    def _begin(self, told: Told) -> int:
        id_ = int(told.payload["commitment"])
        self._db.transact(lambda tx: rows.note_event(tx, id_, told.seq))
        return id_

    def _hold(self, id_: int) -> Commitment | None:
        """None when it was told already. The association it was asked on goes first."""
        until = clock.monotonic() + _PATIENCE_S
        while True:
            with self._db.write() as tx:
                one = rows.get(tx, id_)
                if one is None or one.told_ns:
                    return None
                if rows.hold(tx, id_, _HOLDER, clock.now_ns() + _HELD_NS):
                    return one
            if clock.monotonic() > until:
                raise Unavailable("the association that it was asked on has not told it yet")
            time.sleep(_LOOK_S)


def _close(tx: Transaction, id_: int) -> None:
    one = rows.close(tx, id_)
    if one is not None:
        events.append(tx, Event(Kind.COMMITMENT_DECIDED, payload={"commitment": id_}))


def _was_told(tx: Transaction, one: Commitment) -> None:
    if rows.was_told(tx, one.id, ON_A_NEW):
        detail = f"told {one.aet}: {one.objects} objects, {one.failed} not kept"
        record(tx, _ME, Action.COMMIT, detail=detail)

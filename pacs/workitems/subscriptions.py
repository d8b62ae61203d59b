"""Who is told how steps go: subscribing, and the reports that wait for a subscriber (PS3.4 CC.2.3)."""

import re
from dataclasses import dataclass
from typing import Final

from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.errors import Invalid, NotFound
from pacs.outbox import log
from pacs.outbox.log import Position
from pacs.workitems import reports, rows, watchers
from pacs.workitems.model import EVERY, FILTERED, PUSH, Report, Step, StepState
from pacs.workitems.rows import Place
from pacs.workitems.steps import conditions_of, fits
from pacs.workitems.watchers import Keys, Watcher

_AET: Final = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?", re.ASCII)  # PS3.5 6.2, no backslash
_CHUNK: Final = 200
_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """Reports for one subscriber; go on from `position`, at once when there is `more`."""

    reports: tuple[Report, ...]
    position: Position
    more: bool


class Subscriptions:
    """Every method takes who asks first, raises Forbidden (audited), and leaves its trace in the audit
    trail. AE titles are checked: Invalid. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def subscribe(self, actor: Actor, aet: str, uid: str, *, locks: bool, keys: Keys = ()) -> None:
        """To one step, to every one (`uid` EVERY), or to those that match `keys` (`uid` FILTERED), those
        that are and those that come. A lock keeps a step that has ended from being forgotten.

        Raises Invalid, NotFound."""
        aet = self._admit(actor, "subscribe", aet, uid)
        if (uid == FILTERED) != bool(keys):
            raise Invalid(f"a filter goes with {FILTERED}, and only with it (PS3.18 11.10.1.2)")
        watcher = Watcher(aet, uid, locks, keys)
        conditions = conditions_of(keys)

        def work(tx: Transaction) -> None:
            watchers.enrol(tx, aet, log.end(tx))
            if uid == EVERY:
                watchers.watch(tx, watcher)
                watchers.subscribe_to_all(tx, aet, locks=locks)
                if locks:
                    watchers.tell_all_states(tx, aet)
            elif uid == FILTERED:
                watchers.watch(tx, watcher)
                after: Place | None = None
                while found := rows.page(tx, conditions, after=after, limit=_CHUNK):
                    fitting = [place.uid for place, one in found if fits(one, conditions)]
                    watchers.subscribe(tx, aet, fitting, locks=locks)
                    after = found[-1][0]
            else:
                step = rows.get(tx, uid)
                if step is None:
                    raise NotFound("there is no such workitem")
                watchers.subscribe(tx, aet, [uid], locks=locks)
                reports.tell(tx, step, [reports.state_of(step)], [aet])
            _audit(tx, actor, "subscribe", aet, uid)

        self._db.transact(work)

    def unsubscribe(self, actor: Actor, aet: str, uid: str) -> None:
        """From one step, or with EVERY or FILTERED from all that are and that come. Raises NotFound."""
        aet = self._admit(actor, "unsubscribe", aet, uid)

        def work(tx: Transaction) -> None:
            if uid in {EVERY, FILTERED}:
                known = watchers.unwatch(tx, aet, uid)
                watchers.unsubscribe_from_all(tx, aet)
            else:
                known = watchers.unsubscribe(tx, aet, uid)
            if not known:
                raise NotFound("there is no such subscription")
            _audit(tx, actor, "unsubscribe", aet, uid)

        self._db.transact(work)

    def suspend(self, actor: Actor, aet: str, uid: str) -> None:
        """Subscribe to no more steps as they come, and stay subscribed to those that are. Raises
        NotFound, Invalid."""
        if uid not in {EVERY, FILTERED}:
            raise Invalid("only the subscription to every step, or to those that match, is suspended")
        aet = self._admit(actor, "suspend", aet, uid)

        def work(tx: Transaction) -> None:
            if not watchers.unwatch(tx, aet, uid):
                raise NotFound("there is no such subscription")
            _audit(tx, actor, "suspend", aet, uid)

        self._db.transact(work)

    def open(self, actor: Actor, aet: str) -> Position:
        """From where on the subscriber has not been told; one that is unknown begins now."""
        aet = self._admit(actor, "listen", aet, "")

        def work(tx: Transaction) -> Position:
            watchers.enrol(tx, aet, log.end(tx))
            _audit(tx, actor, "listen", aet, "")
            return watchers.position(tx, aet)

        return self._db.transact(work)

    def waiting(self, aet: str, after: Position) -> Waiting:
        """For whoever has opened."""
        with self._db.read() as tx:
            events = log.read(tx, after, _EVENTS)
        found = (reports.addressed(event, aet) for event in events)
        position = events[-1].position if events else after
        return Waiting(tuple(r for r in found if r is not None), position, len(events) == _EVENTS)

    def told(self, aet: str, position: Position) -> None:
        """They have been sent; none of them is sent again."""
        with self._db.write() as tx:
            watchers.move(tx, aet, position)

    def restarted(self) -> bool:
        """Tell everybody who is told anything that the archive has started (CC.2.4.3)."""
        with self._db.read() as tx:
            if not watchers.everybody(tx):
                return False

        def work(tx: Transaction) -> None:
            # An event of the archive itself names its service class in place of a step.
            nothing = Step(PUSH, StepState.SCHEDULED, {})
            reports.tell(tx, nothing, [reports.of_restart()], watchers.everybody(tx))

        self._db.transact(work)
        return False

    def _admit(self, actor: Actor, what: str, aet: str, uid: str) -> str:
        if not allows(actor, Action.WORKITEM):
            with self._db.write() as tx:
                record(tx, actor, Action.WORKITEM, outcome="forbidden", detail=f"{what} {uid[:64]}".strip())
        require(actor, Action.WORKITEM)
        aet = aet.strip(" ")
        if not _AET.fullmatch(aet):
            raise Invalid("the subscriber is not named by an AE title (PS3.5 6.2)")
        return aet


def _audit(tx: Transaction, actor: Actor, what: str, aet: str, uid: str) -> None:
    record(tx, actor, Action.WORKITEM, detail=f"{what} {aet} {uid}".strip())

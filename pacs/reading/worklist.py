"""THE reading list: what its readers see and do. Models reach it by `reprioritise` only."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from pacs import clock
from pacs.audit.looks import Looks
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.errors import Conflict, Invalid, NotFound
from pacs.outbox import events
from pacs.outbox.events import Event, Kind
from pacs.reading import claims, rows, said
from pacs.reading.model import (
    Changes,
    ListPage,
    Place,
    Raised,
    Requested,
    ScoreCard,
    State,
    Verdict,
    WorkItem,
)
from pacs.reading.priority import DEFAULT, Weights

LEASE_S: Final = 900.0
_LONGEST_LEASE_S: Final = 86_400.0
_LONGEST_PAGE: Final = 1000
_AT_ONCE: Final = 200


class Worklist:
    """Every method takes who asks first, raises Forbidden (audited), and leaves its trace in the
    audit trail; what changes the list does so in the transaction of the change. Thread-safe."""

    def __init__(
        self, db: Database, looks: Looks, weights: Weights = DEFAULT, *, claim_s: float = LEASE_S
    ) -> None:
        self._db = db
        self._claim_s = claim_s
        self._looks = looks
        self._weights = weights

    def page(
        self, actor: Actor, *, limit: int = 100, after: Place | None = None, done: bool = False
    ) -> ListPage:
        """What is to be read, most pressing first; with `done`, what has been."""
        self._look(actor, "list")
        limit = _bounded(limit)
        with self._db.read() as tx:
            version = rows.version(tx)  # first: what changes meanwhile is told again, not missed
            found = rows.page(tx, done=done, after=after, limit=limit + 1, now_ns=clock.now_ns())
        items = found[:limit]
        more = Place(items[-1].rank_ns, items[-1].study_uid) if len(found) > limit else None
        return ListPage(items, more, version)

    def some(self, actor: Actor, study_uids: Collection[str]) -> ListPage:
        """Those of the studies that are in the list, read or to be read, most pressing first."""
        self._look(actor, "list")
        if len(study_uids) > _LONGEST_PAGE:
            raise Invalid(f"at most {_LONGEST_PAGE} studies are looked up at once")
        with self._db.read() as tx:
            version = rows.version(tx)
            return ListPage(rows.some(tx, study_uids, clock.now_ns()), None, version)

    def changes(self, actor: Actor, since: int, *, limit: int = 100) -> Changes:
        """Items that changed after the version `since`, in the order of their latest change."""
        self._look(actor, "list")
        limit = _bounded(limit)
        with self._db.read() as tx:
            items = rows.changed(tx, since=since, limit=limit, now_ns=clock.now_ns())
        version = items[-1].version if items else since
        return Changes(items, version, more=len(items) == limit)

    def item(self, actor: Actor, study_uid: str) -> WorkItem:
        """Raises NotFound."""
        self._look(actor, "list")
        with self._db.read() as tx:
            return _found(rows.get(tx, study_uid, clock.now_ns()))

    def findings(self, actor: Actor, study_uid: str) -> tuple[Raised, ...]:
        """What the latest run of each model found in the study."""
        self._look(actor, "findings", study_uid)
        with self._db.read() as tx:
            return said.current(tx, study_uid)

    def score_cards(self, actor: Actor) -> tuple[ScoreCard, ...]:
        """How each model fares."""
        self._look(actor, "score cards")
        with self._db.read() as tx:
            return said.score_cards(tx)

    def claim(self, actor: Actor, study_uid: str, seconds: float | None = None) -> WorkItem:
        """Take the study to read for so long (None: as long as usual).

        Exactly one of any number of claimers gets it.

        Raises NotFound, Conflict when another has it or it has been read, Invalid."""
        seconds = self._claim_s if seconds is None else seconds
        if not 0 < seconds <= _LONGEST_LEASE_S:
            raise Invalid(f"a claim lasts up to {_LONGEST_LEASE_S:.0f} seconds")
        lease_ns = round(seconds * 1e9)
        return self._change(
            actor, study_uid, "claim", lambda item, now: claims.claim(item, actor.name, now + lease_ns)
        )

    def release(self, actor: Actor, study_uid: str) -> WorkItem:
        """Raises NotFound, Conflict when another has it."""
        return self._change(actor, study_uid, "release", lambda item, _: claims.release(item, actor.name))

    def finish(self, actor: Actor, study_uid: str) -> WorkItem:
        """The study has been read. Raises NotFound, Conflict when another has or had it."""
        return self._change(
            actor, study_uid, "finish", lambda item, now: claims.finish(item, actor.name, now)
        )

    def reopen(self, actor: Actor, study_uid: str) -> WorkItem:
        """It has not been read after all. Raises NotFound."""
        return self._change(actor, study_uid, "reopen", lambda item, _: claims.reopen(item))

    def request(self, actor: Actor, study_uid: str, requested: Requested) -> WorkItem:
        """Set the priority that people ask for. Raises NotFound."""
        return self._change(
            actor, study_uid, f"request {requested}", lambda item, _: replace(item, requested=requested)
        )

    def judge(self, actor: Actor, finding_id: int, verdict: Verdict) -> Raised:
        """Accept, correct or reject a finding; the latest verdict counts. What is rejected gives the
        study no urgency any more. Raises NotFound."""
        self._admit(actor, "judge")

        def work(tx: Transaction) -> Raised:
            number, now = rows.begin(tx), clock.now_ns()
            known = said.find(tx, finding_id)
            if known is None:
                raise NotFound("no such finding")
            said.judge(tx, known.raised, verdict, actor.name, now)
            item = rows.get(tx, known.study_uid, now)
            if item is not None:
                rows.save(tx, item, number, self._weights, said.current(tx, known.study_uid))
            detail = f"{verdict} finding {finding_id} of {known.raised.model}"
            patient_id = item.patient_id if item else ""
            record(
                tx, actor, Action.WORKLIST, study_uid=known.study_uid, patient_id=patient_id, detail=detail
            )
            return replace(known.raised, verdict=verdict)

        return self._db.transact(work)

    def sweep(self) -> bool:
        """Show to those who watch the list that claims have ended; they end without it."""
        with self._db.read() as tx:
            if not rows.expired(tx, limit=1, now_ns=clock.now_ns()):
                return False
        return self._db.transact(self._sweep)

    def _sweep(self, tx: Transaction) -> bool:
        rows.begin(tx)
        over = rows.expired(tx, limit=_AT_ONCE, now_ns=clock.now_ns())
        for item in over:
            rows.save(tx, item, rows.begin(tx), self._weights)
            events.append(tx, Event(Kind.CLAIM, item.study_uid))
        return bool(over)

    def _change(
        self, actor: Actor, study_uid: str, what: str, decide: Callable[[WorkItem, int], WorkItem]
    ) -> WorkItem:
        """Decide under the list's lock; a refusal is written down too."""
        self._admit(actor, what, study_uid)

        def work(tx: Transaction) -> WorkItem | Conflict:
            number, now = rows.begin(tx), clock.now_ns()
            item = _found(rows.get(tx, study_uid, now))
            try:
                after = decide(item, now)
            except Conflict as refusal:
                _audit(tx, actor, item, what, "conflict")
                return refusal
            if after != item:
                rows.save(tx, after, number, self._weights)
                _tell(tx, actor, item, after)
            _audit(tx, actor, item, what, "ok")
            return _found(rows.get(tx, study_uid, now))

        outcome = self._db.transact(work)
        if isinstance(outcome, Conflict):
            raise outcome
        return outcome

    def _look(self, actor: Actor, detail: str, study_uid: str = "") -> None:
        """The list names studies only; whoever wants to know whose they are, searches."""

        def whose(tx: Transaction) -> tuple[tuple[str, str], ...]:
            item = rows.get(tx, study_uid, clock.now_ns()) if study_uid else None
            return ((item.patient_id if item else "", study_uid),)

        self._looks.admit(
            actor,
            Action.WORKLIST,
            whose,
            asked=(detail, study_uid),
            detail=detail,
            often=True,
        )

    def _admit(self, actor: Actor, what: str, study_uid: str = "") -> None:
        if not allows(actor, Action.WORKLIST):
            with self._db.write() as tx:
                record(tx, actor, Action.WORKLIST, outcome="forbidden", study_uid=study_uid[:64], detail=what)
        require(actor, Action.WORKLIST)


def _found(item: WorkItem | None) -> WorkItem:
    if item is None:
        raise NotFound("this study is not in the reading list")
    return item


def _tell(tx: Transaction, actor: Actor, before: WorkItem, after: WorkItem) -> None:
    if (before.state is State.DONE) == (after.state is State.DONE):
        if before.holder != after.holder:
            events.append(tx, Event(Kind.CLAIM, after.study_uid))
        return
    payload: dict[str, str | int] = {"state": after.state.value, "reader": actor.name}
    events.append(tx, Event(Kind.READ, after.study_uid, payload=payload))


def _bounded(limit: int) -> int:
    if limit < 1:
        raise Invalid("a page holds at least one item")
    return min(limit, _LONGEST_PAGE)


def _audit(tx: Transaction, actor: Actor, item: WorkItem, what: str, outcome: str) -> None:
    record(
        tx,
        actor,
        Action.WORKLIST,
        outcome=outcome,
        study_uid=item.study_uid,
        patient_id=item.patient_id,
        detail=what,
    )

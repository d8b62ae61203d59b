"""Ask for a commitment, hear its result, look after those that wait."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.commitment import rows
from pacs.commitment.model import Asked, Reference, Result, Shown
from pacs.commitment.work import TELL, VERIFY
from pacs.db.connection import Database, Transaction
from pacs.dicom import uids
from pacs.errors import Invalid, NotFound, Unavailable
from pacs.index import lookup
from pacs.outbox import deliveries, events
from pacs.outbox.events import Event, Kind

MOST: Final = 100_000  # objects in one request
ON_THE_SAME: Final = "same association"

_HELD_NS: Final = 6 * 10**9  # by an association that looks again every second
_NAMED_AT_ONCE: Final = 500


class Commitments:
    """Thread-safe; any number of processes may have one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ask(self, actor: Actor, asked: Asked, *, holder: str = "") -> int:
        """Write down that the actor wants these objects kept; returns the number of the commitment.

        With a `holder`, that one is to tell the result as long as it keeps asking for it. The same
        request once more, before its result was told, is the same commitment. Other objects under a
        transaction UID that is known are not looked at, and the result says so. Raises Forbidden
        (audited), Invalid, Unavailable."""
        if not allows(actor, Action.COMMIT):
            with self._db.write() as tx:
                record(tx, actor, Action.COMMIT, outcome="forbidden", detail=_detail(asked))
        require(actor, Action.COMMIT)
        _check(asked)
        return self._db.transact(lambda tx: _ask(tx, actor, asked, holder))

    def result(self, actor: Actor, id_: int, holder: str) -> Result | None:
        """What is to be told, for the holder to tell it; None while there is nothing to tell, or
        another is about to. It keeps the holder's place for some seconds.

        Raises Forbidden, NotFound when it has been told."""
        require(actor, Action.COMMIT)
        with self._db.write() as tx:
            one = rows.get(tx, id_)
            if one is None or one.told_ns or one.aet != actor.name:
                raise NotFound("no such commitment waits to be told")
            mine = rows.hold(tx, id_, holder, clock.now_ns() + _HELD_NS)
            return rows.result(tx, one) if mine and one.decided_ns else None

    def told(self, actor: Actor, id_: int) -> None:
        """The station has it. Raises Forbidden."""
        require(actor, Action.COMMIT)
        with self._db.write() as tx:
            one = rows.get(tx, id_)
            if one is not None and one.aet == actor.name and rows.was_told(tx, id_, ON_THE_SAME):
                record(tx, actor, Action.COMMIT, detail=f"told: {one.objects} objects, {one.failed} not kept")

    def let_go(self, actor: Actor, id_: int, holder: str) -> None:
        """The holder will not tell it. Raises Forbidden."""
        require(actor, Action.COMMIT)
        with self._db.write() as tx:
            rows.let_go(tx, id_, holder)

    def shown(self, actor: Actor, *, untold: bool = False, limit: int = 100) -> tuple[Shown, ...]:
        """The newest first. Raises Forbidden."""
        require(actor, Action.INSPECT)
        with self._db.read() as tx:
            found = rows.newest(tx, untold=untold, limit=limit)
            seqs = [seq for _, seq in found]
            aside = deliveries.aside(tx, VERIFY, seqs) | deliveries.aside(tx, TELL, seqs)
        nothing = deliveries.Aside(0, 0, 0, "")
        waits = ((one, aside.get(seq, nothing)) for one, seq in found)
        return tuple(Shown(one, at.attempts, at.parked_ns > 0, at.reason) for one, at in waits)

    def retry(self, actor: Actor) -> int:
        """Try again what was given up; returns how many. Raises Forbidden."""
        require(actor, Action.COMMIT)
        with self._db.write() as tx:
            again = sum(deliveries.unpark(tx, subscriber=name) for name in (VERIFY, TELL))
            record(tx, actor, Action.COMMIT, detail=f"{again} commitments to be tried again")
        return again


def _check(asked: Asked) -> None:
    if not uids.is_valid(asked.transaction_uid):
        raise Invalid("the transaction UID is missing or no UID")
    if not asked.references:
        raise Invalid("no objects were named")
    if len(asked.references) > MOST:
        raise Unavailable(f"more than {MOST} objects in one request", hint="ask for them in several")
    for one in asked.references:
        if not (uids.is_valid(one.sop_class) and uids.is_valid(one.sop_instance)):
            raise Invalid("an object is named by what is no UID")


def _ask(tx: Transaction, actor: Actor, asked: Asked, holder: str) -> int:
    known = rows.first(tx, actor.name, asked.transaction_uid)
    until_ns = clock.now_ns() + _HELD_NS if holder else 0
    if known is not None and not known[0].told_ns and known[1] == rows.digest_of(asked):
        if holder:  # the association that it came by before has most likely broken
            rows.hold(tx, known[0].id, holder, until_ns)
        return known[0].id
    id_ = rows.add(tx, actor.name, asked, repeated=known is not None, holder=holder, until_ns=until_ns)
    events.append(tx, Event(Kind.COMMITMENT_ASKED, payload={"commitment": id_}))
    for patient_id, study_uid in sorted(_whose(tx, asked.references)) or [("", "")]:
        record(tx, actor, Action.COMMIT, patient_id=patient_id, study_uid=study_uid, detail=_detail(asked))
    return id_


def _whose(tx: Transaction, references: Iterable[Reference]) -> set[tuple[str, str]]:
    """Distinct (patient ID, Study Instance UID) pairs, for the audit trail."""
    found: set[tuple[str, str]] = set()
    for named in _parts(one.sop_instance for one in references):
        found.update(lookup.people(tx, lookup.where(instances=named)))
    return found


def _parts(named: Iterable[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(named)
    while part := tuple(islice(rest, _NAMED_AT_ONCE)):
        yield part


def _detail(asked: Asked) -> str:
    return f"{len(asked.references)} objects, transaction {asked.transaction_uid[:64]}"

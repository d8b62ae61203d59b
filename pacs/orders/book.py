"""Orders as those who place them see them."""

from typing import Final

from pacs import clock
from pacs.audit.looks import Looks
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.errors import Conflict, Invalid, NotFound
from pacs.orders import item, rows
from pacs.orders.model import DataSet, Order, OrderPage, Progress

_LONGEST_PAGE: Final = 1000


class Orders:
    """Every method takes who asks first, raises Forbidden (audited), and leaves its trace in the audit
    trail; what changes an order does so in the transaction of the change. Thread-safe."""

    def __init__(self, db: Database, looks: Looks) -> None:
        self._db = db
        self._looks = looks

    def place(self, actor: Actor, dataset: DataSet) -> Order:
        """Take an order (`pacs.orders.read` makes it). Raises Conflict for one that is there already."""
        self._admit(actor, "place", item.text(dataset, "PatientID"))

        def work(tx: Transaction) -> Order | Conflict:
            patient_id = item.text(dataset, "PatientID")
            study_uid = item.text(dataset, "StudyInstanceUID")
            accession = item.text(dataset, "AccessionNumber")
            same = None
            if accession:
                same = rows.standing(tx, patient_id, accession, item.text(dataset, "RequestedProcedureID"))
            number = None if same else rows.add(tx, dataset, actor.name, clock.now_ns())
            outcome = "conflict" if number is None else "ok"
            record(
                tx,
                actor,
                Action.ORDER,
                outcome=outcome,
                study_uid=study_uid,
                patient_id=patient_id,
                detail="place",
            )
            if number is None:
                return _taken(tx, same, study_uid)
            return _found(rows.get(tx, number))

        return _unless_conflict(self._db.transact(work))

    def cancel(self, actor: Actor, number: int) -> Order:
        """Take it back; again changes nothing. Raises NotFound, and Conflict once it has been begun."""
        self._admit(actor, f"cancel {number}")

        def work(tx: Transaction) -> Order | Conflict:
            order = _found(rows.get(tx, number, lock=True))
            begun = any(one.status is not Progress.DISCONTINUED for one in order.performed)
            if not begun and not order.cancelled_ns:
                rows.cancel(tx, number, clock.now_ns())
            outcome = "conflict" if begun else "ok"
            _audit(tx, actor, order, f"cancel {number}", outcome)
            if begun:
                return Conflict("this order has been begun", hint="a modality has told of its work on it")
            return _found(rows.get(tx, number))

        return _unless_conflict(self._db.transact(work))

    def get(self, actor: Actor, number: int) -> Order:
        """Raises NotFound."""
        with self._db.read() as tx:
            order = rows.get(tx, number)
        whose = ((order.patient.id, order.study_uid),) if order else ()
        self._look(actor, f"order {number}", whose)
        return _found(order)

    def page(
        self, actor: Actor, *, limit: int = 100, below: int | None = None, open_only: bool = False
    ) -> OrderPage:
        """Newest first."""
        if limit < 1:
            raise Invalid("a page holds at least one order")
        limit = min(limit, _LONGEST_PAGE)
        self._look(actor, "orders", (("", ""),))
        with self._db.read() as tx:
            found = rows.page(tx, below=below, open_only=open_only, limit=limit + 1)
        return OrderPage(tuple(found[:limit]), found[limit - 1].number if len(found) > limit else None)

    def _look(self, actor: Actor, detail: str, whose: tuple[tuple[str, str], ...]) -> None:
        self._looks.admit(actor, Action.SCHEDULED, lambda _: whose, asked=detail, detail=detail, often=True)

    def _admit(self, actor: Actor, what: str, patient_id: str = "") -> None:
        if not allows(actor, Action.ORDER):
            with self._db.write() as tx:
                record(tx, actor, Action.ORDER, outcome="forbidden", patient_id=patient_id, detail=what)
        require(actor, Action.ORDER)


def _taken(tx: Transaction, number: int | None, study_uid: str) -> Conflict:
    if number is not None:
        return Conflict(
            f"order {number} asks for the same procedure under the same accession number",
            hint="cancel it first, or give this one a requested procedure ID of its own",
        )
    known = _found(rows.of_study(tx, study_uid))
    return Conflict(
        f"order {known.number} has this Study Instance UID",
        hint="each order has its own; leave it out to be given one",
    )


def _found(order: Order | None) -> Order:
    if order is None:
        raise NotFound("there is no such order")
    return order


def _unless_conflict(outcome: Order | Conflict) -> Order:
    if isinstance(outcome, Conflict):
        raise outcome
    return outcome


def _audit(tx: Transaction, actor: Actor, order: Order, what: str, outcome: str) -> None:
    record(
        tx,
        actor,
        Action.ORDER,
        outcome=outcome,
        study_uid=order.study_uid,
        patient_id=order.patient.id,
        detail=what,
    )

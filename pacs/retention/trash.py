"""Delete and restore. What is in the trash is invisible at once, on every wire; its bytes stay.

A deletion is the unit: what one request deleted comes back together, and is purged together. An
object that arrives again after its deletion is a new arrival.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from pacs import log
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.errors import Conflict, Invalid, NotFound, Unavailable
from pacs.index import catalog, deletions, trash
from pacs.index.deletions import Deletion, State
from pacs.index.trash import Asked
from pacs.outbox.events import Kind
from pacs.retention.finish import Finisher, tell
from pacs.store import care, trashed

LONGEST_REASON: Final = 500
_LONGEST_PAGE: Final = 500
T = TypeVar("T")
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A deletion as an administrator sees it. `hold` says why it must not be purged; `dead_bytes` of
    what was purged still lie in packs that hold others, too."""

    deletion: Deletion
    hold: str
    dead_bytes: int


class Trash:
    """Every method takes who asks first and raises Forbidden (audited). Thread-safe."""

    def __init__(self, db: Database, finisher: Finisher) -> None:
        self._db = db
        self._finisher = finisher

    def delete(self, actor: Actor, asked: Asked) -> Deletion:
        """Into the trash. Raises NotFound, Invalid, Unavailable."""
        self._admit(actor, Action.DELETE, asked.study, asked.level.name)
        if len(asked.reason) > LONGEST_REASON or not asked.reason.isprintable():
            raise Invalid(f"the reason is a line of at most {LONGEST_REASON} characters")

        def work(tx: Transaction) -> Deletion | None:
            one = trash.throw(tx, asked, actor.name, actor.origin)
            _audit(tx, actor, Action.DELETE, asked.study, one, asked.level.name)
            if one is not None:
                tell(tx, Kind.DELETED, one)
            return one

        one = self._transact(work)
        if one is None:
            raise NotFound("nothing is stored under this address")
        self._finisher.finish(one.name)
        return one

    def restore(self, actor: Actor, name: str) -> Deletion:
        """Back to where it was. What has arrived anew since stays as it is; other bytes of it become a
        former version. Raises NotFound, Conflict for what is being purged, Unavailable."""
        self._admit(actor, Action.DELETE, "", f"restore {name[:64]}")

        def work(tx: Transaction) -> Deletion:
            one = _found(deletions.hold(tx, name))
            if one.state is not State.TRASHED:
                raise Conflict("it has been purged", hint="send the objects again")
            trash.put_back(tx, one)
            trashed.let_go(tx, one.id)
            deletions.set_state(tx, one, State.OVER)
            _audit(tx, actor, Action.DELETE, one.study_uid, one, "restore")
            tell(tx, Kind.RESTORED, one)
            return one

        one = self._transact(work)
        try:
            self._finisher.finish(one.name)
        except Unavailable as error:  # it is back; the worker goes on
            _log.warning("trash: a marker stays for a while reason=%s", error)
        return one

    def purge(self, actor: Actor, name: str) -> Deletion:
        """Let it go for good. Raises NotFound, Conflict while its study is held, Unavailable: then the
        worker goes on with it."""
        self._admit(actor, Action.PURGE, "", name[:64])

        def work(tx: Transaction) -> Deletion:
            one = _found(deletions.hold(tx, name))
            if (hold := care.hold_of(tx, one.study_uid)) and one.state is State.TRASHED:
                raise Conflict(f"the study is held: {hold}", hint="`pacs tier release` ends a hold")
            if one.state is State.TRASHED:
                deletions.set_state(tx, one, State.PURGING)
                _audit(tx, actor, Action.PURGE, one.study_uid, one, "purge")
            return one

        one = self._transact(work)
        self._finisher.finish(one.name)
        return one

    def page(self, actor: Actor, *, limit: int = 100, before_id: int = 0) -> tuple[Shown, ...]:
        """What was deleted, the latest first."""
        self._admit(actor, Action.DELETE, "", "list")
        if limit < 1:
            raise Invalid("a page holds at least one deletion")
        with self._db.read() as tx:
            found = deletions.page(tx, before_id=before_id, limit=min(limit, _LONGEST_PAGE))
            return tuple(_shown(tx, one) for one in found)

    def get(self, actor: Actor, name: str) -> Shown:
        """Raises NotFound."""
        self._admit(actor, Action.DELETE, "", "list")
        with self._db.read() as tx:
            return _shown(tx, _found(deletions.get(tx, name)))

    def was_there(self, study: str, series: str = "", instance: str = "") -> bool:
        """Whether something under these keys was deleted, as far as is still known. For those who
        were allowed to look, and found nothing."""
        with self._db.read() as tx:
            return deletions.was_there(tx, study, series, instance)

    def _admit(self, actor: Actor, action: Action, study: str, detail: str) -> None:
        if not allows(actor, action):
            with self._db.write() as tx:
                record(tx, actor, action, outcome="forbidden", study_uid=study[:64], detail=detail)
        require(actor, action)

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        while True:
            try:
                return self._db.transact(work)
            except catalog.Moved:
                continue


def _audit(
    tx: Transaction, actor: Actor, action: Action, study: str, one: Deletion | None, what: str
) -> None:
    if one is None:
        record(tx, actor, action, outcome="not found", study_uid=study, detail=what)
        return
    named = one.sop_instance_uid or one.series_uid
    detail = f"{what} {one.name} {one.n_instances} instances {named}".rstrip()
    record(tx, actor, action, study_uid=study, patient_id=one.patient_id, detail=detail)


def _shown(tx: Transaction, one: Deletion) -> Shown:
    dead = trashed.dead_bytes(tx, one.id) if one.state is State.PURGED else 0
    return Shown(one, care.hold_of(tx, one.study_uid), dead)


def _found(one: Deletion | None) -> Deletion:
    if one is None or one.state is State.OVER:
        raise NotFound("nothing of this name is in the trash", hint="`pacs trash list` names them")
    return one


__all__ = ["Asked", "Deletion", "Shown", "Trash"]

"""A study that has settled is in the list, whatever any model does or fails to do; one that was deleted
is not, until it is restored."""

from collections.abc import Sequence
from typing import Final

from pacs.audit.record import record
from pacs.auth.actor import system
from pacs.auth.policy import Action
from pacs.db.connection import Transaction
from pacs.index.deletions import is_trashed
from pacs.index.patient import patient_id_of
from pacs.outbox import events
from pacs.outbox.events import Event, Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Follower
from pacs.reading import claims, rows, said
from pacs.reading.model import State, WorkItem
from pacs.reading.priority import DEFAULT, Weights

NAME: Final = "reading"
_KINDS: Final = frozenset({Kind.SETTLED, Kind.DELETED, Kind.RESTORED, Kind.PURGED})
_ME: Final = system("reading")


class Arrivals:
    """Thread-safe."""

    def __init__(self, weights: Weights = DEFAULT) -> None:
        self._weights = weights

    def follower(self) -> Follower:
        return Follower(NAME, _KINDS, self._work)

    def _work(self, tx: Transaction, batch: Sequence[Told]) -> None:
        for told in batch:
            if told.kind == Kind.SETTLED:
                self.enter(tx, told.study_uid, int(told.payload.get("generation", 1)), told.at_ns)
            else:
                self.follow(tx, told.study_uid)
                if told.kind == Kind.PURGED and not is_trashed(tx, told.study_uid):
                    rows.forget(tx, told.study_uid)

    def follow(self, tx: Transaction, study_uid: str) -> bool:
        """Something of the study was deleted, restored or purged: the list shows what the archive has.
        False when that changes nothing."""
        number = rows.begin(tx)
        patient_id = patient_id_of(tx, study_uid)
        changed = rows.set_gone(tx, study_uid, number, gone=patient_id is None)
        if changed:
            events.append(tx, Event(Kind.CLAIM, study_uid))
            what = "leave" if patient_id is None else "return"
            record(tx, _ME, Action.WORKLIST, study_uid=study_uid, patient_id=patient_id or "", detail=what)
        return changed

    def enter(self, tx: Transaction, study_uid: str, generation: int, now_ns: int) -> bool:
        """List the study, or list it again when it has been read and more of it has come.

        False when this settling is known already or the study is no longer in the archive."""
        number = rows.begin(tx)
        before = rows.get(tx, study_uid, now_ns)
        patient_id = before.patient_id if before else patient_id_of(tx, study_uid)
        if patient_id is None:
            return False
        if before is None:
            after = WorkItem(study_uid, patient_id, State.WAITING, now_ns, generation=generation)
        else:
            after = claims.more_arrived(before, generation, now_ns)
        if after == before:
            return False
        rows.save(tx, after, number, self._weights, said.current(tx, study_uid))
        record(
            tx, _ME, Action.WORKLIST, study_uid=study_uid, patient_id=patient_id, detail=f"enter {generation}"
        )
        return True

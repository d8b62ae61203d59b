"""The one thing a model can do to the reading list: say how urgent a study is.

It moves a study that is in the list; it neither lists one nor takes one away, nor touches a claim.
"""

from collections.abc import Sequence
from typing import Final

from pacs import clock
from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.db.connection import Database, Transaction
from pacs.errors import Invalid
from pacs.reading import rows, said
from pacs.reading.model import Finding, Run, WorkItem
from pacs.reading.priority import DEFAULT, Weights

_MOST_FINDINGS: Final = 100


class Reprioritise:
    """Thread-safe."""

    def __init__(self, db: Database, weights: Weights = DEFAULT) -> None:
        self._db = db
        self._weights = weights

    def by_findings(
        self, actor: Actor, study_uid: str, run: Run, findings: Sequence[Finding]
    ) -> WorkItem | None:
        """Let what the model found now take the place of what it found before. The same run again
        changes nothing, so it may be told any number of times.

        None while the study is not in the list; the findings count when it comes. Raises Forbidden
        (audited) and Invalid."""
        if not allows(actor, Action.REPRIORITISE):
            with self._db.write() as tx:
                record(tx, actor, Action.REPRIORITISE, outcome="forbidden", study_uid=study_uid[:64])
        require(actor, Action.REPRIORITISE)
        if len(findings) > _MOST_FINDINGS:
            raise Invalid(f"a run has at most {_MOST_FINDINGS} findings")
        return self._db.transact(lambda tx: self._by_findings(tx, actor, study_uid, run, findings))

    def _by_findings(
        self, tx: Transaction, actor: Actor, study_uid: str, run: Run, findings: Sequence[Finding]
    ) -> WorkItem | None:
        number, now = rows.begin(tx), clock.now_ns()
        item = rows.get(tx, study_uid, now)
        if not said.add(tx, study_uid, run, findings, now):
            return item
        if item is not None:
            rows.save(tx, item, number, self._weights, said.current(tx, study_uid))
        record(
            tx,
            actor,
            Action.REPRIORITISE,
            study_uid=study_uid,
            patient_id=item.patient_id if item else "",
            detail=f"{run.model} {run.version}: {len(findings)} findings",
        )
        return rows.get(tx, study_uid, now)

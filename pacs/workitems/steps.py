"""Steps made and changed within a transaction: the row, and the reports of it to those who are subscribed."""

from typing import Final

from pacs.db.connection import Transaction
from pacs.dicom.level import Level
from pacs.query import parse
from pacs.query.evaluate import matches
from pacs.query.model import Condition
from pacs.workitems import reports, rows, watchers
from pacs.workitems.model import EVERY, DataSet, Rule, Step, StepRefusal
from pacs.workitems.watchers import Keys

_LEVEL: Final = Level.IMAGE  # keys of any level may be asked for


class Steps:
    """Mechanism only: whoever calls has asked the policy."""

    def add(self, tx: Transaction, step: Step) -> None:
        """Raises StepRefusal when there is, or was, one of this UID."""
        if not rows.insert(tx, step):
            raise StepRefusal(Rule.EXISTS, "there is a workitem of this UID already")
        for watcher in watchers.watchers(tx):
            if watcher.scope == EVERY or fits(step.dataset, conditions_of(watcher.keys)):
                watchers.subscribe(tx, watcher.aet, [step.uid], locks=watcher.locks)
        reports.tell(tx, step, reports.of_creation(step), watchers.subscribers(tx, step.uid))

    def change(self, tx: Transaction, before: Step, after: Step) -> None:
        rows.save(tx, after)
        told = reports.of_change(before, after)
        reports.tell(tx, after, told, watchers.subscribers(tx, after.uid))


def conditions_of(keys: Keys) -> tuple[Condition, ...]:
    """The conditions of keys as a wire spells them. Raises Invalid."""
    return parse.from_keys(
        _LEVEL, [(parse.path(name), (value,)) for name, value in keys], combined=True
    ).conditions


def fits(found: DataSet, conditions: tuple[Condition, ...]) -> bool:
    return all(matches(found, condition) for condition in conditions)

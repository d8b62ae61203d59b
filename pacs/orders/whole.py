"""A study of which a modality said that it is complete settles as soon as all of it is here.

Nothing depends on it: a study whose objects never all come, or that no modality tells of, settles
when it has been quiet for long enough.
"""

from pacs import clock
from pacs.db.connection import Database, Transaction
from pacs.ingest import settle
from pacs.orders import told


class Whole:
    """Thread-safe; any number of processes may look after it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def settle(self) -> bool:
        """Settle what is whole, a bounded number at once; False when nothing was done. Raises
        Unavailable."""
        now = clock.now_ns()
        with self._db.read() as tx:
            if not told.whole(tx, now) and not told.expired(tx, now):
                return False
        return self._db.transact(_settle)


def _settle(tx: Transaction) -> bool:
    now = clock.now_ns()
    over = told.expired(tx, now)
    settled = [row.id for row in told.whole(tx, now) if settle.settle_now(tx, row.study_uid)]
    told.wait_no_more(tx, [*over, *settled])
    return bool(over or settled)

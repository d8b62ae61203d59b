"""What the worker does about the trash: go on where a process died, and purge what is due."""

from collections.abc import Callable, Iterable
from typing import Final

from pacs import clock, log
from pacs.auth.actor import system
from pacs.config import TrashConfig
from pacs.db.connection import Database
from pacs.errors import Conflict, NotFound, Unavailable
from pacs.index import deletions
from pacs.index.deletions import State
from pacs.outbox.crew import Chore
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Errand
from pacs.retention.finish import Finisher
from pacs.retention.trash import Trash

_DAY_NS: Final = 86_400 * 10**9
_DAY_S: Final = 86_400.0
_EVERY_S: Final = 10.0
COPIES: Final = "trash-copies"
_ME: Final = system("retention")
_log = log.get(__name__)


class Rounds:
    """Thread-safe; any number of processes may go them."""

    def __init__(self, db: Database, trash: Trash, finisher: Finisher, config: TrashConfig) -> None:
        self._db = db
        self._trash = trash
        self._finisher = finisher
        self._config = config

    def chores(self) -> tuple[Chore, ...]:
        return (
            Chore("trash", self._go_on, every_s=_EVERY_S),
            Chore("trash-purge", lambda: self.purge_due() > 0, every_s=self._config.every_seconds),
            Chore("trash-copies", self._copy_all, every_s=_DAY_S),
        )

    def errand(self) -> Errand:
        """The cold tier is told what is in the trash."""
        kinds = frozenset({Kind.DELETED, Kind.RESTORED, Kind.PURGED})
        return Errand(COPIES, kinds, self._copy)

    def copy_all(self) -> int:
        """Tell the cold tier what it was not told, since it was away or was not there yet; returns
        how many deletions that were. Raises Unavailable."""
        names = tuple(self._finisher.uncopied())
        for name in names:
            self._finisher.copy(name)
        return len(names)

    def go_on(self, states: tuple[State, ...] = (State.PURGING, State.OVER)) -> None:
        """Finish what processes that died had begun. Raises Unavailable."""
        with self._db.read() as tx:
            names = (*deletions.unmarked(tx), *deletions.names(tx, states))
        for name in names:
            self._finisher.finish(name)

    def purge_due(self) -> int:
        """Purge what has been in the trash for long enough, unless it is held, and see what can go of
        what was purged before; returns how many deletions were purged now."""
        purged = self._each(self._due(), lambda name: self._trash.purge(_ME, name))
        with self._db.read() as tx:
            left = deletions.names(tx, (State.PURGED,))
        self._each(left, self._finisher.finish)
        return purged

    def fetch(self) -> int:
        """Markers that are known on the cold tier only, for an index that is made anew; returns how
        many there were. Raises Unavailable."""
        return self._finisher.fetch()

    def _copy(self, told: Told) -> None:
        self._finisher.copy(str(told.payload["deletion"]))

    def _copy_all(self) -> bool:
        self.copy_all()
        return False

    def _go_on(self) -> bool:
        self.go_on()
        return False

    def _due(self) -> tuple[str, ...]:
        if not self._config.keep_days:
            return ()
        with self._db.read() as tx:
            return deletions.due(tx, clock.now_ns() - round(self._config.keep_days * _DAY_NS))

    def _each(self, names: Iterable[str], work: Callable[[str], object]) -> int:
        done = 0
        for name in names:
            try:
                work(name)
                done += 1
            except (Conflict, NotFound) as error:  # held or restored a moment ago
                _log.info("trash: left as it is reason=%s", error)
            except Unavailable as error:
                _log.warning("trash: postponed reason=%s", error)
                break
        return done

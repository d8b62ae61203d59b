"""What waits for a quiet moment of an association, such as the result of a storage commitment."""

from types import TracebackType
from typing import Final, Self

from dimse.channel import Aside
from dimse.dialogue import Dialogue, Incoming
from pacs import clock, log
from pacs.errors import PacsError

_FIRST: Final = 0.05  # seconds between two looks, growing to
_LONGEST: Final = 1.0
_log = log.get(__name__)


class Asides:
    """Looks after them between two messages. After `patience` seconds without a message they are
    given up: somebody else may do better."""

    def __init__(self, dialogue: Dialogue, patience: float) -> None:
        self.dialogue = dialogue
        self._patience = patience
        self._waiting: list[Aside] = []

    def add(self, aside: Aside) -> None:
        self._waiting.append(aside)

    def next(self) -> Incoming | None:
        """The next message; None when the peer has released the association."""
        while True:
            self._wait()
            incoming = self.dialogue.next()
            if incoming is None or not self.dialogue.settles(incoming):
                return incoming

    def end(self) -> None:
        waiting, self._waiting = self._waiting, []
        for aside in waiting:
            try:
                aside.end()
            except PacsError as error:
                _log.warning("not ended in order kind=%s", type(error).__name__)

    def _wait(self) -> None:
        """Until something comes, or until there is nothing left to look after."""
        until, pause = clock.monotonic() + self._patience, _FIRST
        while self._waiting and self.dialogue.is_quiet(pause):
            if clock.monotonic() > until:
                self.end()
            self._waiting = [aside for aside in self._waiting if self._look(aside)]
            pause = min(2 * pause, _LONGEST)

    def _look(self, aside: Aside) -> bool:
        try:
            return aside.look(self.dialogue)
        except PacsError as error:
            _log.warning("nothing to say yet kind=%s", type(error).__name__)
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

"""Statements that are given up when nobody waits for their result any more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

_EVERY: Final = 0.05  # seconds; a statement that takes less is never asked about


class Interrupted(Exception):
    """The statement under way was ended."""


class _Watch(threading.Thread):
    """Asks `stop` again and again while another thread waits for the database, and ends the statement
    there when it says so, or when asking fails."""

    def __init__(self, raw: Any, stop: Callable[[], bool]) -> None:
        super().__init__(name="interrupt", daemon=True)
        self._raw = raw
        self._stop = stop
        self._over = threading.Event()
        self.fired = False
        self.error: BaseException | None = None

    def run(self) -> None:
        while not self._over.wait(_EVERY):
            self.fired = self.fired or self._asked()
            if self.fired:
                self._interrupt()

    def _asked(self) -> bool:
        try:
            return self._stop()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.error = error
            return True

    def _interrupt(self) -> None:
        """Again and again: it goes unheard while the statement is still being prepared."""
        if hasattr(self._raw, "interrupt"):  # sqlite3
            self._raw.interrupt()
        else:  # psycopg
            self._raw.cancel_safe()

    def end(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def watched(raw: Any, stop: Callable[[], bool]) -> Iterator[None]:
    """`raw` is the driver's connection; `stop` is called by another thread while the block lasts, and
    never afterwards. Raises Interrupted once it has said yes, and whatever it raises."""
    watch = _Watch(raw, stop)
    watch.start()
    failure: DBAPIError | None = None
    try:
        yield
    except DBAPIError as error:
        failure = error
    finally:
        watch.end()
    if watch.error is not None:
        raise watch.error
    if watch.fired:
        raise Interrupted from failure
    if failure is not None:
        raise failure

"""After a failure to reach another machine, ask nobody else to wait for it for a while.

Without it everybody who needs that machine would hold a thread until their own time-out, and those
who do not need it would wait for a free thread.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pacs import clock
from pacs.errors import PacsError, Unavailable

_FIRST: Final = 1.0  # seconds of rest after the first failure, doubled by each further one
_LONGEST: Final = 15.0


class Breaker:
    """`with breaker.guard(): ...`; a block that raises Unavailable opens it. Thread-safe.

    While open, the block is not entered and Unavailable is raised at once. After the rest one
    caller tries; the others are still turned away until it is known how that went."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0

    @contextmanager
    def guard(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        except Unavailable:
            self._failed()
            raise
        except PacsError:  # it answered, if only to say no
            self._worked()
            raise
        else:
            self._worked()

    def _enter(self) -> None:
        with self._lock:
            if not self._failures:
                return
            now = clock.monotonic()
            if now < self._until:
                raise Unavailable(f"{self._what} cannot be reached", hint="try again in a few seconds")
            self._until = now + _LONGEST  # the one who tries; if it never returns another may

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._until = clock.monotonic() + min(_FIRST * 2 ** (self._failures - 1), _LONGEST)

    def _worked(self) -> None:
        with self._lock:
            self._failures = 0

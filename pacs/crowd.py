"""How many callers each process of a port has, so that a new one comes to who has the fewest.

The kernel wakes all processes that wait at a port and gives the caller to the quickest, which is often the
same one, again and again: callers that stay connected would share one processor while others idle.
"""

import mmap
import threading
from typing import Final

DEFERENCE_S: Final = 0.005
"""So long a caller is left to those who have fewer; one that is too busy then does not get it."""
_BYTES: Final = 8
_NOBODY: Final = 2**63


class Crowd:
    """The numbers of all processes of a port, in memory that they share. Made before they are forked."""

    def __init__(self, processes: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, processes * _BYTES)).cast("Q")
        for number in range(processes):
            self.place(number).end()

    def place(self, number: int) -> "Place":
        """Of the process with this number, from 0."""
        return Place(self._counts, number)


class Place:
    """One process' own view. Thread-safe; while it lives nobody else writes its number."""

    def __init__(self, counts: memoryview, number: int) -> None:
        self._counts = counts
        self._number = number
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Callers are welcome here, and there are none yet."""
        with self._lock:
            self._counts[self._number] = 0

    def end(self) -> None:
        """The process is dead: nobody leaves a caller to it."""
        self._counts[self._number] = _NOBODY

    def come(self) -> None:
        with self._lock:
            self._counts[self._number] += 1

    def go(self) -> None:
        with self._lock:
            self._counts[self._number] -= 1

    @property
    def defers(self) -> bool:
        """Whether another process has fewer callers."""
        return self._counts[self._number] > min(self._counts)


def alone() -> Place:
    """The place of the only process of a port."""
    return Place(memoryview(bytearray(_BYTES)).cast("Q"), 0)

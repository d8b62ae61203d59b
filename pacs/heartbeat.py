"""A sign of life for as long as a piece of work lasts.

What a process has taken in hand is its own for a short time only, and this lengthens that time again
and again. So when the process dies, others wait seconds for what it had, however long the work takes.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pacs import log
from pacs.errors import PacsError

HELD_S: Final = 30.0
"""So long a dead process keeps others waiting."""
EVERY_S: Final = HELD_S / 4
_log = log.get(__name__)


@contextmanager
def beating(beat: Callable[[], bool], every_s: float = EVERY_S) -> Iterator[None]:
    """Call `beat` every so many seconds, from a thread of its own, until the block ends or `beat` says
    False: nothing is held any more. One that raises a PacsError is tried again at the next turn."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every_s):
            try:
                if not beat():
                    return
            except PacsError as error:
                _log.warning("no sign of life reason=%s", error)

    threading.Thread(target=go_on, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        ended.set()

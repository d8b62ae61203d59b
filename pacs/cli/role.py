"""What a child process of the supervisor does: one role, until it is told to stop."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pacs import log, services
from pacs.cli.forked import HELD_BACK
from pacs.cli.supervisor import STOP_SECONDS
from pacs.config import Config
from pacs.crowd import Place, alone

_NICENESS: Final = 10
_log = log.get(__name__)


def run(
    name: str,
    listen: int | None,
    lifeline: int,
    config: Config,
    *,
    opener: Callable[[Config], Any],
    place: Place | None = None,
    table: Mapping[str, str] = services.SERVICES,
) -> None:
    """Open the archive and serve. Returns when the role has stopped; raises what the role raises.
    `listen` and `lifeline` are descriptors; the lifeline ends when the supervisor does."""
    stop = threading.Event()
    _obey_signals(stop)
    _follow_supervisor(stop, lifeline)
    serve = services.lookup(name, table)
    archive = opener(config)
    try:
        if listen is None:
            os.nice(_NICENESS)  # nobody waits for it at the other end of a wire
            serve(archive, stop)
        else:
            with socket.socket(fileno=listen) as sock:
                serve(archive, sock, stop, place or alone())
    finally:
        archive.close()


def _obey_signals(stop: threading.Event) -> None:
    """SIGTERM sets `stop`; the others are the supervisor's alone (a terminal sends them to all of us).

    All are blocked in every thread and SIGTERM is waited for in one: setting an Event inside a signal
    handler can deadlock with a main thread that waits on the same Event, and a handler can be replaced
    by a library, a mask cannot."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _follow_supervisor(stop: threading.Event, lifeline: int) -> None:
    """Stop when the other end closes, which the kernel does when the supervisor dies; nobody is left
    then to insist, so insist here."""

    def watch() -> None:
        while os.read(lifeline, 4096):
            pass
        if not stop.is_set():
            _log.error("the supervisor is gone, stopping")
        stop.set()
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()

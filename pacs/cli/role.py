"""What a child process of the supervisor does: one role, until it is told to stop."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, BinaryIO, Final

import typer

from pacs import log, services
from pacs.cli.supervisor import STOP_SECONDS
from pacs.config import Config, from_json

_log = log.get(__name__)
_STDIN: Final = 0


def run(
    name: str,
    listen: int | None,
    *,
    opener: Callable[[Config], Any],
    table: Mapping[str, str] = services.SERVICES,
    stdin: BinaryIO | None = None,
) -> None:
    """Read the settings from standard input, open the archive and serve. Returns when the role
    has stopped; raises what the role raises."""
    stop = threading.Event()
    _obey_signals(stop)
    settings = (stdin or sys.stdin.buffer).readline()
    if not settings.endswith(b"\n"):
        return  # the supervisor died while it started us
    config = from_json(settings.decode())
    _follow_supervisor(stop)
    serve = services.lookup(name, table)
    archive = opener(config)
    try:
        if listen is None:
            serve(archive, stop)
        else:
            with socket.socket(fileno=listen) as sock:
                serve(archive, sock, stop)
    finally:
        archive.close()


def _obey_signals(stop: threading.Event) -> None:
    """SIGTERM sets `stop`; SIGINT is the supervisor's alone (a terminal sends it to all of us).

    Both are blocked in every thread and waited for in one: setting an Event inside a signal handler
    can deadlock with a main thread that waits on the same Event, and a handler can be replaced by a
    library, a mask cannot."""
    _block_signals()

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _block_signals() -> None:
    """A thread has the mask of the one that starts it, and the signal kills us if any lets it through:
    to be called before libraries are imported that start threads of their own, as numpy's do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


def _follow_supervisor(stop: threading.Event) -> None:
    """Stop when the other end of standard input closes, which the kernel does when the supervisor
    dies; nobody is left then to insist, so insist here."""

    def watch() -> None:
        while os.read(_STDIN, 4096):
            pass
        if not stop.is_set():
            _log.error("the supervisor is gone, stopping")
        stop.set()
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()


def role(
    name: Annotated[str, typer.Argument()],
    label: Annotated[str, typer.Option("--name")] = "",
    fd: Annotated[int, typer.Option("--fd")] = -1,
) -> None:
    """Run one role under the supervisor; settings come on standard input."""
    _block_signals()
    from pacs.runtime import open_archive

    log.setup(role=label or name)
    run(name, fd if fd >= 0 else None, opener=open_archive)

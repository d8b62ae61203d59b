"""Processes that begin as copies of this one: nothing is imported twice, and none takes long to start.

Whoever forks has one thread of ours and nothing open that both could use: no index, no spool.
"""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacs.cli.common import complain, exit_code
from pacs.errors import PacsError

_CRASHED: Final = 1
HELD_BACK: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Blocked in every thread of a child, since its first one has the mask; a role waits for what it obeys."""


class Forked:
    """A child. `code` is None while it runs, and negative when a signal ended it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        return self._look(os.WNOHANG)

    def wait(self) -> int:
        code = self._look(0)
        assert code is not None  # noqa: S101 - it was waited for
        return code

    def signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, how: int) -> int | None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code


def fork(work: Callable[[], None], name: str) -> Forked:
    """Do `work` in a process of its own, which then ends: with 0, the code of its SystemExit or of
    `exit_code`, or 1. Raises OSError when there is no process to be had."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or both would write what is waiting there
    # No signal may meet a child that still has its parent's handlers.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK | {signal.SIGCHLD})
    try:
        pid = os.fork()
        if not pid:
            _live(work, name, former)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    return Forked(pid)


def _live(work: Callable[[], None], name: str, mask: Collection[int]) -> None:
    code = _CRASHED
    try:
        signal.set_wakeup_fd(-1)
        for number in (*HELD_BACK, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set(mask) | HELD_BACK)
        with suppress(OSError):  # what `ps` and `top` show; Linux alone
            Path("/proc/self/comm").write_text(name)
        code = _outcome(work)
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)  # nothing of the parent's is unwound here


def _outcome(work: Callable[[], None]) -> int:
    try:
        work()
    except PacsError as error:
        complain(error)
        return exit_code(error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - this is where the process ends
        traceback.print_exc()
        return _CRASHED
    return 0

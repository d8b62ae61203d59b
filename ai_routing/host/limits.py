"""What keeps a plugin's process from hurting anybody else, set up before the plugin is loaded."""

import contextlib
import faulthandler
import os
import resource
import threading
from pathlib import Path
from typing import Final

_GRACE_S: Final = 5.0
_LAST: Final = 1000  # of oom_score_adj: the first to go when memory is short


def confine(memory_bytes: int) -> None:
    """No more memory than that, no core file, and the first to be ended when the machine runs short.

    The limit is on data (RLIMIT_DATA), not on address space: libraries reserve a lot of that."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # not on every system
        Path("/proc/self/oom_score_adj").write_text(str(_LAST))


def end_with_the_worker() -> None:
    """Standard input is a pipe on which nothing comes: its end is the end of the worker, however
    that died. The plugin gets an empty one instead."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


class Deadline:
    """Ends this process a little after its time is up, even when the worker is not there to do it
    and the plugin never lets another thread run."""

    def __init__(self) -> None:
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115 -- kept as long as the process

    def begin(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds + _GRACE_S, exit=True, file=self._nowhere)

    def end(self) -> None:
        faulthandler.cancel_dump_traceback_later()

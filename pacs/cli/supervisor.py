"""One process that keeps the others running, and takes all of them with it when it ends.

A child is a copy of the supervisor, made by fork: it starts in no time, for everything is imported
already. Each holds the reading end of a pipe, its lifeline, on which nothing is ever written: its end
tells the child that the supervisor is gone, however it went. Children never hold each other's pipes.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

from pacs import log
from pacs.cli.forked import Forked, fork
from pacs.crowd import Place

STOP_SECONDS: Final = 10.0
"""How long a child may take to finish what it is doing."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_STEADY_SECONDS: Final = 30.0
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One child to keep running. `name` is unique; `listen` the descriptor of its listening socket,
    or None for a role without one, and `place` its own among the processes of that port."""

    role: str
    name: str
    listen: int | None = None
    place: Place | None = None


Work = Callable[[Job, int], None]
"""What a child does, given the descriptor of its lifeline; it returns, or ends with SystemExit."""


@dataclass(slots=True)
class _Child:
    job: Job
    process: Forked | None = None
    lifeline: int = -1  # our end
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


class Supervisor:
    """Runs jobs until it is told to stop. To be run by the main thread: it listens to signals."""

    def __init__(self, jobs: Sequence[Job], work: Work) -> None:
        self._children = [_Child(job) for job in jobs]
        self._work = work
        self._own: tuple[int, ...] = ()  # descriptors that are nobody else's
        self._stops = 0

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `started`, restart what dies, return after SIGTERM, SIGINT or
        SIGHUP when every child is gone."""
        with self._signals() as woken:
            try:
                self._start_due()
                started()
                while not self._stops:
                    self._wait(woken, self._next_due())
                    self._reap()
                    if not self._stops:
                        self._start_due()
            finally:
                self._stop(woken)

    def _start_due(self) -> None:
        for child in self._children:
            if child.process is None and child.due <= time.monotonic():
                self._start(child)

    def _start(self, child: _Child) -> None:
        child.started = time.monotonic()
        theirs, ours = os.pipe()
        try:
            process = fork(lambda: self._become(child.job, theirs, ours), f"pacs {child.job.name}")
        except OSError as error:  # no process or memory to be had just now
            os.close(ours)
            self._postpone(child, str(error))
            return
        finally:
            os.close(theirs)
        child.process, child.lifeline = process, ours
        _log.info("started process=%s pid=%d", child.job.name, process.pid)

    def _become(self, job: Job, lifeline: int, ours: int) -> None:
        """In the child: leave behind what is the supervisor's or another child's."""
        lifelines = (child.lifeline for child in self._children if child.process is not None)
        sockets = {child.job.listen for child in self._children} - {job.listen, None}
        for fd in (ours, *self._own, *lifelines, *filter(None, sockets)):
            os.close(fd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self._work(job, lifeline)

    def _reap(self) -> None:
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            code = child.process.code
            _forget(child)
            if child.job.place is not None:
                child.job.place.end()
            if not self._stops:
                self._postpone(child, f"exit {code}")

    def _postpone(self, child: _Child, reason: str) -> None:
        now = time.monotonic()
        child.failures = 0 if now - child.started > _STEADY_SECONDS else min(child.failures + 1, 16)
        pause = min(_FIRST_PAUSE * 2**child.failures, _LONGEST_PAUSE)
        child.due = now + pause
        _log.error("died process=%s reason=%s restart_in=%.1fs", child.job.name, reason, pause)

    def _next_due(self) -> float | None:
        waiting = [child.due for child in self._children if child.process is None]
        return min(waiting) - time.monotonic() if waiting else None

    def _running(self) -> list[Forked]:
        return [child.process for child in self._children if child.process is not None]

    def _stop(self, woken: int) -> None:
        """Ask politely, wait, then insist. A second signal insists at once."""
        asked, deadline = self._stops, time.monotonic() + STOP_SECONDS
        for process in self._running():
            process.signal(signal.SIGTERM)
        self._stops = max(self._stops, 1)
        while self._running() and time.monotonic() < deadline and self._stops <= max(asked, 1):
            self._wait(woken, deadline - time.monotonic())
            self._reap()
        for child in self._children:
            if child.process is not None:
                _log.error("killed process=%s", child.job.name)
                child.process.signal(signal.SIGKILL)
                child.process.wait()
                _forget(child)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Signals become bytes on a pipe for as long as the block lasts; gives its reading end."""
        reading, writing = self._own = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        wanted = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        wanted = {number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN}  # nohup
        former = {number: signal.signal(number, self._asked) for number in wanted}
        former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        former_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(former_fd)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    def _wait(self, woken: int, seconds: float | None) -> None:
        select.select([woken], [], [], None if seconds is None else max(seconds, 0.0))
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)


def _forget(child: _Child) -> None:
    os.close(child.lifeline)
    child.process, child.lifeline = None, -1

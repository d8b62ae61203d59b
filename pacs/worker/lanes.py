"""A Celery pool in which every errand has threads of its own: one that hangs holds up no other.

A line of messages waits for the threads of an errand. One that would make it too long is dropped:
the outbox sends another when there may be room, so no errand ever fills what Celery takes at once.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from celery.concurrency.base import BasePool, apply_target

from pacs import clock, log

LONGEST_LINE: Final = 64
"""Messages of one errand that wait here, those at work included."""
_GRACE_S: Final = 4.0
_DROPPED: Final = (0, None, 0.0)  # what Celery's trace answers of a task that went well
_log = log.get(__name__)
_Job = Callable[[], None]


class _Lane:
    """The threads end with the process; what they were at comes back by its lease."""

    def __init__(self, name: str, workers: int) -> None:
        self._line: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held = 0
        self._closed = False
        for _ in range(workers):
            threading.Thread(target=self._work, name=f"{name}-celery", daemon=True).start()

    def put(self, job: _Job) -> bool:
        """False when the line is too long."""
        with self._lock:
            if self._held >= LONGEST_LINE:
                return False
            self._held += 1
        self._line.put(job)
        return True

    def close(self) -> None:
        """Begin nothing new."""
        self._closed = True
        while True:
            try:
                self._line.get_nowait()
            except queue.Empty:
                return
            self._left()

    def is_empty(self) -> bool:
        with self._lock:
            return not self._held

    def _work(self) -> None:
        while True:
            job = self._line.get()
            try:
                if not self._closed:
                    job()
            except Exception as error:  # noqa: BLE001 - Celery's own trouble must not end the lane
                _log.error("failed in celery reason=%s", type(error).__name__)
            finally:
                self._left()

    def _left(self) -> None:
        with self._lock:
            self._held -= 1


def pool_of(lanes: Mapping[str, int]) -> type:
    """A pool class for these tasks, each with so many threads."""

    class Lanes(BasePool):  # type: ignore[misc]  # Celery has no types
        signal_safe = False
        body_can_be_buffer = True

        def on_start(self) -> None:
            self._lanes = {task: _Lane(task, workers) for task, workers in lanes.items()}

        def on_stop(self) -> None:
            until = clock.monotonic() + _GRACE_S
            for lane in self._lanes.values():
                lane.close()
            while clock.monotonic() < until and not all(lane.is_empty() for lane in self._lanes.values()):
                threading.Event().wait(0.02)

        on_terminate = on_stop

        def on_apply(
            self,
            target: Callable[..., Any],
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            callback: Callable[..., Any],
            accept_callback: Callable[..., Any],
            **_: Any,
        ) -> None:
            """The first of `args` is the name of the task (celery.worker.request)."""

            def job() -> None:
                apply_target(target, args, kwargs, callback, accept_callback)

            if not self._lanes[args[0]].put(job):
                apply_target(lambda: _DROPPED, (), {}, callback, accept_callback)

    return Lanes

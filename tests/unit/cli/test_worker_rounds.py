"""The worker waits for an index that is away, and stops when told to."""

import threading

import pytest

from pacs import worker
from pacs.errors import Unavailable


class Crew:
    def __init__(self, stop: threading.Event, *troubles: Exception) -> None:
        self.stop_event = stop
        self.troubles = list(troubles)
        self.story: list[str] = []

    def crew(self) -> "Crew":
        return self

    def start(self) -> None:
        if self.troubles:
            self.story.append("tried")
            raise self.troubles.pop(0)
        self.story.append("started")
        self.stop_event.set()

    def stop(self, grace_s: float = 5.0) -> bool:
        self.story.append("stopped")
        return grace_s > 0


def test_worker_starts_when_it_can(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(worker, "_AGAIN_SECONDS", 0.01)
    stop = threading.Event()
    crew = Crew(stop, Unavailable("the index is away"))
    worker.serve(crew, stop)
    assert crew.story == ["tried", "started", "stopped"]
    assert "the index is away" in caplog.text

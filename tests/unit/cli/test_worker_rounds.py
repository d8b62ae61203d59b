"""The worker waits for an index that is away, and stops when told to."""

import threading

import pytest

from pacs.config import Config, load
from pacs.errors import Unavailable
from pacs.outbox.deliveries import Note
from pacs.outbox.handover import Broker
from pacs.outbox.subscriber import Errand
from pacs.worker import service


class Crew:
    def __init__(self, stop: threading.Event, *troubles: Exception) -> None:
        self.stop_event = stop
        self.troubles = list(troubles)
        self.story: list[str] = []
        self.config: Config = load("", {}, {})
        self.errands: dict[str, Errand] = {}

    def crew(self) -> "Crew":
        return self

    def obey(self, _errand: str, _note: Note, /) -> bool:
        raise AssertionError("without a broker there are no messages")

    def start(self, broker: Broker | None = None) -> None:
        assert broker is None
        if self.troubles:
            self.story.append("tried")
            raise self.troubles.pop(0)
        self.story.append("started")
        self.stop_event.set()

    def stop(self, grace_s: float = 5.0) -> bool:
        self.story.append("stopped")
        return grace_s > 0


def test_worker_starts_when_it_can(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(service, "_AGAIN_SECONDS", 0.01)
    stop = threading.Event()
    crew = Crew(stop, Unavailable("the index is away"))
    service.serve(crew, stop)
    assert crew.story == ["tried", "started", "stopped"]
    assert "the index is away" in caplog.text

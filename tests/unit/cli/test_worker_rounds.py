"""The worker's rounds go on whatever happens in one of them."""

import threading

import pytest

from pacs import worker
from pacs.errors import Unavailable


class Archive:
    def __init__(self, stop: threading.Event, *troubles: Exception) -> None:
        self.stop = stop
        self.troubles = list(troubles)
        self.rounds = 0

    def recover(self) -> int:
        self.rounds += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.stop.set()
        return 0


def test_rounds(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(worker, "EVERY_SECONDS", 0.01)
    stop = threading.Event()
    archive = Archive(stop, Unavailable("the disk is full"), ValueError("DOE^JANE"))
    worker.serve(archive, stop)
    assert archive.rounds == 3
    assert "the disk is full" in caplog.text
    assert "kind=ValueError at=recover" in caplog.text
    assert "DOE" not in caplog.text

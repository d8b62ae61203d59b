"""What neighbours add to the crew, found by name."""

import sys
import threading
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from pacs import services
from pacs.outbox.crew import Chore
from pacs.outbox.events import Kind
from pacs.outbox.subscriber import Errand
from pacs.runtime import Archive
from tests.contract.conftest import put
from tests.support.factory import ct_series

SECONDS = 30.0


@pytest.fixture
def neighbour(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("a_neighbour")
    monkeypatch.setitem(sys.modules, "a_neighbour", module)
    table = {"gone": "no_such_module:contribute", "wrong": "json:loads", "a": "a_neighbour:contribute"}
    monkeypatch.setattr(services, "CREW", MappingProxyType(table))
    return module


def test_neighbours_work_in_the_crew_and_one_that_fails_is_left_out(
    archive: Archive, neighbour: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    heard, turned = threading.Event(), threading.Event()

    def turn() -> bool:
        turned.set()
        return False

    def contribute(given: Archive) -> tuple[Any, ...]:
        assert given is archive
        return Errand("a", frozenset({Kind.STORED}), lambda _: heard.set()), Chore("b", turn)

    neighbour.contribute = contribute  # type: ignore[attr-defined]
    crew = archive.crew()
    crew.start()
    try:
        put(archive, ct_series(1)[0].part10())
        assert heard.wait(SECONDS)
        assert turned.wait(SECONDS)
    finally:
        crew.stop()
    left_out = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert [line.split()[5] for line in left_out] == ["name=gone", "name=wrong"]

"""Nobody waits for the broker: without it every wire answers as before, and readiness says so."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support import redis_server
from tests.support.archive_server import GROWN, ArchiveServer
from tests.support.dimse_client import Client
from tests.support.factory import ct_series
from tests.support.web_client import Web

CONFIG = "[reading]\nquiet_seconds = 1.0\n"


def ready(server: ArchiveServer) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/readyz", timeout=20)
    assert answer.status_code == 200
    return dict(answer.json())


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


def test_the_archive_serves_and_lists_while_the_broker_is_away(deploy: Callable[..., ArchiveServer]) -> None:
    with redis_server.running() as redis:
        server = deploy(GROWN, config=CONFIG, broker_url=redis.url)
        until(lambda: ready(server) == {"status": "ready"})
        redis.stop()
        until(lambda: ready(server) == {"status": "degraded", "away": ["broker"]})
        items = ct_series(2, rows=16, columns=16)
        assert set(Client(server.dimse_port).store(items).values()) == {0}
        web = Web(server.root)
        assert web.store(ct_series(1, rows=16, columns=16)).status == 200
        found = httpx.get(f"{server.root}/studies", params={"StudyInstanceUID": items[0].study})
        assert len(found.json()) == 1
        until(lambda: len(httpx.get(f"{server.url}/api/worklist").json()["items"]) == 2)
        redis.start()
        until(lambda: ready(server) == {"status": "ready"})

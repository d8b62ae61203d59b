"""What every test gets: a scrubbed environment, no traffic but loopback, real peers."""

import ipaddress
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import redis_server
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.postgres import PostgresServer, running
from tests.support.redis_server import RedisServer

REPOSITORY = Path(__file__).parents[1]
PROGRAMS = {"dcmtk": "storescu", "curl": "curl", "chromium": "chromium", "nginx": "nginx"}
FETCHED = {"ohif": "build/viewer/viewer.json", "npm-client": "build/npm/dicomweb-client/.integrity"}
"""Peers that `make peers` fetches with npm, and a file that is there when they are."""
REQUIRE_PEERS = os.environ.get("HILUM_REQUIRE_PEERS") == "1"
TORTURE = os.environ.get("HILUM_TORTURE") == "1"


def pytest_configure() -> None:
    for name in list(os.environ):
        if name.startswith("PACS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    sys.addaudithook(_loopback_only)


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0])
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise PermissionError(f"the tests speak to loopback only, not to {host}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (mark := item.get_closest_marker("peer")) is not None:
            _need(item, *mark.args)


def _need(item: pytest.Item, *peers: str) -> None:
    missing = [name for name in peers if not _present(name)]
    if missing and not REQUIRE_PEERS:
        item.add_marker(pytest.mark.skip(reason=f"not installed: {' '.join(missing)} (see make peers)"))
    elif missing:
        item.add_marker(pytest.mark.usefixtures("_peer_missing"))


def _present(peer: str) -> bool:
    if peer in FETCHED:
        return (REPOSITORY / FETCHED[peer]).is_file()
    return shutil.which(PROGRAMS[peer]) is not None


@pytest.fixture
def _peer_missing() -> None:
    pytest.fail("a peer of this test is not installed, and HILUM_REQUIRE_PEERS=1")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server a session; `fresh_url()` gives an empty database."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis a session, for those who do not stop or flush it."""
    with redis_server.running() as server:
        yield server


Deploy = Callable[..., ArchiveServer]


@pytest.fixture
def deploy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deploy]:
    """Start archives, e.g. `deploy(CLUSTER, config="...")`. All are stopped at the end, which has
    to succeed. With `start=False` the archive is only laid out."""
    servers: list[ArchiveServer] = []

    def make(deployment: Deployment = LAPTOP, *, start: bool = True, **settings: Any) -> ArchiveServer:
        if deployment.index == "postgresql" and "index_url" not in settings:
            settings["index_url"] = request.getfixturevalue("postgres").fresh_url()
        if deployment.broker and "broker_url" not in settings:
            settings["broker_url"] = request.getfixturevalue("redis").url
        server = ArchiveServer(tmp_path / f"archive-{len(servers)}", deployment, **settings)
        servers.append(server)
        if start:
            server.start()
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(params=[LAPTOP, CLUSTER], ids=str)
def server(request: pytest.FixtureRequest, deploy: Deploy) -> ArchiveServer:
    """A running archive, once on each index."""
    return deploy(request.param)


@pytest.fixture
def laptop(deploy: Deploy) -> ArchiveServer:
    """A running archive as `pacs serve` starts it unconfigured."""
    return deploy(LAPTOP)

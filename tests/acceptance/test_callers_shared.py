"""Several processes at one port: callers that stay are spread over them, whoever is quicker."""

import contextlib
import socket
from collections import Counter
from collections.abc import Callable

import pytest
from pynetdicom.presentation import build_context

from tests.support.archive_server import ArchiveServer, Deployment
from tests.support.dimse_client import Client, wait_for

CALLERS = 12
LEAST = CALLERS // 4  # of two; a machine that has other things to do may be late for some


def spread(server: ArchiveServer, role: str, port: int) -> Counter[int]:
    """How many connections each process of a role has at the port."""
    return Counter(
        process.pid
        for process in server.processes()
        if process.name().startswith(f"pacs {role}")
        for one in process.net_connections("tcp")
        if one.status == "ESTABLISHED" and one.laddr.port == port
    )


def shared(server: ArchiveServer, role: str, port: int) -> Callable[[], bool]:
    def look() -> bool:
        found = spread(server, role, port)
        return sum(found.values()) == CALLERS and len(found) == 2 and min(found.values()) >= LEAST

    return look


@pytest.fixture
def server(deploy: Callable[..., ArchiveServer]) -> ArchiveServer:
    return deploy(Deployment("sqlite", 2, 2))


def test_browsers(server: ArchiveServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CALLERS):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.http_port), timeout=30))
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 200")
        wait_for(shared(server, "web", server.http_port), 10)


def test_stations(server: ArchiveServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CALLERS):
            context = [build_context("1.2.840.10008.1.1")]
            stack.enter_context(Client(server.dimse_port).association(context))
        wait_for(shared(server, "dimse", server.dimse_port), 10)

"""The check that the image asks of its containers."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.support.archive_server import ArchiveServer

PROGRAM = Path(__file__).parents[2] / "scripts" / "healthy.py"
SECONDS = 60.0


def healthy(server: ArchiveServer, *, http: int = 0) -> tuple[int, str]:
    assert server.process is not None
    words = ["--below", str(server.process.pid), "--dimse", str(server.dimse_port)]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words, "--http", str(http or server.http_port)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.strip()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_a_container_is_healthy_while_its_roles_answer(laptop: ArchiveServer) -> None:
    assert healthy(laptop) == (0, "")
    assert laptop.process is not None
    supervisor = psutil.Process(laptop.process.pid)
    supervisor.suspend()  # or it would start them again
    try:
        with socket.socket() as nobody:  # holds a port on which nothing answers
            nobody.bind(("127.0.0.1", 0))
            assert healthy(laptop, http=nobody.getsockname()[1]) == (1, "web does not answer")
        for child in supervisor.children():
            child.kill()
        until(lambda: healthy(laptop) == (1, "no role is running"))
    finally:
        supervisor.resume()
    until(lambda: healthy(laptop) == (0, ""))

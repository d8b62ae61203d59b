"""uvicorn beside granian: the same application on the same archive, asked for the same, alternating; medians.

granian is no dependency of the archive: `make bench-servers` puts it into build/granian, from where it is
taken. Needs wrk from Debian.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
from starlette.types import ASGIApp

sys.path.insert(0, str(Path(__file__).parents[2]))

from dicomweb.app import make_app
from dicomweb.service import serve
from pacs.config import Config
from pacs.runtime import open_archive
from tests.bench.web import FRAME, JSON, ROOT, ROUNDS, WHOLE, Subject, ct
from tests.support.factory import ct_series
from tests.support.ports import free_port
from tests.support.web_client import Web

SLICES: Final = 60
STUDIES: Final = 40
GRANIAN: Final = ROOT / "build" / "granian"
DATA: Final = "BENCH_DATA"
START_SECONDS: Final = 60.0

Ask = Callable[[Subject], float]
WORK: Final[dict[str, Ask]] = {
    "`/healthz`, 4 connections": lambda s: s.per_second([s.root.replace("/dicom-web", "/healthz")], "*/*"),
    "frame of 0.5 MB, 4 connections": lambda s: s.per_second(
        [f"{item.path(s.root)}/frames/1" for item in s.study], FRAME
    ),
    f"metadata of {SLICES} slices, 1 connection": lambda s: s.per_second(
        [f"{s.study_url}/metadata"], JSON, 1
    ),
    "QIDO page of 25, 4 connections": lambda s: s.per_second([f"{s.root}/studies?limit=25"], JSON),
    "whole study, 1 connection": lambda s: s.per_second([s.study_url], WHOLE, 1),
}


def app() -> ASGIApp:
    """What granian serves."""
    return make_app(open_archive(Config(data=Path(os.environ[DATA]))))


def by_uvicorn(port: int) -> None:
    """As the web role serves it."""
    archive = open_archive(Config(data=Path(os.environ[DATA])))
    serve(archive, socket.create_server(("127.0.0.1", port)), threading.Event())


@contextmanager
def running(command: list[str], port: int, data: Path) -> Iterator[str]:
    """The DICOMweb root of a server of its own process."""
    path = os.pathsep.join((str(ROOT), str(GRANIAN)))
    process = subprocess.Popen(
        [sys.executable, *command], env={**os.environ, DATA: str(data), "PYTHONPATH": path}
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()  # not killed: granian's worker is a process of its own
        process.wait(START_SECONDS)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    if not (GRANIAN / "granian").is_dir():
        raise SystemExit("granian is not in build/granian: make bench-servers puts it there")
    ports = {"uvicorn": free_port(), "granian": free_port()}
    commands = {
        "uvicorn": [__file__, str(ports["uvicorn"])],
        "granian": [
            "-m", "granian", "--interface", "asginl", "--http", "1", "--workers", "1", "--no-ws",
            "--port", str(ports["granian"]), "--factory", "tests.bench.servers:app",
        ],
    }  # fmt: skip
    study = ct(SLICES)
    figures: dict[str, dict[str, list[float]]] = {work: {peer: [] for peer in ports} for work in WORK}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        data = Path(name) / "data"
        roots = {
            peer: stack.enter_context(running(command, ports[peer], data))
            for peer, command in commands.items()
        }
        for items in (study, *(ct_series(1, rows=8, columns=8) for _ in range(STUDIES))):
            assert Web(roots["uvicorn"]).store(items).status == 200
        client = stack.enter_context(httpx.Client(timeout=600))
        for number in range(ROUNDS + 1):
            for work, ask in WORK.items():
                for peer, root in roots.items():
                    figure = ask(Subject(root, study, client, Path(name)))
                    if number:  # the first round warms
                        figures[work][peer].append(figure)
    print(f"\nrequests a second, one process each, {ROUNDS} rounds, {os.cpu_count()} processors\n")
    print("| | uvicorn | granian |\n| --- | --- | --- |")
    for work, peers in figures.items():
        print(f"| {work} |", " | ".join(f"{statistics.median(peers[peer]):.4g}" for peer in ports), "|")


if __name__ == "__main__":
    if sys.argv[1:]:
        by_uvicorn(int(sys.argv[1]))
    else:
        main()

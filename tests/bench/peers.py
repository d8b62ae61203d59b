"""Who is timed beside Hilum: Orthanc and DCMTK's storescp, as Debian ships them."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.archive_server import AET, ArchiveServer
from tests.support.ports import free_port

# Without it every answer of DCMTK's network layer, and so of Orthanc, waits 40 ms for an acknowledgement.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
SINK = "SINK"


@dataclass(frozen=True, slots=True)
class Peer:
    """An archive that is timed. `gives`: whether it answers C-MOVE and C-GET."""

    name: str
    aet: str
    port: int
    gives: bool = True
    environment: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)  # of who sends to it


def present() -> dict[str, bool]:
    """Which peers this machine has."""
    return {
        "Orthanc": shutil.which("Orthanc") is not None,
        "storescp -B": shutil.which("storescp") is not None,
    }


@contextmanager
def orthanc(folder: Path, sink: int, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[Peer]:
    """Everybody may do everything, the rest at its defaults."""
    folder.mkdir()
    port = free_port()
    allow = ("Echo", "Find", "Get", "Move", "Store")
    settings: dict[str, Any] = {f"DicomAlwaysAllow{word}": True for word in allow}
    settings |= {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
        "DicomModalities": {"sink": [SINK, "127.0.0.1", sink]},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], env=environment, stderr=log)
        with _ended(process):
            _answers(port)
            yield Peer("Orthanc", "ORTHANC", port, environment=environment)


@contextmanager
def storescp(folder: Path, name: str = "storescp -B", aet: str = "STORESCP") -> Iterator[Peer]:
    """Writes what comes as it comes; no index, no waiting for the disk."""
    folder.mkdir()
    port = free_port()
    command = ["storescp", "--fork", "-aet", aet, "-B", "+xa", "-od", str(folder), str(port)]
    with _ended(subprocess.Popen(command, env=ENVIRONMENT)):
        _answers(port)
        yield Peer(name, aet, port, gives=False)


@contextmanager
def sink(folder: Path) -> Iterator[int]:
    """A destination of C-MOVE that throws everything away."""
    folder.mkdir()
    port = free_port()
    command = ["storescp", "--fork", "-aet", SINK, "--ignore", "+xa", "-od", str(folder), str(port)]
    with _ended(subprocess.Popen(command, env=ENVIRONMENT)):
        _answers(port)
        yield port


@contextmanager
def hilum(folder: Path, sink_port: int, processes: int = 2) -> Iterator[Peer]:
    peers = f'[dimse.peers.{SINK}]\nhost = "127.0.0.1"\nport = {sink_port}\n'
    server = ArchiveServer(folder, dimse_settings=f"{peers}", config="")
    server.deployment = type(server.deployment)("sqlite", processes, 1)
    with server.running():
        yield Peer("Hilum", AET, server.dimse_port)


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody answers on port {port}")

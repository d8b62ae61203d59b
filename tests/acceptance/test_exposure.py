"""Loopback only by default; elsewhere only with authentication or when told so."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.archive_server import ArchiveServer, environment
from tests.support.dimse_client import Client, wait_for
from tests.support.factory import ct_series
from tests.support.ports import free_port

Deploy = Callable[..., ArchiveServer]


def listening(server: ArchiveServer) -> set[tuple[str, int]]:
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in server.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def status_of(url: str) -> int:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code
    return 0


def test_listens_on_loopback_only(laptop: ArchiveServer) -> None:
    assert listening(laptop) == {("127.0.0.1", laptop.http_port), ("127.0.0.1", laptop.dimse_port)}


def test_defaults_are_loopback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pacs", "config", "show"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.count("127.0.0.1") >= 2
    assert "0.0.0.0" not in done.stdout  # noqa: S104 - looked for, not bound


@pytest.mark.parametrize("aet", ["ANYBODY", "x", "SIXTEEN_CHARS_AE"])
def test_any_ae_title_is_admitted_there(aet: str, laptop: ArchiveServer) -> None:
    (item,) = ct_series(1, rows=8, columns=8)
    assert Client(laptop.dimse_port, aet=aet).store([item]) == {item.instance: 0}
    assert Client(laptop.dimse_port, aet=aet, called="WHATEVER").store([item]) == {item.instance: 0}


@pytest.mark.parametrize("wire", ["--http", "--dimse"])
def test_refuses_to_start_elsewhere(wire: str, deploy: Deploy) -> None:
    server = deploy(start=False)
    server.folder.mkdir(parents=True)
    server.write_config()
    done = server.pacs("serve", wire, f"0.0.0.0:{free_port()}", timeout=60)
    assert done.returncode not in {0, -9}
    text = done.stdout + done.stderr
    assert "authentication" in text
    assert "--insecure" in text
    assert "Traceback" not in text


def test_starts_elsewhere_when_told_so(deploy: Deploy) -> None:
    server = deploy(start=False)
    server.arguments = ("--http", f"0.0.0.0:{server.http_port}", "--insecure")
    server.start()
    assert ("0.0.0.0", server.http_port) in listening(server)  # noqa: S104 - it was asked for


def test_starts_elsewhere_with_authentication(deploy: Deploy) -> None:
    server = deploy(start=False)
    server.folder.mkdir(parents=True)
    server.config = '[[auth.tokens]]\nname = "x"\nhash = "sha256:' + "0" * 64 + '"\nroles = ["viewer"]\n'
    server.dimse_settings = '[dimse.peers.PROBE]\nhost = "127.0.0.1"\nport = 104\n'
    server.arguments = ("--http", f"0.0.0.0:{server.http_port}")
    server.launch()
    wait_for(lambda: status_of(f"{server.url}/readyz") == 401)
    assert ("0.0.0.0", server.http_port) in listening(server)  # noqa: S104 - it was asked for

"""The archive as a real process tree on loopback ports, with a data folder of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from tests.support import command_line
from tests.support.ports import free_port

REPOSITORY = Path(__file__).parents[2]
AET = "HILUM"
START_SECONDS = 60.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """How an archive is laid out: which index, how many listener processes of each kind."""

    index: str = "sqlite"
    dimse: int = 1
    web: int = 1
    broker: bool = False

    def __str__(self) -> str:
        return f"{self.index}-{self.dimse}x{self.web}{'-redis' if self.broker else ''}"


LAPTOP = Deployment()
LAPTOP_WIDE = Deployment("sqlite", 2, 2)
CLUSTER = Deployment("postgresql", 2, 2)
GROWN = Deployment("postgresql", 2, 2, broker=True)


@dataclass(slots=True)
class ArchiveServer:
    """One archive. `config` is TOML beside what `deployment` says; sections must not repeat."""

    folder: Path
    deployment: Deployment = LAPTOP
    index_url: str = ""
    broker_url: str = ""
    config: str = ""
    dimse_settings: str = ""
    web_settings: str = ""
    arguments: tuple[str, ...] = ()
    http_port: int = field(default_factory=free_port)
    dimse_port: int = field(default_factory=free_port)
    probe_headers: Mapping[str, str] = field(default_factory=dict)
    probe_aet: str = "PROBE"
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log_path(self) -> Path:
        return self.folder / "archive.log"

    @property
    def config_path(self) -> Path:
        return self.folder / "hilum.toml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def root(self) -> str:
        """The DICOMweb root."""
        return f"{self.url}/dicom-web"

    def write_config(self) -> None:
        lines = [f"[dimse]\nprocesses = {self.deployment.dimse}\n{self.dimse_settings}"]
        lines.append(f"[web]\nprocesses = {self.deployment.web}\n{self.web_settings}")
        if self.index_url:
            lines.append(f"[index]\nurl = {json.dumps(self.index_url)}\n")
        if self.broker_url:
            prefix = f"t{self.http_port}"  # the broker is shared with the archives of other tests
            lines.append(f"[broker]\nurl = {json.dumps(self.broker_url)}\nprefix = {json.dumps(prefix)}\n")
        self.config_path.write_text("\n".join(lines) + self.config)

    def start(self) -> None:
        """Start and wait until both wires answer."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_config()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(
                    "serve",
                    "--http", f"127.0.0.1:{self.http_port}",
                    "--dimse", f"127.0.0.1:{self.dimse_port}",
                    "--aet", AET,
                    *self.arguments,
                ),
                cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def command(self, *words: str) -> list[str]:
        """A `pacs` command line on this archive's data and settings."""
        return [sys.executable, "-m", "pacs", *words, *self._where()]

    def _where(self) -> list[str]:
        return ["--data", str(self.data), "--config", str(self.config_path)]

    def pacs(self, *words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a `pacs` command to its end."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, env=environment(), capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def pacs_here(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The same inside this process, which saves the start of an interpreter."""
        return command_line.run(self.folder, [*words, *self._where()])

    def pacs_plain(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a `pacs` command that knows no archive."""
        return subprocess.run(
            [sys.executable, "-m", "pacs", *words], cwd=self.folder, env=environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def check(self) -> dict[str, Any]:
        """`pacs check --json`; fails unless it found no difference."""
        done = self.pacs("check", "--json")
        assert done.returncode == 0, f"pacs check: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout))

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the archive ended with {self.process.returncode}\n{self.log()}")
            if self._web_answers() and self.echo():
                return
            time.sleep(0.05)
        raise AssertionError(f"the archive was not ready within {START_SECONDS:.0f} s\n{self.log()}")

    def _web_answers(self) -> bool:
        try:
            ready = httpx.get(f"{self.url}/readyz", headers=dict(self.probe_headers), timeout=5)
        except httpx.TransportError:
            return False
        return ready.status_code == 200

    def echo(self, aet: str = "") -> bool:
        """One C-ECHO by pynetdicom; true when it succeeded."""
        peer = AE(aet or self.probe_aet)
        peer.add_requested_context(Verification)
        peer.connection_timeout = peer.acse_timeout = peer.dimse_timeout = 5
        association = peer.associate("127.0.0.1", self.dimse_port, ae_title=AET)
        if not association.is_established:
            return False
        status = association.send_c_echo()
        association.release()
        return "Status" in status and status.Status == 0

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        assert self.process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def kill9(self) -> None:
        """End the whole process tree at once, as a power cut would."""
        assert self.process is not None
        tree = self.processes()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for process in tree:  # those that left the process group
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(10)
        _wait_until_dead(tree)
        self.process = None

    def restart(self) -> None:
        """Start again on the same data after a stop or a kill."""
        assert self.process is None
        self.start()

    def stop(self) -> None:
        """SIGTERM to the supervisor; everything must be gone and the exit code 0."""
        if self.process is None:
            return
        tree = self.processes()
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"still running {STOP_SECONDS:.0f} s after SIGTERM\n{self.log()}") from None
        _, alive = psutil.wait_procs(tree, timeout=5)
        for process in alive:
            process.kill()
        self.process = None
        assert code == 0, f"exit code {code} after SIGTERM\n{self.log()}"
        assert not alive, f"processes outlived the supervisor: {alive}"

    def log(self, lines: int = 60) -> str:
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @contextlib.contextmanager
    def running(self) -> Iterator["ArchiveServer"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()


def _wait_until_dead(tree: list[psutil.Process]) -> None:
    """A zombie holds nothing any more; whether init has buried it does not matter."""
    deadline = time.monotonic() + 10
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < deadline, f"SIGKILL did not end {process.pid}"
                time.sleep(0.005)


def environment() -> dict[str, str]:
    """Ours, without anything that would change the archive's settings or send it outside."""
    dropped = ("PACS_", "PYTEST_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(dropped) and "proxy" not in name.lower()
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), "TCP_NODELAY": "1", "PYTHONDONTWRITEBYTECODE": "1"}

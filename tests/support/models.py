"""Models as real processes: the example server, and servers that do everything wrong."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.archive_server import REPOSITORY, environment
from tests.support.ports import free_port

EXAMPLE = REPOSITORY / "examples" / "model_server.py"


@dataclass(slots=True)
class ModelProcess:
    """A model server of its own; `arguments` are its command line beside the port."""

    folder: Path
    program: Path = EXAMPLE
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, path: str = "/jobs") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def log(self) -> str:
        path = self.folder / f"model-{self.port}.log"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        with (self.folder / f"model-{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(self.program), "--port", str(self.port), *self.arguments],
                cwd=REPOSITORY, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(httpx.TransportError):
                httpx.get(self.url("/"), timeout=5)
                return
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def kill9(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    @contextlib.contextmanager
    def running(self) -> Iterator["ModelProcess"]:
        self.start()
        try:
            yield self
        finally:
            if self.process is not None:
                self.kill9()


def answer(job: dict[str, Any], findings: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    """An answer in form."""
    return {
        "run": job["run"],
        "model": {"name": job["model"]["name"], "version": "1.0"},
        "study": job["study"],
        "patient_id": job["patient_id"],
        "findings": findings,
    } | other


CRITICAL = {"name": "intracranial haemorrhage", "severity": "critical", "confidence": 1.0}


class Odd(BaseHTTPRequestHandler):
    """What it does is the path that it is asked at."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.say(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        job = json.loads(body)
        # At one go: there are other threads.
        sys.stdout.write(f"{self.path} {job['run']} {job['study']} {job['token']}\n")
        sys.stdout.flush()
        getattr(self, self.path.strip("/").replace("-", "_"))(job)

    def good(self, job: dict[str, Any]) -> None:
        self.say_json(answer(job, [CRITICAL]))

    def nothing(self, job: dict[str, Any]) -> None:
        self.say_json(answer(job, []))

    def garbage(self, _: dict[str, Any]) -> None:
        self.say(200, b"<html>I am a teapot</html>")

    def wrong_patient(self, job: dict[str, Any]) -> None:
        self.say_json(answer(job, [CRITICAL], patient_id="SOMEBODY-ELSE"))

    def wrong_study(self, job: dict[str, Any]) -> None:
        self.say_json(answer(job, [CRITICAL], study="1.2.3.4"))

    def wrong_reference(self, job: dict[str, Any]) -> None:
        finding = CRITICAL | {"references": [{"series": "1.2.3", "instance": "1.2.3.4"}]}
        self.say_json(answer(job, [finding]))

    def overconfident(self, job: dict[str, Any]) -> None:
        self.say_json(answer(job, [CRITICAL | {"confidence": 17}]))

    def huge(self, _: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(10 << 30))
        self.end_headers()
        self.pour()

    def endless(self, _: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.pour()

    def drip(self, _: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.2)

    def drip_head(self, _: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                self.wfile.write(b"x")
                time.sleep(0.2)

    def hang(self, _: dict[str, Any]) -> None:
        time.sleep(3600)

    def half(self, _: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"{")
        self.close_connection = True

    def slam(self, _: dict[str, Any]) -> None:
        self.close_connection = True

    def no_http(self, _: dict[str, Any]) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        self.close_connection = True

    def redirect(self, _: dict[str, Any]) -> None:
        self.send_response(307)
        self.send_header("Location", "/good")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def busy(self, _: dict[str, Any]) -> None:
        self.say(503, b"")

    def not_mine(self, _: dict[str, Any]) -> None:
        self.say(422, b"")

    def promise(self, _: dict[str, Any]) -> None:
        self.say(202, b"")

    def pour(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" " * 65536)

    def say_json(self, value: dict[str, Any]) -> None:
        self.say(200, json.dumps(value).encode())

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def odd(folder: Path) -> ModelProcess:
    return ModelProcess(folder, Path(__file__))


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Odd) as server:
        server.daemon_threads = True
        server.serve_forever()

"""A real S3 server from a wheel: SeaweedFS, all its parts in one process on loopback.

It can be killed and started again over the same folder, as a bucket's host would be.
"""

import atexit
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from pacs.store.s3 import Bucket, connect
from tests.support.ports import free_port

ACCESS_KEY: Final = "hilum-test"
SECRET_KEY: Final = "hilum-test-secret"  # noqa: S105 - of a server that only this test run can reach
REGION: Final = "us-east-1"
_READY_SECONDS: Final = 60.0
_number = itertools.count()
# Each bucket gets volumes of its own, seven at once by default, and there are only as many as the free
# disk would hold when full.
_ONE_AT_A_TIME: Final = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
_PARTS = ("master", "volume", "filer", "s3")


class S3Server:
    """Runs from `start` to `stop`; the bytes in `folder` outlive it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = {part: (free_port(), free_port()) for part in _PARTS}
        identity = {
            "name": "test",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3'][0]}"

    def fresh_bucket(self, prefix: str = "") -> Bucket:
        """A new, empty one."""
        bucket = Bucket(f"hilum-{next(_number)}", self.endpoint_url, REGION, ACCESS_KEY, SECRET_KEY, prefix)
        connect(bucket).create_bucket()
        return bucket

    def start(self) -> None:
        """Returns when the server answers."""
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, cwd=self._folder, env=os.environ | _ONE_AT_A_TIME
            )
        until = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                tail = (self._folder / "weed.log").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"the S3 server did not start: {tail}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGKILL: what it does not survive, no bucket's host would either."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        for _, grpc in self._ports.values():
            for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{grpc}.sock"):  # noqa: S108 - its own choice
                path.unlink(missing_ok=True)

    def log(self) -> str:
        return (self._folder / "weed.log").read_text(errors="replace")

    def _command(self) -> list[str]:
        program = str(Path(sys.executable).with_name("weed"))
        command = [
            program, "-logtostderr=true", "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-dir={self._folder / 'data'}", "-master.telemetry=false", "-master.volumeSizeLimitMB=128",
            "-volume.max=0", f"-s3.config={self._folder / 's3.json'}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket=false",
            f"-s3.localSocket={self._folder / 's3.sock'}",
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            "-master.electionTimeout=1s",  # alone in its cluster; the default takes 20 s to see that
        ]  # fmt: skip
        for part, (port, grpc) in self._ports.items():
            command += [f"-{part}.port={port}", f"-{part}.port.grpc={grpc}"]
        return command

    def _answers(self) -> bool:
        """The gateway stands, and behind it a volume that can be written."""
        return self._ok("s3", "/healthz") and self._ok("master", "/dir/assign")

    def _ok(self, part: str, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[part][0], timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@cache
def shared() -> S3Server:
    """One server for all tests of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running())


@contextmanager
def running() -> Iterator[S3Server]:
    folder = Path(tempfile.mkdtemp(prefix="hilum-s3-"))
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""The S3 server of the compose file, run for real: it keeps what we put, and asks who we are."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs.errors import PacsError
from pacs.store.s3 import Bucket, connect
from tests.support.ports import free_port

REPOSITORY = Path(__file__).parents[3]
SECONDS = 60.0
PARTS = ("master", "volume", "filer", "s3")


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    ports = {part: (free_port(), free_port()) for part in PARTS}
    words = [
        f"-{part}.port{kind}={port}"
        for part, pair in ports.items()
        for kind, port in zip(("", ".grpc"), pair, strict=True)
    ]
    words += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=512"]
    words += [f"-s3.localSocket={tmp_path / 's3.sock'}", f"-filer.localSocket={tmp_path / 'filer.sock'}"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (tmp_path / "data").mkdir()
    given = {"DATA": str(tmp_path / "data"), "LISTEN": "127.0.0.1", "TMPDIR": str(tmp_path), "PATH": path}
    keys = {"COLD_ACCESS_KEY": "access", "COLD_SECRET_KEY": "s3cret"}
    script = ["sh", str(REPOSITORY / "deploy" / "seaweedfs.sh")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*script, *words], env=given | keys, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = time.monotonic() + SECONDS
        while not healthy(ports["s3"][0]):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{ports['s3'][0]}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def healthy(port: int) -> bool:
    """As the compose file asks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_it_keeps_what_is_put_and_asks_who_we_are(endpoint: str) -> None:
    data = b"x" * 3_000_000
    ours = connect(Bucket("hilum", endpoint, "us-east-1", "access", "s3cret"))
    until = time.monotonic() + SECONDS
    while (
        True
    ):  # it answers a little before it can keep anything; the bucket itself comes by the first object
        try:
            ours.put("a/b", [data], size=len(data))
            break
        except PacsError:
            assert time.monotonic() < until
            time.sleep(0.2)
    assert b"".join(ours.ranged("a/b", 5, 100)) == data[5:105]
    stranger = connect(Bucket("hilum", endpoint, "us-east-1", "access", "other"), attempts=1)
    with pytest.raises(PacsError):
        stranger.stat("a/b")

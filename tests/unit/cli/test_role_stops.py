"""A role's process ends well when it is told to, whatever threads its libraries have started."""

import subprocess
import sys
import time
from pathlib import Path

from pacs.config import load, to_json

SECONDS = 60.0


def test_a_role_ends_by_itself_on_sigterm(tmp_path: Path) -> None:
    """numpy starts threads when it is imported, before the role waits for the signal."""
    settings = to_json(load("", {}, {"data": str(tmp_path / "data")}))
    command = [sys.executable, "-m", "pacs", "role", "worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(settings.encode() + b"\n")
        process.stdin.flush()
        until = time.monotonic() + SECONDS
        while not (tmp_path / "data" / "index.db").exists():
            assert time.monotonic() < until, "the role did not start in time"
            time.sleep(0.05)
        process.terminate()
        assert process.wait(SECONDS) == 0

"""A role's process ends well when it is told to, whatever threads its libraries have started."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

SECONDS = 60.0


def test_a_role_ends_by_itself_on_sigterm(tmp_path: Path) -> None:
    """numpy starts threads when it is imported, before the role waits for the signal."""
    command = [sys.executable, "-m", "pacs", "serve", "worker", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        until = time.monotonic() + SECONDS
        while "stop" not in process.stdout.readline():
            assert time.monotonic() < until, "the role did not start in time"
        (worker,) = psutil.Process(process.pid).children()
        worker.send_signal(signal.SIGTERM)
        said = ""
        while "reason=exit" not in said:
            said += process.stderr.readline()
            assert time.monotonic() < until, said
        process.terminate()
        process.communicate()
        assert process.wait(SECONDS) == 0
    assert "reason=exit 0" in said

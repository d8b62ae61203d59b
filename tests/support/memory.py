"""What the processes of an archive take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.archive_server import ArchiveServer


@contextmanager
def peak_memory(server: ArchiveServer) -> Iterator[dict[int, int]]:
    """The peak resident size of every process of the archive, as Linux accounts for it (VmHWM).
    Sampled, so that a process that ended meanwhile is counted too."""
    peaks: dict[int, int] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            take()

    def take() -> None:
        for process in server.processes():
            status = Path(f"/proc/{process.pid}/status")
            try:
                line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            except (OSError, StopIteration):
                continue
            peaks[process.pid] = max(peaks.get(process.pid, 0), int(line.split()[1]) * 1024)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peaks
    finally:
        stop.set()
        sampler.join()
        take()

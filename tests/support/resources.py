"""What the processes of an archive hold: memory, file handles, threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.archive_server import ArchiveServer


@contextmanager
def peak_memory(server: ArchiveServer) -> Iterator[dict[str, int]]:
    """The peak resident size of every process of the archive by its name, as Linux accounts for it
    (VmHWM). Sampled, so that a process that ended meanwhile is counted too."""
    peaks: dict[str, int] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            take()

    def take() -> None:
        for process in server.processes():
            with suppress(OSError, psutil.NoSuchProcess):
                name = f"{process.name()} {process.pid}"
                peaks[name] = max(peaks.get(name, 0), _status(process.pid, "VmHWM"))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peaks
    finally:
        stop.set()
        sampler.join()
        take()


def resident(server: ArchiveServer) -> dict[str, int]:
    """Bytes in memory now, by the same names. Peaks are counted anew from here on."""
    found = {}
    for process in server.processes():
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        found[f"{process.name()} {process.pid}"] = _status(process.pid, "VmRSS")
    return found


def held(server: ArchiveServer, role: str) -> tuple[int, int]:
    """File handles and threads of all processes of a role."""
    found = [one for one in server.processes() if one.name().startswith(f"pacs {role}")]
    return sum(one.num_fds() for one in found), sum(one.num_threads() for one in found)


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field)), 0)

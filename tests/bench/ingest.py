"""Ingest beside a peer: `storescu` sends the same CT objects to Hilum and to DCMTK's `storescp -B`.

Both run in the same minutes on the same machine, alternating; figures are medians and the ratio is
what counts. storescp keeps no index and does not wait for the disk, so it is a floor and no rival.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.archive_server import ArchiveServer
from tests.support.factory import ct_series
from tests.support.ports import free_port

OBJECTS = int(os.environ.get("BENCH_OBJECTS", "100"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EDGE = 512
RESULTS = Path(__file__).parents[2] / "bench" / "results"


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    port = free_port()
    folder.mkdir()
    command = ["storescp", "-B", "+xa", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})
    try:
        time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


def write_series(folder: Path) -> None:
    """A series of fresh UIDs, so that nothing is a duplicate."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, item in enumerate(ct_series(OBJECTS, rows=EDGE, columns=EDGE)):
        (folder / f"{number:04d}.dcm").write_bytes(item.part10())


def send(folder: Path, port: int, *, aet: str) -> float:
    """Seconds that one association takes for the whole series."""
    command = ["storescu", "-aec", aet, "-pdu", "131072", "127.0.0.1", str(port), "+sd", str(folder)]
    started = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "TCP_NODELAY": "1"}, capture_output=True)
    return time.perf_counter() - started


def measure(folder: Path, peers: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        write_series(folder)
        for name, run in peers.items():
            seconds[name].append(run())
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    floor = medians["storescp -B"]
    print(f"\n{OBJECTS} CT objects of {EDGE}x{EDGE}x16 bit, one association, {ROUNDS} rounds alternating")
    print(f"{'':16}{'median s':>10}{'min':>8}{'max':>8}{'obj/s':>8}{'ratio':>8}")
    for name, values in seconds.items():
        rate = OBJECTS / medians[name]
        spread = f"{min(values):8.2f}{max(values):8.2f}"
        print(f"{name:16}{medians[name]:10.2f}{spread}{rate:8.0f}{medians[name] / floor:8.2f}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {
        "work": {"objects": OBJECTS, "rows": EDGE, "columns": EDGE, "rounds": ROUNDS, "associations": 1},
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "seconds": seconds,
        "median": medians,
        "ratio_to_storescp": {name: value / floor for name, value in medians.items()},
    }
    path = RESULTS / "ingest.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {path.relative_to(RESULTS.parents[1])}")


def main() -> None:
    if shutil.which("storescu") is None:
        sys.exit("the benchmark needs DCMTK: sudo apt-get install dcmtk")
    with tempfile.TemporaryDirectory(prefix="hilum-bench-", dir=os.environ.get("BENCH_DIR")) as temporary:
        folder = Path(temporary)
        series = folder / "series"
        server = ArchiveServer(folder / "hilum")
        with server.running(), storescp(folder / "storescp") as port:
            peers = {
                "storescp -B": lambda: send(series, port, aet="STORESCP"),
                "Hilum": lambda: send(series, server.dimse_port, aet="HILUM"),
            }
            report(measure(series, peers))


if __name__ == "__main__":
    main()

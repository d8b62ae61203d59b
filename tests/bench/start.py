"""How long the archive takes until both wires answer, and what it takes of processor and memory.

python tests/bench/start.py
"""

import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.archive_server import ArchiveServer

ROUNDS = 3


def main() -> None:
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            server = ArchiveServer(Path(folder))
            begun = time.monotonic()
            server.start()
            took = time.monotonic() - begun
            assert server.process is not None
            supervisor = psutil.Process(server.process.pid)
            processes = [supervisor, *supervisor.children(recursive=True)]
            cpu = sum(sum(process.cpu_times()[:4]) for process in processes)
            memory = sum(process.memory_full_info().pss for process in processes) / 1e6
            server.stop()
        print(f"{took:.2f} s, {cpu:.2f} s of CPU, {memory:.0f} MB (PSS) in {len(processes)} processes")


if __name__ == "__main__":
    main()

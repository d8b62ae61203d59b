"""A worker process with errands to watch: what each did stands in a file, a line for each time.

`mark` (stored) writes; `hang` (refused) waits for a file; `poison` (superseded) always fails; `slow`
(settled) writes when it begins and when it ends, and takes a while. On signal 15 it stops as the role does.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacs import log
from pacs.config import Config, load
from pacs.db.connection import Database
from pacs.outbox.crew import Crew
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand
from pacs.worker import service

WAIT_S = 2.0
LEASE_S = 4.0
ATTEMPTS = 3
# As the role's process does: before libraries start threads, which would let the signal through.
_PROGRAM = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from tests.support.errand_worker import main
main()
"""
_REPOSITORY = Path(__file__).parents[2]


def errands(folder: Path) -> tuple[Errand, ...]:
    def write(name: str, text: str) -> None:
        with (folder / name).open("a") as out:
            out.write(f"{text} {os.getpid()}\n")

    def mark(told: Told) -> None:
        time.sleep(0.005)
        write("mark", told.study_uid)

    def hang(_: Told) -> None:
        write("hang", "begun")
        while not (folder / "release").exists():
            time.sleep(0.05)

    def poison(_: Told) -> None:
        write("poison", "tried")
        raise KeyError("a name of somebody")

    def slow(told: Told) -> None:
        write("slow-begun", told.study_uid)
        time.sleep(1.0)
        write("slow", told.study_uid)

    def errand(work: Callable[[Told], None], kind: Kind, workers: int = 1) -> Errand:
        retry = Backoff(attempts=ATTEMPTS, first_s=0.1, longest_s=0.1)
        lease_s = 600.0 if work is hang else LEASE_S
        return Errand(work.__name__, frozenset({kind}), work, workers=workers, lease_s=lease_s, retry=retry)

    return (
        errand(mark, Kind.STORED, 2),
        errand(hang, Kind.REFUSED),
        errand(poison, Kind.SUPERSEDED),
        errand(slow, Kind.SETTLED),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """As much of an archive as the role needs."""

    config: Config
    db: Database
    folder: Path

    def crew(self) -> Crew:
        return Crew(self.db, errands(self.folder), wait_s=WAIT_S)


@dataclass(frozen=True, slots=True)
class Workers:
    """Starts them and knows what they did."""

    index_url: str
    folder: Path
    broker_url: str
    processes: list["subprocess.Popen[bytes]"]

    def start(self, count: int = 1) -> None:
        """Returns when each of them works."""
        begun = [self._launch() for _ in range(count)]
        for process in begun:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begins\n", self.log()

    def _launch(self) -> "subprocess.Popen[bytes]":
        words = json.dumps([self.index_url, self.broker_url, str(self.folder)])
        with self.log_path.open("ab") as log_file:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, words],
                cwd=_REPOSITORY, stdout=subprocess.PIPE, stderr=log_file,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.processes.clear()

    def stop(self) -> None:
        """Politely; each has to end well and soon."""
        for process in self.processes:
            process.terminate()
        codes = [process.wait(30) for process in self.processes]
        for process in self.processes:
            process.communicate()
        self.processes.clear()
        assert set(codes) <= {0}, f"{codes}\n{self.log()}"

    def done(self, name: str) -> list[str]:
        """What the errand wrote, without who wrote it."""
        return [line.split()[0] for line in self._lines(name)]

    def who(self, name: str) -> set[str]:
        return {line.split()[1] for line in self._lines(name)}

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def log_path(self) -> Path:
        return self.folder / "workers.log"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


def main() -> None:
    index_url, broker_url, folder = json.loads(sys.argv[1])
    log.setup(role="worker")
    config = load("", {}, {"index.url": index_url, "broker.url": broker_url} if broker_url else {})
    stop = threading.Event()

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    bench = Bench(config, Database(index_url), Path(folder))
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    service.serve(bench, stop)

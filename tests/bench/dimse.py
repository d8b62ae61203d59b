"""DIMSE beside Orthanc and DCMTK's storescp: the same objects, the same senders, alternating rounds.

    make bench-dimse                 all of it
    BENCH_TINY=20000 make bench-dimse

Figures are medians of seconds; what counts is the ratio to Orthanc in the same run on the same machine.
storescp keeps no index and does not wait for the disk: it is a floor and no rival.
"""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import peers
from tests.bench.peers import AS_INSTALLED, ENVIRONMENT, SINK, Peer
from tests.bench.table import as_table, write_table
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series

SLICES = int(os.environ.get("BENCH_SLICES", "300"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
TINY = int(os.environ.get("BENCH_TINY", "1000"))
EDGE = 512
REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "bench" / "results"
# What is sent lies in memory: the disk is for those who receive. (ext4 goes slowly about making files where
# many were removed a moment ago, which would be timed as theirs.)
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None  # noqa: S108 - a new folder in it
PATIENCE = 1000  # studies that are sent without TCP_NODELAY: each takes Orthanc 44 ms
GIVEN = "given"  # the study that is moved and gotten

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Work:
    """One row of the table. `prepare` lays out the objects of a round, `run` gives the seconds a peer
    takes for them; `gives` leaves out peers that only receive. `as_installed`: nobody is told to set
    TCP_NODELAY, as on most stations."""

    name: str
    prepare: Callable[[], None]
    run: Callable[[Peer], float]
    rounds: int = ROUNDS
    gives: bool = False
    as_installed: bool = False


class Bench:
    """Objects in a folder, and programs that carry them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._study = ""

    def works(self) -> tuple[Work, ...]:
        return (
            Work("C-STORE, one association", lambda: self._lay_out([SLICES]), self.store),
            Work("C-STORE, four associations", lambda: self._lay_out([SLICES // 2] * 4), self.store),
            Work("C-MOVE", self._nothing, self.move, gives=True),
            Work("C-GET", self._nothing, self.get, gives=True),
            Work(
                f"{TINY} studies of one instance, two associations",
                lambda: self._lay_out_tiny([TINY // 2] * 2),
                self.store,
                rounds=min(ROUNDS, 3) if TINY <= 4000 else 1,
            ),
            Work(
                f"{min(TINY, PATIENCE)} of them, all as installed (no TCP_NODELAY)",
                lambda: self._lay_out_tiny([min(TINY, PATIENCE) // 2] * 2),
                self.store,
                rounds=1,
                as_installed=True,
            ),
        )

    def give_to_all(self, who: Sequence[Peer]) -> None:
        """The study that C-MOVE and C-GET ask for."""
        items = ct_series(SLICES, rows=EDGE, columns=EDGE)
        self._study = items[0].study
        self._write(GIVEN, items)
        for peer in who:
            _run(_storescu(peer, self._folder / GIVEN))
        shutil.rmtree(self._folder / GIVEN)

    def store(self, peer: Peer) -> float:
        return _timed([_storescu(peer, one) for one in sorted(self._folder.glob("send-*"))], peer)

    def move(self, peer: Peer) -> float:
        return _timed([["movescu", "-S", "-aem", SINK, *self._keys(peer)]], peer)

    def get(self, peer: Peer) -> float:
        return _timed([["getscu", "-S", "--ignore", *self._keys(peer)]], peer)

    def _keys(self, peer: Peer) -> list[str]:
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={self._study}"]
        return ["-aec", peer.aet, *keys, "127.0.0.1", str(peer.port)]

    def _nothing(self) -> None:
        """The same study is asked for again and again."""

    def _lay_out(self, sizes: list[int]) -> None:
        self._clear()
        for number, size in enumerate(sizes):
            self._write(f"send-{number}", ct_series(size, rows=EDGE, columns=EDGE))

    def _lay_out_tiny(self, sizes: list[int]) -> None:
        self._clear()
        for number, size in enumerate(sizes):
            self._write(f"send-{number}", [ct_series(1, rows=16, columns=16)[0] for _ in range(size)])

    def _clear(self) -> None:
        for old in self._folder.glob("send-*"):
            shutil.rmtree(old)

    def _write(self, name: str, items: Sequence[DicomObject]) -> None:
        (self._folder / name).mkdir()
        for number, item in enumerate(items):
            (self._folder / name / f"{number:05d}.dcm").write_bytes(item.part10())


def _storescu(peer: Peer, folder: Path) -> list[str]:
    return ["storescu", "-aec", peer.aet, "-pdu", "131072", "127.0.0.1", str(peer.port), "+sd", str(folder)]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, env=ENVIRONMENT, capture_output=True)


def _timed(commands: list[list[str]], peer: Peer) -> float:
    """Seconds until the last of them is done."""
    os.sync()  # what the last one left to be written must not be paid by the next
    began = time.perf_counter()
    running = [
        subprocess.Popen(command, env=peer.environment, stderr=subprocess.PIPE) for command in commands
    ]
    for process in running:
        told = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"{process.args!r}: {told.decode(errors='replace')[-500:]}")
    return time.perf_counter() - began


def measure(work: Work, who: Sequence[Peer]) -> Seconds:
    taking_part = [peer for peer in who if peer.gives or not work.gives]
    seconds: Seconds = {peer.name: [] for peer in taking_part}
    for turn in range(work.rounds):
        work.prepare()
        for peer in taking_part if turn % 2 else reversed(taking_part):
            seconds[peer.name].append(work.run(peer))
    line = "  ".join(f"{name} {statistics.median(found):.2f}" for name, found in seconds.items())
    print(f"{work.name:45}{line}", flush=True)
    return seconds


def main() -> None:
    if shutil.which("storescu") is None:
        sys.exit("the benchmark needs DCMTK: sudo apt-get install dcmtk orthanc")
    chosen = os.environ.get("BENCH_ONLY", "")
    load = os.getloadavg()[0]
    results: dict[str, Seconds] = {}
    with contextlib.ExitStack() as stack:
        where = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="hilum-bench-", dir=os.environ.get("BENCH_DIR"))
            )
        )
        sink = stack.enter_context(peers.sink(where / "sink"))
        who = [stack.enter_context(peers.hilum(where / "hilum", sink))]
        there = peers.present()
        if there["Orthanc"]:
            who.append(stack.enter_context(peers.orthanc(where / "orthanc", sink)))
        if there["storescp -B"]:
            who.append(stack.enter_context(peers.storescp(where / "storescp")))
        sent = stack.enter_context(tempfile.TemporaryDirectory(prefix="hilum-bench-", dir=MEMORY))
        bench = Bench(Path(sent))
        if "C-MOVE" in chosen or "C-GET" in chosen or not chosen:
            bench.give_to_all([peer for peer in who if peer.gives])
        for work in bench.works():
            if chosen in work.name and not work.as_installed:
                results[work.name] = measure(work, who)
        who = [replace(who[0], environment=AS_INSTALLED)]
        if there["Orthanc"]:
            who.append(stack.enter_context(peers.orthanc(where / "installed", sink, AS_INSTALLED)))
        for work in bench.works():
            if chosen in work.name and work.as_installed:
                results[work.name] = measure(work, who)
    _write_results(results, there, load)


def _write_results(results: dict[str, Seconds], there: dict[str, bool], load: float) -> None:
    found = {
        "work": {"slices": SLICES, "edge": EDGE, "rounds": ROUNDS, "tiny": TINY},
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": round(load, 1),
            "load_after": round(os.getloadavg()[0], 1),
        },
        "peers": there,
        "seconds": results,
        "median": {
            name: {who: statistics.median(values) for who, values in seconds.items()}
            for name, seconds in results.items()
        },
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    if os.environ.get("BENCH_ONLY"):
        return  # a part of it is for whoever looks at that part
    (RESULTS / "dimse.json").write_text(json.dumps(found, indent=2) + "\n")
    write_table(REPOSITORY / "docs" / "performance.md", "dimse", as_table(found))


if __name__ == "__main__":
    main()

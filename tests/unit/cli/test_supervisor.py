"""The supervisor with tiny services: start, serve, restart, stop, and never an orphan."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[3]

SERVICES = '''
import os, select, signal, sys, time
from pathlib import Path

def answer(archive, sock, stop, place):
    """Tells everybody who calls its process id and AE title; dies when told "die"."""
    sock.settimeout(0.05)
    while not stop.is_set():
        try:
            connection, _ = sock.accept()
        except TimeoutError:
            continue
        connection.settimeout(5)
        connection.sendall(f"{os.getpid()} {archive.config.dimse.aet}\\n".encode())
        if connection.recv(10) == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        connection.close()

def idle(archive, stop):
    Path("idle-started").touch()
    stop.wait()
    Path("idle-stopped").touch()

def crash(archive, stop):
    with Path("crashes").open("a") as file:
        file.write(".")
    sys.exit(7)

def stubborn(archive, stop):
    Path("stubborn").write_text(str(os.getpid()))
    while True:
        time.sleep(1)

class Archive:
    def __init__(self, config): self.config = config
    def close(self): Path(f"closed-{os.getpid()}").touch()

TABLE = {name: f"tiny:{name}" for name in ("answer", "idle", "crash", "stubborn")}
'''
PARENT = """
import signal
import sys
for number in (signal.SIGINT, signal.SIGHUP):  # whoever runs the tests may ignore them
    signal.signal(number, signal.SIG_DFL)
from pacs import log
from pacs.cli import role, sockets, supervisor
from pacs.config import load
import tiny
log.setup(role="serve")
supervisor.STOP_SECONDS = float(sys.argv[1])
sock = sockets.listen("127.0.0.1", 0, "dimse")
def work(job, lifeline):
    log.setup(role=job.role)
    role.run(job.role, job.listen, lifeline, settings, opener=tiny.Archive, table=tiny.TABLE)
jobs = [supervisor.Job(role, f"{role}-{n}", sock.fileno() if role == "answer" else None)
        for n, role in enumerate(sys.argv[2:])]
settings = load("", {}, {"dimse.aet": "TINY"})
supervisor.Supervisor(jobs, work).run(lambda: print(sock.getsockname()[1], flush=True))
"""


class Tree:
    """A supervisor and its children, in a folder of their own."""

    def __init__(self, folder: Path, *roles: str, seconds: float = 5.0) -> None:
        for name, text in (("tiny", SERVICES), ("parent", PARENT)):
            (folder / f"{name}.py").write_text(text)
        self.folder = folder
        environ = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{folder}"}
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "parent.py", str(seconds), *roles],
                cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def ask(self, then: bytes = b"bye") -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            pid, aet = connection.makefile().readline().split()
            connection.sendall(then)
        return int(pid), aet

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


Start = Callable[..., Tree]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    trees: list[Tree] = []

    def make(*roles: str, seconds: float = 5.0) -> Tree:
        trees.append(Tree(tmp_path, *roles, seconds=seconds))
        return trees[-1]

    yield make
    for tree in trees:
        tree.end()


def until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_serves_and_stops_cleanly(start: Start, number: signal.Signals) -> None:
    tree = start("answer", "idle")
    pid, aet = tree.ask()
    assert aet == "TINY"
    children = tree.children()
    assert pid in {child.pid for child in children}
    assert len(children) == 2
    until((tree.folder / "idle-started").exists, "not started")
    tree.process.send_signal(number)
    assert tree.process.wait(60) == 0, tree.log()
    assert not any(child.is_running() for child in children)
    assert (tree.folder / f"closed-{pid}").exists()
    assert (tree.folder / "idle-stopped").exists()
    assert "killed" not in tree.log()
    assert "restart" not in tree.log()


def test_a_terminal_interrupts_the_whole_group_and_all_still_stop_cleanly(start: Start) -> None:
    tree = start("answer", "idle")
    pid, _ = tree.ask()
    os.killpg(tree.process.pid, signal.SIGINT)
    assert tree.process.wait(60) == 0, tree.log()
    assert (tree.folder / f"closed-{pid}").exists()
    assert "KeyboardInterrupt" not in tree.log()


def test_a_dead_child_is_replaced_and_callers_wait_in_the_queue(start: Start) -> None:
    tree = start("answer")
    first, _ = tree.ask(b"die")
    second, aet = tree.ask()
    assert second != first
    assert aet == "TINY"
    assert f"pid={second}" in tree.log()


def test_one_socket_feeds_several_processes(start: Start) -> None:
    tree = start("answer", "answer")
    pids = {tree.ask(b"die")[0] for _ in range(2)}
    assert len(pids) == 2


def test_a_child_that_dies_at_once_is_tried_again_and_again_but_slower(start: Start) -> None:
    tree = start("crash", "idle")
    crashes = tree.folder / "crashes"
    until(lambda: crashes.exists() and len(crashes.read_text()) >= 4, "no restart")
    tree.process.terminate()
    assert tree.process.wait(60) == 0
    pauses = [line.rpartition("=")[2] for line in tree.log().splitlines() if "reason=exit 7" in line]
    assert pauses[:3] == ["0.2s", "0.4s", "0.8s"]


def test_a_child_that_does_not_stop_is_killed(start: Start) -> None:
    tree = start("stubborn", "idle", seconds=0.5)
    until((tree.folder / "stubborn").exists, "not started")
    children = tree.children()
    tree.process.terminate()
    assert tree.process.wait(60) == 0
    assert "killed process=stubborn-0" in tree.log()
    assert not any(child.is_running() for child in children)


def test_a_second_signal_does_not_wait(start: Start) -> None:
    tree = start("stubborn", seconds=60.0)
    until((tree.folder / "stubborn").exists, "not started")
    tree.process.terminate()
    time.sleep(0.3)
    assert tree.process.poll() is None
    tree.process.terminate()
    assert tree.process.wait(5) == 0


def test_no_child_outlives_a_supervisor_that_was_killed(start: Start) -> None:
    tree = start("answer", "idle")
    tree.ask()
    until(lambda: len(tree.children()) == 2, "not started")
    children = tree.children()
    tree.process.kill()
    tree.process.wait(10)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert "the supervisor is gone" in tree.log()


def open_files(pid: int) -> set[str]:
    return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def test_children_share_nothing_but_what_is_theirs(start: Start) -> None:
    """Neither a lifeline, nor the supervisor's own pipe, nor a socket that another role listens on."""
    tree = start("answer", "idle", "idle")
    answering, _ = tree.ask()
    until(lambda: len(tree.children()) == 3, "not started")
    until((tree.folder / "idle-started").exists, "not started")

    def each_has_its_own_pipe() -> bool:
        pipes = [
            {name for name in open_files(child.pid) if name.startswith("pipe:")} for child in tree.children()
        ]
        shared = set.intersection(*pipes)  # the standard output of all of us
        return sum(len(own - shared) for own in pipes) == len(set.union(*pipes) - shared) == 3

    until(each_has_its_own_pipe, "pipes are shared")  # a child that has just begun leaves them behind first
    for child in tree.children():
        sockets = {name for name in open_files(child.pid) if name.startswith("socket:")}
        assert bool(sockets) is (child.pid == answering)


def test_a_restarted_child_has_a_lifeline_too(start: Start) -> None:
    tree = start("answer", "idle")
    tree.ask(b"die")
    tree.ask()
    children = tree.children()
    tree.process.kill()
    tree.process.wait(10)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can rename a process")
def test_a_process_says_which_it_is(start: Start) -> None:
    tree = start("idle")
    until((tree.folder / "idle-started").exists, "not started")
    (child,) = tree.children()
    assert Path(f"/proc/{child.pid}/comm").read_text() == "pacs idle-0\n"

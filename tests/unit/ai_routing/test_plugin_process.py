"""A plugin in its own process: what it is given, and that nothing it does hurts the worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from ai_routing.host.process import Plugin, Process, Shown
from ai_routing.host.wire import Message
from pacs.errors import NotAcceptable, PacsError, Unavailable
from tests.support.plugins import PATIENT, plugin, showing, write

STUDY = "1.2"
NONE = showing()
Start = Callable[[Plugin], Process]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Process] = []

    def begin(what: Plugin) -> Process:
        running.append(Process(what))
        return running[-1]

    yield begin
    for process in running:
        process.close()


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def text_of(answer: Message) -> str:
    return str(answer["findings"][0]["text"])


NOTHING = {"version": "1", "findings": []}


def refused(start: Start, body: str, folder: Path, *, seconds: float = 60.0) -> PacsError:
    """What asking a plugin with this body to read a study raises."""
    with pytest.raises(PacsError) as caught:
        start(plugin(write(folder, body), seconds=seconds)).ask(STUDY, showing(np.ones((2, 2), np.float32)))
    return caught.value


def test_it_sees_one_picture_after_the_other(start: Start, tmp_path: Path) -> None:
    body = """
    def read(study: Study) -> Answer:
        seen = [(p.instance, p.age, p.pixels.shape, float(p.pixels.sum())) for p in study.pictures(2, 3)]
        again = sum(1 for _ in study.frames())
        return said(f"{study.uid} {seen} {again}")
    """
    pictures = [np.full((2, 3), n, np.float32) for n in (1, 2)]
    process = start(plugin(write(tmp_path, body)))
    answer = process.ask(STUDY, showing(*pictures))
    seen = [("1.2.1.1", "050Y", (2, 3), 6.0), ("1.2.1.2", "050Y", (2, 3), 12.0)]
    assert text_of(answer) == f"{STUDY} {seen} 2"
    assert (answer["version"], answer["findings"][0]["severity"]) == ("1", "mild")
    assert answer["findings"][0]["confidence"] == 0.5
    assert text_of(process.ask("1.3", showing())).startswith("1.3 []")


def test_pictures_are_made_only_when_they_are_looked_at(start: Start, tmp_path: Path) -> None:
    body = "def read(study): return said(str(next(study.pictures(1, 1)).pixels))"
    made = []

    def counted(rows: int, columns: int) -> Iterator[Shown]:
        for one in showing(*[np.zeros((1, 1), np.float32)] * 1000)(rows, columns):
            made.append(one)
            yield one

    start(plugin(write(tmp_path, body))).ask(STUDY, counted)
    assert len(made) == 1


def test_an_endless_loop_is_ended(start: Start, tmp_path: Path) -> None:
    process = start(plugin(write(tmp_path, "def read(study):\n    while True: pass"), seconds=3))
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="within 3 seconds"):
        process.ask(STUDY, NONE)
    assert time.monotonic() - begin < 20
    assert not process.alive
    assert gone(process.pid)


def test_what_it_started_ends_with_it(start: Start, tmp_path: Path) -> None:
    body = f"""
    import subprocess, time
    def read(study):
        child = subprocess.Popen(["sleep", "600"])
        open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
        time.sleep(600)
    """
    error = refused(start, body, tmp_path, seconds=3)
    assert isinstance(error, Unavailable)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_slow_import_is_ended(start: Start, tmp_path: Path) -> None:
    error = refused(start, "import time; time.sleep(600)", tmp_path, seconds=2)
    assert isinstance(error, Unavailable)
    assert "within 2 seconds" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        "def read(study): return said(str(len(bytearray(8 << 30))))",
        "def read(study):\n    kept = []\n    while True: kept.append(bytearray(16 << 20))",
        "def read(study): return said(str(np.ones((40000, 40000)).sum()))",
    ],
    ids=["one piece", "many pieces", "numpy"],
)
def test_too_much_memory_is_refused(start: Start, tmp_path: Path, body: str) -> None:
    error = refused(start, body, tmp_path)
    assert isinstance(error, Unavailable)
    assert "memory" in str(error)


NONSENSE = """
import os, time
def read(study):
    for number in range(3, 1024):
        try: os.write(number, b"x" * 64)
        except OSError: pass
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import os\ndef read(study): os._exit(3)", "exit code 3"),
        ("import os, signal\ndef read(study): os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("import os\ndef read(study): os.kill(os.getpid(), 9)", "killed"),
        (NONSENSE, "protocol"),
    ],
    ids=["exit", "fault", "kill", "nonsense on the wire"],
)  # fmt: skip
def test_its_end_is_told(start: Start, tmp_path: Path, body: str, how: str) -> None:
    error = refused(start, body, tmp_path)
    assert isinstance(error, Unavailable)
    assert how in str(error)


def test_the_text_of_an_error_stays_inside(start: Start, tmp_path: Path) -> None:
    """It may hold what was read from burned-in names."""
    body = f"""
    class Worse(Exception): pass
    def read(study):
        print("{PATIENT}", flush=True)
        raise Worse("{PATIENT} " + study.uid)
    """
    error = refused(start, body, tmp_path)
    assert isinstance(error, NotAcceptable)
    assert str(error).endswith("Worse at model.py:14")
    shown = f"{error} {error.hint} {error.__cause__} {error.__context__}"
    assert PATIENT not in shown


def test_after_an_error_the_same_process_goes_on(start: Start, tmp_path: Path) -> None:
    body = "def read(study):\n    if study.uid == '1.9': sys.exit('bad')\n    return NOTHING\nimport sys"
    process = start(plugin(write(tmp_path, body)))
    with pytest.raises(NotAcceptable, match=r"SystemExit at model\.py"):
        process.ask("1.9", NONE)
    assert process.ask(STUDY, NONE) == NOTHING


@pytest.mark.parametrize(
    "said",
    ["None", "'fine'", "Answer('1', None)", "Answer('1', [FindingSaid('n', 'dreadful', 0.5)])",
     "Answer('1', [FindingSaid('n', Severity.MILD, 'high')])", "Answer('1', ['n'])"],
)  # fmt: skip
def test_an_answer_that_is_none(start: Start, tmp_path: Path, said: str) -> None:
    assert isinstance(refused(start, f"def read(study): return {said}", tmp_path), NotAcceptable)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module:read", "no_such_module of the plugin is not installed"),
        ("json:no_such_function", "no function no_such_function"),
        ("json", "no function read"),
        ("", "cannot be loaded"),
        ("/nowhere/model.py", "is not there"),
    ],
)
def test_a_plugin_that_is_not_there(path: str, reason: str) -> None:
    with pytest.raises(Unavailable) as caught:
        Process(plugin(path))
    assert "cannot be loaded" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import torch_of_the_future", "torch_of_the_future of the plugin is not installed"),
        ("def read(study) return 1", "SyntaxError at model.py"),
        ("raise ValueError('no weights')", "ValueError at model.py"),
        ("raise SystemExit", "SystemExit at model.py"),
    ],
)
def test_a_plugin_that_does_not_load(start: Start, tmp_path: Path, body: str, reason: str) -> None:
    error = refused(start, body, tmp_path)
    assert isinstance(error, Unavailable)
    assert reason in str(error)


def test_an_installed_function_by_its_name(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    write(tmp_path / "installed", "class Chest:\n    read = staticmethod(lambda study: NOTHING)", "chest.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert start(plugin("installed.chest:Chest.read")).ask(STUDY, NONE) == NOTHING


def test_a_file_may_have_companions(start: Start, tmp_path: Path) -> None:
    (tmp_path / "companion.py").write_text("TEXT = 'from beside'")
    body = "import companion\ndef look(study): return said(companion.TEXT)"
    file = write(tmp_path, body)
    assert text_of(start(plugin(f"{file}:look")).ask(STUDY, NONE)) == "from beside"


def test_it_does_not_see_the_archives_settings(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACS_INDEX_URL", "postgresql://secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    body = """
    import os, sys
    def read(study):
        return said(f"{sorted(n for n in os.environ if 'secret' in os.environ[n])} {sys.stdin.read()!r}")
    """
    assert text_of(start(plugin(write(tmp_path, body))).ask(STUDY, NONE)) == "[] ''"


def test_a_study_is_looked_through_once_at_a_time(start: Start, tmp_path: Path) -> None:
    body = "def read(study): return said(str([1 for _ in zip(study.frames(), study.pictures(2, 2))]))"
    assert "RuntimeError" in str(refused(start, body, tmp_path))


def test_what_cannot_be_shown_is_not_the_plugins_fault(start: Start, tmp_path: Path) -> None:
    process = start(plugin(write(tmp_path, "def read(study): return said(str(list(study.frames())))")))

    def away(rows: int, columns: int) -> Iterator[Shown]:
        yield from NONE(rows, columns)
        raise Unavailable("the cold tier is away")

    with pytest.raises(Unavailable, match="the cold tier is away"):
        process.ask(STUDY, away)
    assert not process.alive


WORKER = """
import sys
from ai_routing.host.process import Plugin, Process, Shown
from ai_routing.host.wire import Message
process = Process(Plugin("python", sys.argv[1], 1 << 29, 600.0, 600.0))
print(process.pid, flush=True)
process.ask("1.2", lambda rows, columns: iter(()))
"""


def test_it_ends_when_its_worker_is_killed(tmp_path: Path) -> None:
    file = write(tmp_path, "def read(study):\n    while True: pass")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(file)], stdout=subprocess.PIPE, text=True)
    with worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(worker.pid, signal.SIGKILL)
    assert gone(pid)

"""The commands against a real archive in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.archive_server import REPOSITORY, ArchiveServer, Deployment, environment
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series
from tests.unit.orders.test_read import part10, worklist_item


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveServer:
    """Laid out, not running."""
    server = ArchiveServer(tmp_path / "archive", Deployment("sqlite", 2, 1))
    server.folder.mkdir()
    server.write_config()
    return server


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files" / "deeper"
    folder.mkdir(parents=True)
    for item in ct_series(3, rows=8, columns=8):
        (folder / f"{item.instance}.dcm").write_bytes(item.part10())
    (folder / "letter.txt").write_text("Dear colleague")
    (folder / "DICOMDIR").write_bytes(b"x")
    return folder.parent


def summary(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    found = json.loads(done.stdout)
    names = ("files", "stored", "duplicates", "superseded", "refused", "skipped")
    return {name: found[name] for name in names if found[name]}


def test_import_check_audit(archive: ArchiveServer, files: Path) -> None:
    skipped = {"dicomdir": 1, "not-dicom": 1}
    done = archive.pacs_here("import", "--json", str(files))
    assert done.returncode == 0, done.stderr
    assert summary(done) == {"files": 3, "stored": 3, "skipped": skipped}
    assert summary(archive.pacs_here("import", "--json", str(files))) == {
        "files": 3, "duplicates": 3, "skipped": skipped,
    }  # fmt: skip
    assert "3 here already, 1 not DICOM, 1 DICOMDIR" in archive.pacs_here("import", str(files)).stdout

    rows = [json.loads(line) for line in archive.pacs_here("audit", "--json").stdout.splitlines()]
    stored = [row for row in rows if row["detail"].startswith("stored ")]
    assert len(stored) == 3
    assert {row["channel"] for row in stored} == {"cli"}
    narrowed = archive.pacs_here("audit", "--study", stored[0]["study_uid"], "--since", "1h", "--limit", "2")
    assert narrowed.stdout.count(stored[0]["study_uid"]) == 2, narrowed.stdout
    assert archive.pacs_here("audit", "--study", "1.2.3", "--actor", "nobody").stdout == "nothing recorded\n"

    assert archive.pacs_here("check").stdout == "index and store agree\n"
    kept = {"objects": 0, "received_bytes": 0, "bytes": 0, "left": {}}
    clean: dict[str, object] = {
        "clean": True,
        "rebuilt": None,
        "recompressed": kept,
        "counts": {},
        "findings": [],
    }
    assert archive.check() == clean  # by a process of its own
    assert "made anew from 3 stored objects" in archive.pacs_here("check", "--rebuild", "--fast").stdout


def test_what_was_refused_is_listed_and_named(archive: ArchiveServer, files: Path) -> None:
    (files / "cut.dcm").write_bytes(next(files.rglob("*.dcm")).read_bytes()[:-10])
    done = archive.pacs_here("import", str(files), str(files / "deeper" / "letter.txt"))
    assert done.returncode == 1
    assert "3 stored, 2 refused" in done.stdout
    assert re.search(r"truncated +.* cut\.dcm|truncated +.*/cut\.dcm", done.stderr)
    assert re.search(r"not-dicom +.*/letter\.txt", done.stderr)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_import_that_was_cut_off_is_gone_on_with(
    archive: ArchiveServer, tmp_path: Path, how: signal.Signals
) -> None:
    """The same command again: what is there is recognised, what is not comes in, nothing is half there."""
    folder = tmp_path / "many"
    folder.mkdir()
    for item in ct_series(300, rows=8, columns=8):
        (folder / f"{item.instance}.dcm").write_bytes(item.part10())
    process = subprocess.Popen(
        archive.command("import", str(folder)), cwd=archive.folder, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: len(list((archive.data / "hot").rglob("*.dcm"))) > 20, 60)
    process.send_signal(how)
    assert process.wait(20) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    again = summary(archive.pacs_here("import", "--json", str(folder)))
    stored, here = again["stored"], again["duplicates"]
    assert isinstance(stored, int)
    assert isinstance(here, int)
    assert stored > 0 < here
    assert stored + here == 300
    checked = archive.pacs_here("check")
    assert (checked.returncode, checked.stdout) == (0, "index and store agree\n")


def test_a_difference_is_exit_code_1(archive: ArchiveServer, files: Path) -> None:
    archive.pacs_here("import", str(files))
    next(path for path in archive.data.rglob("*.dcm")).unlink()
    done = archive.pacs_here("check")
    assert done.returncode == 1
    assert "missing-file" in done.stdout
    assert "index and store differ: 1 missing-file" in done.stdout
    told = archive.pacs_here("check", "--json", "--fast")
    assert told.returncode == 1
    assert json.loads(told.stdout)["counts"] == {"missing-file": 1}


def test_a_data_folder_that_cannot_be_is_exit_code_3(archive: ArchiveServer, files: Path) -> None:
    archive.data.write_text("a file in the way")
    done = archive.pacs("import", str(files))
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_exit_code_3_and_nothing_is_started(archive: ArchiveServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = archive.pacs("serve", "web", "--http", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 3
    assert "is in use" in done.stderr
    assert "--http HOST:PORT" in done.stderr
    assert not archive.data.exists()


@pytest.fixture
def worker(archive: ArchiveServer) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [*archive.command("serve"), "worker", "dimse", "--dimse", "127.0.0.1:0"],
        cwd=archive.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    process.stdout.close()


def test_roles_can_be_named_and_come_back(worker: "subprocess.Popen[str]", archive: ArchiveServer) -> None:
    assert worker.stdout is not None
    printed = ""
    while "stop " not in printed:
        line = worker.stdout.readline()
        assert line, printed
        printed += line
    assert "DICOMweb" not in printed
    port = int(re.search(r"DIMSE +HILUM at 127\.0\.0\.1:(\d+)", printed)[1])  # type: ignore[index]
    archive.dimse_port = port
    wait_for(archive.echo, 60)
    children = psutil.Process(worker.pid).children()
    assert len(children) == 3, "two DIMSE processes and a worker"
    names = {Path(f"/proc/{child.pid}/comm").read_text().strip() for child in children}
    assert names == {"pacs dimse-1", "pacs dimse-2", "pacs worker"}
    for child in children:
        child.kill()
    wait_for(archive.echo, 60)
    assert {child.pid for child in psutil.Process(worker.pid).children()}.isdisjoint(c.pid for c in children)
    worker.terminate()
    assert worker.wait(20) == 0


def test_orders(archive: ArchiveServer, tmp_path: Path) -> None:
    example = REPOSITORY / "examples" / "order.json"
    assert archive.pacs_here("orders", "list").stdout == "no orders\n"
    done = archive.pacs_here("orders", "add", str(example))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("order 1: study 2.25.")
    again = archive.pacs_here("orders", "add", str(example))
    assert (again.returncode, again.stdout) == (1, "")
    assert "order 1 asks for the same procedure" in again.stderr

    heads, line = archive.pacs_here("orders", "list").stdout.splitlines()
    assert heads.split() == ["order", "state", "start", "station", "modality", "patient", "accession", "what"]
    assert line.split()[:7] == ["1", "scheduled", "2026-11-21", "10:30", "CT1,CT2", "CT", "P-1001"]
    (listed,) = json.loads(archive.pacs_here("orders", "list", "--json").stdout)
    assert listed == json.loads(archive.pacs_here("orders", "show", "1").stdout)
    assert listed["accession_number"] == "A2611-0042"

    assert archive.pacs_here("orders", "cancel", "1").returncode == 0
    assert archive.pacs_here("orders", "list").stdout == "no orders\n"
    assert "cancelled" in archive.pacs_here("orders", "list", "--all").stdout

    item = tmp_path / "item.wl"
    item.write_bytes(part10(worklist_item()))
    made = json.loads(archive.pacs_here("orders", "add", "--json", str(item)).stdout)
    assert (made["study_uid"], made["patient"]["name"]) == ("1.2.3", "Yamada^Tarou=山田^太郎")

    broken = tmp_path / "broken.json"
    broken.write_text(example.read_text().replace('"CT"', '"ct"'))
    refused = archive.pacs_here("orders", "add", str(broken))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "broken.json: steps[0].modality must be a code of capital letters" in refused.stderr
    assert archive.pacs_here("orders", "add", str(tmp_path / "nothing")).returncode == 2

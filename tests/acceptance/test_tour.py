"""The README's tour, with DCMTK and curl as a person would type them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.archive_server import ArchiveServer
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import wait_for
from tests.support.factory import Patient, ct_series
from tests.support.ports import free_port

pytestmark = pytest.mark.peer("dcmtk", "curl")


def run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def at(server: ArchiveServer) -> tuple[str, ...]:
    return ("-aec", "HILUM", "127.0.0.1", str(server.dimse_port))


def answers(port: int) -> bool:
    return (
        subprocess.run(["echoscu", "127.0.0.1", str(port)], check=False, capture_output=True).returncode == 0
    )


@contextmanager
def storescp(folder: Path, port: int) -> Iterator[Path]:
    """DCMTK's storage SCP, keeping data sets bit for bit."""
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "-B", "+xa", "-aet", "WORKSTATION", "-od", str(folder), str(port)]
    )
    try:
        wait_for(lambda: answers(port))
        yield folder
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def series(tmp_path: Path) -> tuple[DicomObject, ...]:
    items = ct_series(5, rows=64, columns=64, patient=Patient(name="Müller^Jörg", id="TOUR-1"))
    folder = tmp_path / "study"
    folder.mkdir()
    for number, item in enumerate(items):
        (folder / f"{number}.dcm").write_bytes(item.part10())
    return items


def digests(folder: Path) -> set[bytes]:
    return {dataset_of(path) for path in folder.iterdir() if path.is_file()}


def test_in_found_and_out(
    series: tuple[DicomObject, ...], tmp_path: Path, deploy: Callable[..., ArchiveServer]
) -> None:
    port = free_port()
    peer = f'[dimse.peers.WORKSTATION]\nhost = "127.0.0.1"\nport = {port}\n'
    server = deploy(dimse_settings=peer)
    study = series[0].study
    sent = {item.dataset for item in series}

    run("echoscu", *at(server))
    run("storescu", *at(server), "+sd", str(tmp_path / "study"))

    found = run(
        "findscu", "-S", *at(server), "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=muller*",
        "-k", "StudyInstanceUID", "-k", "NumberOfStudyRelatedInstances",
    )  # fmt: skip
    assert study in found

    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    gotten = tmp_path / "gotten"
    gotten.mkdir()
    run("getscu", "-B", "-S", *at(server), *keys, "-od", str(gotten))
    assert digests(gotten) == sent

    with storescp(tmp_path / "moved", port) as moved:
        run("movescu", "-S", "-aem", "WORKSTATION", *at(server), *keys)
        assert digests(moved) == sent


def test_dicomweb_with_curl(series: tuple[DicomObject, ...], tmp_path: Path, laptop: ArchiveServer) -> None:
    item = series[0]
    stored = run(
        "curl", "-sS", "--fail-with-body", "-H", "Content-Type: application/dicom",
        "--data-binary", f"@{tmp_path / 'study' / '0.dcm'}", f"{laptop.root}/studies",
    )  # fmt: skip
    assert json.loads(stored)["00081199"]["Value"][0]["00081155"]["Value"] == [item.instance]
    (study,) = json.loads(run("curl", "-sS", "--fail", f"{laptop.root}/studies?PatientID=TOUR-1"))
    assert study["0020000D"]["Value"] == [item.study]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    out = tmp_path / "out.dcm"
    run("curl", "-sS", "--fail", "-H", "Accept: application/dicom", "-o", str(out), item.path(laptop.root))
    assert dataset_of(out) == item.dataset
    frame = tmp_path / "frame.raw"
    run(
        "curl", "-sS", "--fail", "-H", "Accept: application/octet-stream", "-o", str(frame),
        item.path(laptop.root) + "/frames/1",
    )  # fmt: skip
    assert item.dataset.endswith(frame.read_bytes())
    assert len(frame.read_bytes()) == 64 * 64 * 2
    assert run("curl", "-sS", "--fail", f"{laptop.url}/healthz")
    assert "<html" in run("curl", "-sS", "--fail", f"{laptop.url}/").lower()


def test_import_from_the_command_line(
    series: tuple[DicomObject, ...], tmp_path: Path, laptop: ArchiveServer
) -> None:
    for _ in range(2):  # the second time everything is there already
        done = laptop.pacs("import", str(tmp_path / "study"))
        assert done.returncode == 0, done.stdout + done.stderr
    (study,) = json.loads(run("curl", "-sS", "--fail", f"{laptop.root}/studies"))
    assert study["00201208"]["Value"] == [len(series)]

"""One object of 2 GB in by C-STORE and by STOW, out by WADO-RS, in constant memory."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.archive_server import AET, ArchiveServer
from tests.support.factory import LargeFile, chunks, large_file
from tests.support.memory import peak_memory
from tests.support.web_client import Web

FRAMES = 1025  # of 2 MiB each: beyond 2^31 bytes
LIMIT = 200 * 2**20


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LargeFile]:
    item = large_file(tmp_path_factory.mktemp("large"), frames=FRAMES)
    yield item
    item.path.unlink()


def by_store(server: ArchiveServer, item: LargeFile) -> None:
    where = ("-aec", AET, "127.0.0.1", str(server.dimse_port))
    subprocess.run(["storescu", "-xe", "-pdu", "131072", *where, str(item.path)], check=True, timeout=250)


def by_stow(server: ArchiveServer, item: LargeFile) -> None:
    answer = Web(server.root).store_file(item.path)
    assert answer.status == 200, answer.text[:1000]
    assert answer.stored == {item.instance}


def dataset_digest(item: LargeFile) -> str:
    digest = hashlib.sha256()
    skip = item.dataset_offset
    for piece in chunks(item.path):
        digest.update(piece[skip:])
        skip = 0
    return digest.hexdigest()


def retrieved_digest(server: ArchiveServer, item: LargeFile) -> str:
    """The data set's digest as it streams out: all but the file meta information and the envelope."""
    length = item.size - item.dataset_offset
    path = f"/studies/{item.study}/series/{item.series}/instances/{item.instance}"
    tail, received = hashlib.sha256(), 0
    with (
        Web(server.root).open() as client,
        client.stream(
            "GET", server.root + path, headers={"Accept": "application/dicom; transfer-syntax=*"}
        ) as answer,
    ):
        assert answer.status_code == 200
        total = int(answer.headers["content-length"])
        start = total - length
        for piece in answer.iter_bytes(1 << 20):
            tail.update(piece[max(0, start - received) :])
            received += len(piece)
    assert received == total
    return tail.hexdigest()


@pytest.mark.peer("dcmtk")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("send", [by_store, by_stow], ids=["C-STORE", "STOW-RS"])
def test_constant_memory(
    send: Callable[[ArchiveServer, LargeFile], None],
    large: LargeFile,
    laptop: ArchiveServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with peak_memory(laptop) as peaks:
        send(laptop, large)
        assert retrieved_digest(laptop, large) == dataset_digest(large)
        last_frame(laptop, large)
    with capsys.disabled():
        highest = ", ".join(f"{peak / 2**20:.0f}" for peak in peaks.values())
        print(f"\n{large.size / 2**30:.2f} GiB by {send.__name__}: peak MiB of each process {highest}")
    assert max(peaks.values()) < LIMIT
    for path in laptop.data.rglob("*.dcm"):
        path.unlink()  # 2 GB that nobody needs until the folder is cleaned


def last_frame(server: ArchiveServer, item: LargeFile) -> None:
    path = f"/studies/{item.study}/series/{item.series}/instances/{item.instance}/frames/{item.frames}"
    frame = Web(server.root).get(path, "application/octet-stream")
    assert frame.status_code == 200
    assert len(frame.content) == item.frame_size
    assert int.from_bytes(frame.content[:8], "little") == item.frames - 1


def test_the_whole_study_streams_as_multipart(laptop: ArchiveServer, tmp_path: Path) -> None:
    """Smaller, so that the envelope can be read in one piece."""
    item = large_file(tmp_path, frames=8)
    by_stow(laptop, item)
    (part,) = Web(laptop.root).objects(f"/studies/{item.study}")
    assert part.body.endswith(item.path.read_bytes()[item.dataset_offset :])

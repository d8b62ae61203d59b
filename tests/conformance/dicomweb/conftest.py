"""One archive of this folder's tests, behind the real web service on a loopback port."""

import contextlib
import mmap
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dicomweb.service import serve
from pacs.config import Config
from pacs.runtime import Archive, open_archive
from tests.support import corpus
from tests.support.dicom_object import DicomObject
from tests.support.web_client import Web

Serving = contextlib.AbstractContextManager[str]


@contextlib.contextmanager
def serving(archive: Archive) -> Iterator[str]:
    """The address of the web service of an archive, in a thread of its own."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(archive, sock, stop))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the web service did not stop"


@contextlib.contextmanager
def running(config: Config) -> Iterator[str]:
    archive = open_archive(config)
    try:
        with serving(archive) as url:
            yield url
    finally:
        archive.close()


Run = Callable[[Config], str]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a service of an archive of its own; `config.data` is replaced."""
    with contextlib.ExitStack() as stack:

        def start(config: Config) -> str:
            return stack.enter_context(running(config))

        yield start


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an archive that holds the first wave of packaged files. Tests only read it."""
    with running(Config(data=tmp_path_factory.mktemp("filled"))) as url:
        answer = Web(f"{url}/dicom-web").store(corpus.waves()[0])
        assert answer.status == 200, answer
        yield url


@pytest.fixture
def root(filled: str) -> str:
    return f"{filled}/dicom-web"


@pytest.fixture
def web(root: str) -> Web:
    return Web(root)


@pytest.fixture
def empty(run: Run, tmp_path: Path) -> str:
    """The address of an archive of this test alone."""
    return run(Config(data=tmp_path / "data"))


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def packaged(name: str) -> DicomObject:
    """The packaged file of that name."""
    return next(item for item in corpus.waves()[0] if item.name.endswith("/" + name))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Bytes of stored objects that are read, however."""
    counted: list[int] = []
    plain, mapped = os.pread, mmap.mmap

    def pread(fd: int, length: int, offset: int) -> bytes:
        data = plain(fd, length, offset)
        if Path(f"/proc/self/fd/{fd}").readlink().suffix == ".dcm":
            counted.append(len(data))
        return data

    def whole(fd: int, *more: int, **options: int) -> mmap.mmap:
        counted.append(os.fstat(fd).st_size)
        return mapped(fd, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", pread)
        patched.setattr(mmap, "mmap", whole)
        yield counted

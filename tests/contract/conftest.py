"""An archive in this process, on each index."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs.auth.actor import Actor, system
from pacs.config import load
from pacs.db import migrate
from pacs.db.connection import Database, sqlite_url
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt
from pacs.runtime import Archive, open_archive

NOTHING_SAID = Expected()
ME: Actor = system("test")
Opener = Callable[..., Archive]


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of SQLite that has its schema, which takes a while to make."""
    path = tmp_path_factory.mktemp("index") / "index.db"
    db = Database(sqlite_url(path))
    migrate.upgrade(db)
    db.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, empty_index: Path) -> Iterator[Opener]:
    """Opens archives; the same `name` is the same data folder and the same index."""
    urls: dict[str, str] = {}
    archives: list[Archive] = []

    def make(name: str = "a", toml: str = "") -> Archive:
        if name not in urls:
            urls[name] = (
                request.getfixturevalue("postgres").ready_url() if request.param == "postgresql" else ""
            )
            index = tmp_path / name / "index.db"
            if not urls[name] and not index.exists():
                index.parent.mkdir(mode=0o750, exist_ok=True)
                shutil.copy(empty_index, index)
        overrides = {"data": str(tmp_path / name)} | ({"index.url": urls[name]} if urls[name] else {})
        archive = open_archive(load(toml, {}, overrides))
        archives.append(archive)
        return archive

    yield make
    for archive in archives:
        archive.close()


@pytest.fixture
def archive(opened: Opener) -> Archive:
    return opened()


def put(archive: Archive, data: bytes, expected: Expected = NOTHING_SAID, *, received_ns: int = 0) -> Receipt:
    """Through the one way in; `received_ns` sets the clock of this arrival."""
    with archive.ingest.spool(ME) as spooled:
        spooled.write(data)
        spooled.received_ns = received_ns
        receipt = archive.ingest.accept(ME, spooled, expected)
    archive.ingest.flush()  # what comes a moment later by itself
    return receipt

"""An archive in this process, on each index."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs.auth.actor import Actor, system
from pacs.config import load
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt
from pacs.runtime import Archive, open_archive

NOTHING_SAID = Expected()
ME: Actor = system("test")
Opener = Callable[..., Archive]


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens archives; the same `name` is the same data folder and the same index."""
    urls: dict[str, str] = {}
    archives: list[Archive] = []

    def make(name: str = "a", toml: str = "") -> Archive:
        if name not in urls:
            urls[name] = (
                request.getfixturevalue("postgres").fresh_url() if request.param == "postgresql" else ""
            )
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

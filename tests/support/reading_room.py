"""What happens in a reading room, done to a running archive from beside it: studies and findings come."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from pacs import clock
from pacs.auth.actor import system
from pacs.config import Config, IndexConfig
from pacs.db.connection import Database, sqlite_url
from pacs.reading import rows
from pacs.reading.model import Finding, Run, State, WorkItem
from pacs.reading.priority import DEFAULT
from pacs.runtime import Archive, open_archive
from tests.support.archive_server import ArchiveServer
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web

SETTLED = "[reading]\nquiet_seconds = 0.3\n"
AI = system("ai")
NAMES = (
    "Okafor^Chinwe", "Lindqvist^Astrid", "Doe^Jane", "Tanaka^Hiroshi", "García^Lucía", "O'Brien^Seán",
    "Müller^Jürgen", "Nguyễn^Hoa", "Berg^Pieter", "Silva^João", "Kowalska^Zofia", "Haddad^Leila",
)  # fmt: skip


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> float:
    """How long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - begin


def listed(server: ArchiveServer, **asked: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/api/worklist", params=asked, headers=dict(server.probe_headers))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def arrive(server: ArchiveServer, names: Iterable[str]) -> list[str]:
    """One small study for each name, in this order in the list. Returns their UIDs."""
    studies: list[str] = []
    for number, name in enumerate(names):
        born = f"{1940 + 6 * number}0{number % 9 + 1}11"
        patient = Patient(name, f"P-{1000 + 37 * number}", born, "FM"[number % 2])
        items = ct_series(1, rows=16, columns=16, patient=patient)
        assert Web(server.root, server.probe_headers).store(items).status == 200
        studies.append(items[0].study)
        wait_until(lambda: studies[-1] in {item["study"] for item in listed(server, studies=studies[-1])})
    return studies


@contextmanager
def beside(server: ArchiveServer) -> Iterator[Archive]:
    """Another process of the same archive."""
    archive = open_archive(Config(data=server.data, index=IndexConfig(url=server.index_url)))
    try:
        yield archive
    finally:
        archive.close()


def found(archive: Archive, study: str, name: str, severity: float, confidence: float) -> None:
    """A model says that it found this in the study."""
    run = Run(f"{study} {name} {confidence}", "chest-triage", "2.1")
    archive.reprioritise.by_findings(AI, study, run, [Finding(name, severity, confidence)])


def crowd(server: ArchiveServer, count: int) -> list[str]:
    """That many studies in the list, a second apart, the first one first. They have no objects."""
    studies = [f"1.2.826.0.1.3680043.10.1337.9.{number}" for number in range(1, count + 1)]
    begin = clock.now_ns() - count * 1_000_000_000
    db = Database(server.index_url or sqlite_url(server.data / "index.db"), durable=False)
    with db.write() as tx:
        version = rows.begin(tx)
        for number, study in enumerate(studies):
            item = WorkItem(study, "P", State.WAITING, begin + number * 1_000_000_000, generation=1)
            rows.save(tx, item, version, DEFAULT)
    db.close()
    return studies

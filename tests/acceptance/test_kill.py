"""kill -9 of the whole process tree at random instants, under load by both wires.

After every restart each acknowledged object is there bit for bit, `pacs check` is clean, and
whatever else can be seen is whole.
"""

import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, NotAssociatedError, identifier
from tests.support.factory import ct_series
from tests.support.web_client import Web, digests_of, value

TORTURE = os.environ.get("HILUM_TORTURE") == "1"
KILLS = 50 if TORTURE else 8
SENDERS = 4
LONGEST_LOAD = 2.0


@dataclass(slots=True)
class Ledger:
    """What was offered to the archive, by study, and what it acknowledged."""

    studies: dict[str, tuple[DicomObject, ...]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, items: tuple[DicomObject, ...]) -> None:
        with self.lock:
            self.studies[items[0].study] = items

    def acknowledge(self, uids: Iterable[str]) -> None:
        with self.lock:
            self.acknowledged.update(uids)


def send_by_store(server: ArchiveServer, batch: tuple[DicomObject, ...], ledger: Ledger) -> None:
    client = Client(server.dimse_port)
    for item in batch:
        for uid, status in client.store([item]).items():
            if status == 0:
                ledger.acknowledge({uid})


def send_by_stow(server: ArchiveServer, batch: tuple[DicomObject, ...], ledger: Ledger) -> None:
    answer = Web(server.root).store(batch)
    if answer.status in {200, 202}:
        ledger.acknowledge(answer.stored)


def load(server: ArchiveServer, number: int, ledger: Ledger, stop: threading.Event) -> None:
    """Send fresh objects until told to stop or until nobody answers any more."""
    send = send_by_store if number % 2 else send_by_stow
    for size in itertools.cycle((16, 64, 256)):
        if stop.is_set():
            return
        batch = ct_series(4, rows=size, columns=size)
        ledger.offer(batch)
        with contextlib.suppress(httpx.TransportError, NotAssociatedError, OSError):
            send(server, batch, ledger)
            continue
        return


def verify_study(web: Web, items: tuple[DicomObject, ...], counted: int | None) -> set[str]:
    """What is visible of a study is whole, and counted right by QIDO-RS and C-FIND (`counted`)."""
    study = items[0].study
    uids = {value(item, "00080018") for item in web.search(f"/studies/{study}/instances")}
    summaries = web.search("/studies", {"StudyInstanceUID": study})
    expected = [len(uids)] if uids else []
    assert [int(value(item, "00201208")) for item in summaries] == expected, "statistics beside the facts"
    assert counted == (len(uids) or None)
    if uids:
        digests = sorted(digests_of(web.objects(f"/studies/{study}")))
        assert digests == sorted(item.digest for item in items if item.instance in uids)
    return uids


def counts_by_find(server: ArchiveServer, studies: Iterable[str]) -> dict[str, int]:
    keys = identifier("STUDY", StudyInstanceUID=sorted(studies), NumberOfStudyRelatedInstances="")
    status, answers = Client(server.dimse_port).find(keys)
    assert status == 0
    return {str(answer.StudyInstanceUID): int(answer.NumberOfStudyRelatedInstances) for answer in answers}


def verify(server: ArchiveServer, ledger: Ledger, wanted: set[str]) -> None:
    """Everything acknowledged in these studies is there, and nothing is there by halves."""
    if not wanted:
        return
    web, counts = Web(server.root), counts_by_find(server, wanted)
    visible: set[str] = set()
    for study in wanted:
        visible |= verify_study(web, ledger.studies[study], counts.get(study))
    offered = {item.instance for study in wanted for item in ledger.studies[study]}
    lost = (ledger.acknowledged & offered) - visible
    assert not lost, f"{len(lost)} acknowledged objects are gone"


def every_instance(web: Web) -> Iterator[str]:
    for offset in itertools.count(0, 100):
        page = web.search("/instances", {"limit": "100", "offset": str(offset)})
        yield from (value(item, "00080018") for item in page)
        if len(page) < 100:
            return


def one_round(server: ArchiveServer, ledger: Ledger) -> None:
    """Load, kill at a random instant, restart, verify what this round brought."""
    before, stop = set(ledger.studies), threading.Event()
    threads = [threading.Thread(target=load, args=(server, n, ledger, stop)) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.05, LONGEST_LOAD))
    server.kill9()
    stop.set()
    for thread in threads:
        thread.join()
    server.restart()
    verify(server, ledger, set(ledger.studies) - before)
    server.check()


@pytest.mark.torture
@pytest.mark.timeout(7200 if TORTURE else 300)
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_nothing_acknowledged_is_lost(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server, ledger = deploy(deployment), Ledger()
    for _ in range(KILLS):
        one_round(server, ledger)
    assert ledger.acknowledged, "the load never got anything in"
    visible = set(every_instance(Web(server.root)))
    assert ledger.acknowledged <= visible, "a later kill took what an earlier one had left"
    assert visible <= {item.instance for items in ledger.studies.values() for item in items}
    with capsys.disabled():
        print(
            f"\n{KILLS} kills on {deployment}: {sum(map(len, ledger.studies.values()))} offered, "
            f"{len(ledger.acknowledged)} acknowledged, {len(visible)} visible, none lost"
        )

"""kill -9 of the whole process tree at random instants while everything is at work: objects arrive,
are recompressed, packed, moved to a bucket and evicted, are read from wherever they lie, and models are
asked. The bucket's host and the model server are killed and revived on the way, too.

Nothing acknowledged is lost, no reader gets a wrong byte, no study is missing from the list, and when
peace returns all that was begun is completed."""

import contextlib
import hashlib
import io
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, HTJ2KLosslessRPCL

from tests.support import s3_server
from tests.support.archive_server import GROWN, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import Client, NotAssociatedError, identifier
from tests.support.factory import Patient, ct_series, fresh_uid, with_changes
from tests.support.models import ModelProcess
from tests.support.redis_server import RedisServer
from tests.support.s3_server import S3Server
from tests.support.web_client import ANY_SYNTAX, Web, parts_of

EXPLICIT = str(ExplicitVRLittleEndian)
TORTURE = os.environ.get("HILUM_TORTURE") == "1"
KILLS = int(os.environ.get("HILUM_KILLS") or (100 if TORTURE else 5))
LONGEST_LOAD = 3.0
SENDERS, READERS = 2, 2
BREATH = 0.1  # a sender's, so that the long form does not become a test of volume
PEACE = 900.0 if TORTURE else 300.0
SETTINGS = """
[store]
recompress = "htj2k-rpcl"
recompress_grace_seconds = 1
[reading]
quiet_seconds = 1
[cold]
endpoint_url = {endpoint}
bucket = {bucket}
region = "us-east-1"
access_key = {access}
secret_key = {secret}
grace_seconds = 1
[tier]
every_seconds = 1
keep_read_seconds = 2
[[tier.rules]]
name = "everything"
tier = "cold"
unread_for_days = 0.00002
[[ai.models]]
name = "bright-spots"
url = {model}
timeout_seconds = 5
attempts = 1000
[[ai.rules]]
name = "every CT"
model = "bright-spots"
modalities = ["CT"]
"""


@dataclass(slots=True)
class Ledger:
    """What was offered, what was acknowledged, and what readers got that was not what had been sent."""

    offered: dict[str, DicomObject] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    read: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def some(self) -> DicomObject | None:
        with self.lock:
            known = sorted(self.acknowledged)
        return self.offered[random.choice(known)] if known else None


def picture() -> DicomObject:
    """Smooth enough to be worth recompressing; no two are the same."""
    (item,) = ct_series(1, rows=64, columns=64, patient=Patient(id=f"K-{fresh_uid()[-10:]}"))
    y, x = np.mgrid[0:64, 0:64]
    cells = (200 * np.sin(x / 9 + random.random()) + 3 * y + random.randrange(500)).astype("<i2")
    return with_changes(item, PixelData=cells.tobytes())


def send(server: ArchiveServer, number: int, ledger: Ledger, stop: threading.Event) -> None:
    while not stop.is_set():
        item = picture()
        ledger.offered[item.instance] = item
        with contextlib.suppress(httpx.TransportError, NotAssociatedError, OSError):
            if number % 2:
                stored = Client(server.dimse_port).store([item])[item.instance] == 0
            else:
                stored = item.instance in Web(server.root).store([item]).stored
            if stored:
                with ledger.lock:
                    ledger.acknowledged.add(item.instance)
            stop.wait(BREATH)
            continue
        return


def look(server: ArchiveServer, number: int, ledger: Ledger, stop: threading.Event) -> None:
    """What was sent in Explicit VR Little Endian comes so, wherever and in whatever form it lies."""
    while not stop.is_set():
        item = ledger.some()
        if item is None:
            stop.wait(0.05)
            continue
        with contextlib.suppress(httpx.TransportError, NotAssociatedError, OSError):
            given = by_get(server, item) if number % 2 else by_wado(server, item)
            if given is not None:
                ledger.read += 1
                if given != item.digest:
                    ledger.wrong.append(item.instance)
            continue
        return


def by_wado(server: ArchiveServer, item: DicomObject) -> str | None:
    """The digest of the data set; None when it cannot be had now (503, or the answer was cut)."""
    answer = Web(server.root).get(item.path(), f"application/dicom; transfer-syntax={EXPLICIT}")
    return digest_of(answer.content) if answer.status_code == 200 else None


def by_get(server: ArchiveServer, item: DicomObject) -> str | None:
    asked = identifier(
        "IMAGE", StudyInstanceUID=item.study, SeriesInstanceUID=item.series, SOPInstanceUID=item.instance
    )
    final, got = Client(server.dimse_port).get(asked, [(item.sop_class, EXPLICIT)])
    if "Status" not in final or final.Status != 0 or not got:
        return None
    return got[item.instance].digest


def digest_of(part10: bytes) -> str:
    return hashlib.sha256(dataset_of(part10)).hexdigest()


@contextlib.contextmanager
def at_work(server: ArchiveServer, ledger: Ledger) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=send, args=(server, n, ledger, stop)) for n in range(SENDERS)]
    threads += [threading.Thread(target=look, args=(server, n, ledger, stop)) for n in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def listed(server: ArchiveServer) -> set[str]:
    """Every study of the reading list."""
    found: set[str] = set()
    after = ""
    while True:
        page = httpx.get(f"{server.url}/api/worklist?limit=1000{after}", timeout=60).json()
        found |= {item["study"] for item in page["items"]}
        if not page["next"]:
            return found
        after = f"&after={page['next']}"


def states(server: ArchiveServer) -> dict[str, str]:
    done = server.pacs("ai", "runs", "--json", "--limit", "10000")
    assert done.returncode == 0, done.stderr
    return {one["run"]["study_uid"]: one["run"]["state"] for one in json.loads(done.stdout)}


def visible(server: ArchiveServer) -> set[str]:
    found: set[str] = set()
    for offset in itertools.count(0, 500):
        page = Web(server.root).search(
            "/instances", {"Modality": "CT", "limit": "500", "offset": str(offset)}
        )
        found |= {str(item["00080018"]["Value"][0]) for item in page}
        if len(page) < 500:
            return found
    raise AssertionError("unreachable")


def wait_for_peace(server: ArchiveServer, what: str, condition: Callable[[], Any]) -> None:
    until = time.monotonic() + PEACE
    while not condition():
        assert time.monotonic() < until, f"not completed: {what}\n{server.log()}"
        time.sleep(0.5)


def settings(bucket: S3Server, model: ModelProcess) -> str:
    into = bucket.fresh_bucket()
    return SETTINGS.format(
        endpoint=json.dumps(into.endpoint_url),
        bucket=json.dumps(into.name),
        access=json.dumps(into.access_key),
        secret=json.dumps(into.secret_key),
        model=json.dumps(model.url()),
    )


@pytest.mark.torture
@pytest.mark.timeout(4 * 3600 if TORTURE else 900)
@pytest.mark.parametrize("deployment", [LAPTOP, GROWN], ids=["alone", "grown"])
def test_everything_at_work_is_killed(
    deployment: Deployment,
    deploy: Callable[..., ArchiveServer],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledger = Ledger()
    with s3_server.running() as bucket, ModelProcess(tmp_path).running() as model:
        broker: RedisServer | None = request.getfixturevalue("redis") if deployment is GROWN else None
        server = deploy(deployment, config=settings(bucket, model))
        for number in range(KILLS):
            with at_work(server, ledger):
                time.sleep(random.uniform(0.3, LONGEST_LOAD))
                if number % 5 == 2:
                    bucket.stop()
                if number % 5 == 3:
                    model.kill9()
                if broker and number % 5 == 4:
                    broker.flush()
                time.sleep(random.uniform(0.0, 0.5))
                server.kill9()
            if number % 5 == 2:
                bucket.start()
            if number % 5 == 3:
                model.start()
            server.restart()
            assert not ledger.wrong, "a reader got bytes that nobody had sent"

        here = visible(server)
        assert ledger.acknowledged <= here, "an acknowledged object is gone"
        studies = {ledger.offered[uid].study for uid in here}
        wait_for_peace(server, "every study is listed", lambda: listed(server) == studies)
        answered = dict.fromkeys(studies, "done")
        wait_for_peace(server, "every model has answered", lambda: states(server) == answered)
        wait_for_peace(server, "everything is cold", lambda: not list((server.data / "hot").rglob("*.dcm")))
        for uid in sorted(here):
            assert by_wado(server, ledger.offered[uid]) == ledger.offered[uid].digest
        forms = {form_of(server, ledger.offered[uid]) for uid in here}
        # What reached the bucket before its turn came stays as it was sent.
        assert str(HTJ2KLosslessRPCL) in forms
        assert forms <= {str(HTJ2KLosslessRPCL), EXPLICIT}
        server.check()
        with capsys.disabled():
            print(
                f"\n{KILLS} kills with everything at work: {len(ledger.offered)} offered, "
                f"{len(ledger.acknowledged)} acknowledged, {len(here)} visible, "
                f"{ledger.read} reads right, none lost, none wrong"
            )


def form_of(server: ArchiveServer, item: DicomObject) -> str:
    """The transfer syntax at rest."""
    answer = Web(server.root).get(item.path(), ANY_SYNTAX)
    (part,) = parts_of(answer)
    return str(dcmread(io.BytesIO(part.body), stop_before_pixels=True).file_meta.TransferSyntaxUID)

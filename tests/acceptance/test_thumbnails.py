"""Thumbnails with real processes: made after arrival, kept, lost without harm, made again."""

import io
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid
from tests.support.web_client import Web

CONFIG = "[reading]\nquiet_seconds = 0.5\n[renditions]\nthumbnail_edge = 64\n"
WAIT = 30.0


def series(values: tuple[int, ...]) -> list[DicomObject]:
    study, uid = fresh_uid(), fresh_uid()
    found = []
    for number, value in enumerate(values, 1):
        pixels = np.full((96, 96), value, "<i2").tobytes()
        ds = ct_dataset(study, uid, number, patient=Patient(), rows=96, columns=96, pixels=pixels)
        ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 127.5, 255, "LINEAR_EXACT"
        found.append(as_object(ds))
    return found


def kept(server: ArchiveServer) -> list[Path]:
    return sorted((server.data / "renditions").rglob("*.jpg"))


def wait_for(server: ArchiveServer, count: int) -> list[Path]:
    deadline = time.monotonic() + WAIT
    while len(kept(server)) < count:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
    return kept(server)


def renditions(server: ArchiveServer, command: str) -> dict[str, int]:
    where = ("--data", str(server.data), "--config", str(server.config_path))
    done = server.pacs_plain("renditions", command, *where, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def address(server: ArchiveServer, item: DicomObject) -> str:
    return f"{server.root}/studies/{item.study}/series/{item.series}/thumbnail"


def shown(answer: httpx.Response) -> tuple[int, int]:
    """The longer side and the grey that is in the middle."""
    assert answer.status_code == 200, answer.text
    image = Image.open(io.BytesIO(answer.content))
    return max(image.size), int(np.asarray(image)[image.height // 2, image.width // 2])


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_they_are_made_when_a_study_has_settled(
    deployment: Deployment, deploy: Callable[..., ArchiveServer]
) -> None:
    server = deploy(deployment, config=CONFIG)
    one, two = series((40, 80, 120)), series((200,))
    assert set(Client(server.dimse_port).store(one).values()) == {0}
    assert Web(server.root).store(two).status == 200
    files = wait_for(server, 2)
    before = {path: path.read_bytes() for path in files}
    for item, value in ((one[0], 80), (two[0], 200)):
        answer = httpx.get(address(server, item))
        assert shown(answer) == (64, value)
        assert answer.content in before.values()
    assert kept(server) == files  # nobody had to make one

    shutil.rmtree(server.data / "renditions")
    assert shown(httpx.get(address(server, one[0]))) == (64, 80)
    assert httpx.get(address(server, one[0]), headers={"Accept": "image/png"}).content.startswith(b"\x89PNG")
    assert len(kept(server)) == 1
    assert kept(server)[0].read_bytes() == before[kept(server)[0]]

    done = renditions(server, "rebuild")
    assert done == {"made": 2}
    assert {path: path.read_bytes() for path in kept(server)} == before
    status = renditions(server, "status")
    assert (status["files"], status["bytes"]) == (2, sum(map(len, before.values())))
    server.check()


def test_kills_leave_no_torn_picture(deploy: Callable[..., ArchiveServer]) -> None:
    """Killed while they are made, cleared while they are read: every answer is the right picture."""
    server = deploy(LAPTOP, config=CONFIG)
    values = tuple(range(10, 250, 12))
    items = [series((value,))[0] for value in values]
    assert Web(server.root).store(items).status == 200
    stop = threading.Event()
    wrong: list[DicomObject] = []
    right: list[DicomObject] = []

    def look() -> None:
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                for item, value in zip(items, values, strict=True):
                    try:
                        answer = client.get(address(server, item))
                    except httpx.TransportError:
                        continue  # killed a moment ago
                    (right if shown(answer) == (64, value) else wrong).append(item)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for pause in (0.05, 0.3, 0.7):
            time.sleep(pause)
            shutil.rmtree(server.data / "renditions", ignore_errors=True)
            server.kill9()
            server.restart()
        before = len(right)
        deadline = time.monotonic() + WAIT
        while len(right) < before + len(items):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        stop.set()
        reader.join(60)
    assert not wrong
    for path in wait_for(server, len(items)):
        with Image.open(path) as image:
            image.load()
            assert image.size == (64, 64)
    server.check()

"""The archive's one sentence, with nothing but real parts: ten radiographs come by storescu, a model
finds something in the seventh, which rises to the top of the open page and opens in the viewer, small
before exact; the others move to a bucket, and come back on every wire as they were sent."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page
from pydicom.filewriter import dcmwrite

from examples.demo_model.synthesise import radiographs
from tests.support import s3_server
from tests.support.archive_server import AET, GROWN, LAPTOP, ArchiveServer, Deployment, environment
from tests.support.browser import browsing, shot
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import Client, identifier, station, wait_for
from tests.support.models import ModelProcess
from tests.support.ports import free_port
from tests.support.s3_server import S3Server
from tests.support.web_client import Web, digests_of

STUDIES, FOUND = 10, 6  # the seventh
UNREAD_SECONDS = 45.0
FASTER = 2.0  # seconds between the answer of the model and the new order before one's eyes
PATIENCE = 150.0
NEXT_TO_GREATEST = 4000  # of 12 bits; above that the example model sees a bright spot
REMEMBER_STATES = """addEventListener("DOMContentLoaded", () => {
  const canvas = document.getElementById("stack");
  window.states = [];
  if (canvas) new MutationObserver(() => {
    const state = canvas.dataset.state;
    if (window.states.at(-1) !== state) window.states.push(state);
  }).observe(canvas, { attributes: true, attributeFilter: ["data-state"] });
});"""
REMEMBER_RISE = """(study) => new MutationObserver(() => {
  const first = document.querySelector("#rows tr[data-uid]");
  if (first?.dataset.uid === study) window.risen ??= Date.now();
}).observe(document.getElementById("rows"), { childList: true, subtree: true, attributes: true })"""


def drawn(folder: Path) -> list[DicomObject]:
    """Ten radiographs as files, one of them with something very bright in it."""
    items = []
    for number, one in enumerate(radiographs(STUDIES, seed=7)):
        ds = one.dataset
        cells = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns).copy()
        cells = np.minimum(cells, NEXT_TO_GREATEST)
        if number == FOUND:
            rows, columns = np.ogrid[: ds.Rows, : ds.Columns]
            spot = (rows - ds.Rows * 0.36) ** 2 + (columns - ds.Columns * 0.3) ** 2 < (ds.Rows * 0.035) ** 2
            cells[spot] = 4095
        ds.PixelData = cells.tobytes()
        path = folder / f"{number:02}.dcm"
        dcmwrite(path, ds, enforce_file_format=True)
        uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SOPClassUID)
        items.append(DicomObject(path.name, *uids, ds.file_meta.TransferSyntaxUID, dataset_of(path)))
    return items


@dataclass(slots=True)
class Told:
    """When the model server said that it had told the findings of a run, by run."""

    process: ModelProcess
    at: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def _listen(self) -> None:
        while not self._stop.wait(0.01):
            for line in self.process.log.splitlines():
                if line.startswith("told the findings of "):
                    self.at.setdefault(line.split()[-1], time.time())

    @contextmanager
    def listening(self) -> Iterator["Told"]:
        thread = threading.Thread(target=self._listen)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()


def settings(bucket: S3Server, model: ModelProcess) -> str:
    into = bucket.fresh_bucket()
    return f"""
[reading]
quiet_seconds = 2
[[ai.models]]
name = "bright-spots"
url = {json.dumps(model.url())}
[[ai.rules]]
name = "every radiograph"
model = "bright-spots"
modalities = ["DX"]
[cold]
endpoint_url = {json.dumps(into.endpoint_url)}
bucket = {json.dumps(into.name)}
region = "us-east-1"
access_key = {json.dumps(into.access_key)}
secret_key = {json.dumps(into.secret_key)}
grace_seconds = 0
[tier]
every_seconds = 1
keep_read_seconds = 3600
[[tier.rules]]
name = "nobody asks for it"
tier = "cold"
unread_for_days = {UNREAD_SECONDS / 86_400:.9f}
"""


def listed(server: ArchiveServer) -> list[dict[str, Any]]:
    return list(httpx.get(f"{server.url}/api/worklist").json()["items"])


def status(server: ArchiveServer) -> dict[str, int]:
    return dict(json.loads(server.pacs("tier", "status", "--json").stdout))


def runs(server: ArchiveServer) -> list[dict[str, Any]]:
    return [one["run"] for one in json.loads(server.pacs("ai", "runs", "--json").stdout)]


def rises(page: Page, server: ArchiveServer, found: DicomObject, told: Told) -> None:
    """The page reorders by itself, soon after the model has answered."""
    first = f"document.querySelector('#rows tr[data-uid]')?.dataset.uid === '{found.study}'"
    wait_for(lambda: page.evaluate(first), PATIENCE)
    wait_for(lambda: len(told.at) == STUDIES, PATIENCE)
    run = next(str(one["run"]) for one in runs(server) if one["study_uid"] == found.study)
    took = page.evaluate("window.risen") / 1000 - told.at[run]
    assert took <= FASTER, f"{took:.2f} s from the answer to the new order"
    row = page.locator("#rows tr[data-uid]").first
    for text in ("bright spot", "bright-spots 1.0", "%"):
        assert text in (row.text_content() or "")


def opens(page: Page, found: DicomObject) -> None:
    """In the viewer: the eighth-size picture before the exact one, and it says which."""
    page.locator("#rows tr[data-uid]").first.click()
    page.keyboard.press("Enter")
    page.locator("#stack").wait_for()
    wait_for(lambda: page.evaluate("window.states?.at(-1)") == "exact", PATIENCE)
    states = page.evaluate("window.states")
    assert "preview" in states, states
    assert states.index("preview") < states.index("exact")
    assert page.locator("#stack").get_attribute("data-instance") == found.instance
    assert "exact" in (page.locator("#badge").text_content() or "").lower()
    assert found.instance not in page.title()


def moves(server: ArchiveServer, items: Sequence[DicomObject]) -> None:
    """By the rule, nine of them; the one that was read stays."""

    def moved() -> bool:
        found = status(server)
        return (found["cold_studies"], found["hot_studies"], found["both_bytes"]) == (STUDIES - 1, 1, 0)

    wait_for(moved, PATIENCE)
    kept = {path.stem for path in (server.data / "hot").rglob("*.dcm")}
    assert items[FOUND].instance in kept
    assert not kept & {item.instance for item in items if item is not items[FOUND]}


def come_back(server: ArchiveServer, items: Sequence[DicomObject], port: int) -> None:
    """By WADO-RS, C-GET and C-MOVE, bit for bit."""
    web, client = Web(server.root), Client(server.dimse_port)
    pairs = {(item.sop_class, item.transfer_syntax) for item in items}
    for item in items:
        (part,) = web.objects(item.path())
        assert digests_of([part]) == [item.digest]
        asked = identifier(
            "IMAGE", StudyInstanceUID=item.study, SeriesInstanceUID=item.series, SOPInstanceUID=item.instance
        )
        final, got = client.get(asked, pairs)
        assert (final.Status, [one.digest for one in got.values()]) == (0, [item.digest])
        with station(pairs, port=port) as there:
            final, _ = client.move(asked, "DEST")
            assert final.Status == 0
            assert [one.digest for one in there.inbox.objects.values()] == [item.digest]


@pytest.mark.peer("dcmtk", "chromium")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("deployment", [LAPTOP, GROWN], ids=["alone", "grown"])
def test_the_whole_story(
    deployment: Deployment,
    deploy: Callable[..., ArchiveServer],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Grown: PostgreSQL, Celery on Redis, two processes of each edge."""
    grown = deployment is GROWN
    items, port = drawn(tmp_path), free_port()
    with (
        ModelProcess(tmp_path, arguments=("--later", "1")).running() as model,
        Told(model).listening() as told,
        browsing() as browser,
    ):
        server = deploy(
            deployment,
            config=settings(s3_server.shared(), model),
            dimse_settings=f'[dimse.peers.DEST]\nhost = "127.0.0.1"\nport = {port}\n',
        )
        page = browser.page()
        page.add_init_script(REMEMBER_STATES)
        page.goto(server.url)
        page.evaluate(REMEMBER_RISE, items[FOUND].study)

        files = [str(tmp_path / item.name) for item in items]
        send = ["storescu", "-aec", AET, "127.0.0.1", str(server.dimse_port), *files]
        subprocess.run(send, check=True, env=environment(), timeout=120)
        wait_for(lambda: len(listed(server)) == STUDIES, PATIENCE)

        rises(page, server, items[FOUND], told)
        wait_for(lambda: page.locator("#rows tr[data-uid]").count() == STUDIES, PATIENCE)
        shot(page, f"story-{'grown' if grown else 'alone'}-list")
        opens(page, items[FOUND])
        shot(page, f"story-{'grown' if grown else 'alone'}-viewer")

        moves(server, items)
        server.check()
        come_back(server, items, port)
        server.check()
        assert {item["study"] for item in listed(server)} == {item.study for item in items}

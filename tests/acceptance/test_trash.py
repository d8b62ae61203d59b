"""Deletion as users, other stations and a power cut see it."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.archive_server import LAPTOP, ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import STUDY_ROOT, Client, identifier
from tests.support.factory import Patient, ct_series, fresh_uid
from tests.support.web_client import Web

CONFIG = "[reading]\nquiet_seconds = 0.5\n[trash]\nevery_seconds = 1.0\n"


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def found_by_dimse(server: ArchiveServer, item: DicomObject) -> int:
    asked = identifier("STUDY", StudyInstanceUID=item.study)
    status, answers = Client(server.dimse_port).find(asked, STUDY_ROOT)
    assert status == 0
    return len(answers)


def listed(server: ArchiveServer, item: DicomObject) -> bool:
    found = httpx.get(f"{server.url}/api/worklist", params={"studies": item.study}).json()
    return len(found["items"]) == 1


def changes(server: ArchiveServer) -> list[dict[str, Any]]:
    return list(httpx.get(f"{server.url}/api/worklist/changes?since=0").json()["items"])


def test_deleted_restored_purged(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(LAPTOP, config=CONFIG)
    web = Web(server.root)
    items = ct_series(3, rows=16, columns=16)
    other = ct_series(2, rows=16, columns=16, patient=Patient(id="SYN-2"))
    Client(server.dimse_port).store([*items, *other])
    wait_for(lambda: listed(server, items[0]) and listed(server, other[0]))
    study = f"{server.root}/studies/{items[0].study}"

    deleted = httpx.delete(study, timeout=60).json()
    assert (deleted["instances"], deleted["state"]) == (3, "trashed")
    assert found_by_dimse(server, items[0]) == 0
    assert web.search("/studies", {"StudyInstanceUID": items[0].study}) == []
    assert httpx.get(f"{study}/metadata").status_code == 410
    wait_for(lambda: not listed(server, items[0]))
    assert {one["study"]: one["state"] for one in changes(server)}[items[0].study] == "gone"
    assert listed(server, other[0])
    server.check()

    server.stop()
    for path in server.data.glob("index.db*"):
        path.unlink()
    done = server.pacs("check", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    server.restart()
    assert httpx.get(f"{study}/metadata").status_code == 410, "it is in the trash still"
    assert found_by_dimse(server, other[0]) == 1

    done = server.pacs("trash", "list", "--json")
    (one,) = json.loads(done.stdout)
    assert (one["id"], one["study"], one["instances"]) == (deleted["id"], items[0].study, 3)
    done = server.pacs("trash", "restore", one["id"])
    assert done.returncode == 0, done.stderr
    assert [part.body for part in web.objects(f"/studies/{items[0].study}")]
    assert found_by_dimse(server, items[0]) == 1

    again = httpx.delete(study, timeout=60).json()["id"]
    assert server.pacs("tier", "hold", items[0].study, "case 17").returncode == 0
    refused = server.pacs("trash", "purge", again)
    assert refused.returncode == 1
    assert "case 17" in refused.stderr
    assert server.pacs("tier", "release", items[0].study).returncode == 0
    assert server.pacs("trash", "purge", again).returncode == 0
    assert server.pacs("trash", "purge").returncode == 2
    assert "empty" in server.pacs("trash", "list").stdout
    assert not list(server.data.rglob(f"*{items[0].study}*/*/*.dcm"))
    server.check()


def test_kill_while_purging(deploy: Callable[..., ArchiveServer]) -> None:
    """At any moment: what was deleted is never seen again, what was not is never lost."""
    config = CONFIG + f"keep_days = {0.2 / 86_400}\n"
    server = deploy(LAPTOP, config=config, start=False)
    server.folder.mkdir(parents=True)
    cold = server.folder / "cold"
    cold.mkdir()
    server.config += f'[cold]\nendpoint_url = "file://{cold}"\ngrace_seconds = 0.0\n'
    server.config += '[tier]\nkeep_read_seconds = 0.0\nevery_seconds = 1.0\n[[tier.rules]]\nname = "all"\n'
    server.start()
    web = Web(server.root)
    stays = ct_series(4, rows=8, columns=8)
    assert web.store(stays).status == 200
    for pause in (0.3, 1.3):
        study = fresh_uid()
        goes = [item for _ in range(3) for item in ct_series(8, study=study, rows=8, columns=8)]
        assert web.store(goes).status == 200
        answer = httpx.delete(f"{server.root}/studies/{study}", timeout=60)
        assert answer.status_code == 200, answer.text
        time.sleep(pause)
        server.kill9()
        server.check()
        server.restart()
        assert httpx.get(f"{server.root}/studies/{study}/metadata").status_code in {404, 410}
    wait_for(lambda: httpx.get(f"{server.url}/api/trash").json()["items"] == [])
    server.stop()
    for path in server.data.glob("index.db*"):
        path.unlink()
    done = server.pacs("check", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    server.restart()
    found = {part["00080018"]["Value"][0] for part in web.search("/instances")}
    assert found == {item.instance for item in stays}

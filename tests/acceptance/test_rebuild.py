"""The index is a cache: made anew from the stored objects it gives the same answers."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import corpus
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dimse_client import PATIENT_ROOT, Client, identifier
from tests.support.factory import ct_series
from tests.support.postgres import PostgresServer
from tests.support.web_client import Web, value

QUERIES = (
    "/studies?limit=500&includefield=all",
    "/series?limit=500&includefield=all",
    "/instances?limit=500&includefield=all",
    "/studies?limit=500&PatientName=*a*&fuzzymatching=true",
    "/studies?limit=500&ModalitiesInStudy=MR,CT",
    "/instances?limit=500&offset=7",
)


def fill(server: ArchiveServer) -> None:
    """Objects of every kind, some of them superseded by later ones, some refused."""
    for wave in corpus.waves()[:2]:
        Web(server.root).store(wave)
    Client(server.dimse_port).store(ct_series(3, rows=16, columns=16))
    Web(server.root).store_bytes([b"no DICOM at all"])


def answers(server: ArchiveServer) -> list[Any]:
    web = Web(server.root)
    found: list[Any] = [web.get(query).json() for query in QUERIES]
    found += [web.get(f"/studies/{value(study, '0020000D')}/metadata").json() for study in found[0]]
    keys = {"PatientName": "", "PatientID": "", "NumberOfPatientRelatedInstances": ""}
    status, patients = Client(server.dimse_port).find(identifier("PATIENT", **keys), PATIENT_ROOT)
    assert status == 0
    # the archive's own address is in its answers, and it does not change between two starts
    return [*found, sorted(json.dumps(patient.to_json_dict(), sort_keys=True) for patient in patients)]


def forget(server: ArchiveServer, postgres: PostgresServer) -> None:
    """Delete the index."""
    if server.index_url:
        server.index_url = postgres.fresh_url()
        server.write_config()
        return
    files = list(server.data.glob("index.db*"))
    assert files
    for path in files:
        path.unlink()


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_rebuilt_index_answers_the_same(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], postgres: PostgresServer
) -> None:
    server = deploy(deployment)
    fill(server)
    before = answers(server)
    assert len(before[2]) > 100
    server.stop()
    forget(server, postgres)
    done = server.pacs("check", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    server.restart()
    after = answers(server)
    for query, old, new in zip(
        (*QUERIES, *["metadata or patients"] * len(before)), before, after, strict=False
    ):
        assert new == old, query
    assert len(after) == len(before)
    server.check()


def test_check_notices_what_is_missing_and_what_is_too_much(laptop: ArchiveServer) -> None:
    items = ct_series(3, rows=16, columns=16)
    Client(laptop.dimse_port).store(items)
    laptop.check()
    (victim,) = (path for path in laptop.data.rglob("*.dcm") if items[0].instance in path.name)
    kept = victim.read_bytes()
    victim.unlink()
    done = laptop.pacs("check", "--json")
    assert done.returncode == 1
    victim.write_bytes(kept[:-2] + b"xx")
    assert laptop.pacs("check", "--json").returncode == 1, "changed bytes go unnoticed"
    victim.write_bytes(kept)
    laptop.check()
    stray = victim.with_name("1.2.3.4.dcm")
    stray.write_bytes(kept)
    assert laptop.pacs("check", "--json").returncode == 1, "a file that nobody knows goes unnoticed"


@pytest.mark.peer("dcmtk")
def test_the_tree_is_read_with_ls_and_dcmdump(laptop: ArchiveServer) -> None:
    """docs/storage-layout.md: received date, study, series, instance; plain Part 10 files."""
    items = ct_series(3, rows=16, columns=16)
    Client(laptop.dimse_port).store(items)
    laptop.stop()
    found = {path.stem: path for path in laptop.data.rglob("*.dcm")}
    assert found.keys() == {item.instance for item in items}
    for item in items:
        path = found[item.instance]
        assert path.parent.name == item.series
        assert path.parent.parent.name == item.study
        day = Path(*path.relative_to(laptop.data).parts[-6:-3])
        assert [len(part) for part in day.parts] == [4, 2, 2], day
        dump = subprocess.run(
            ["dcmdump", "+P", "PatientID", "+P", "SOPInstanceUID", str(path)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "SYN-1" in dump
        assert item.instance in dump

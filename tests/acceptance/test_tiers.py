"""Studies move to a real bucket by rules and come back on every wire; nothing changes on the way."""

import hashlib
import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from pacs.store.s3 import Bucket, connect
from tests.support import s3_server
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import Client, identifier, station, wait_for
from tests.support.factory import ct_series
from tests.support.ports import free_port
from tests.support.s3_server import S3Server
from tests.support.web_client import Web, digests_of

EVERYTHING_COLD = """
[tier]
keep_read_seconds = {keep}
every_seconds = {every}
[[tier.rules]]
name = "everything"
tier = "cold"
"""
OFTEN, NEVER = 1.0, 86_400.0
LISTENERS = ("dimse", "web")  # no worker: its first round would come at a moment of its own
DEST_PORT = free_port()
DEST = f'[dimse.peers.DEST]\nhost = "127.0.0.1"\nport = {DEST_PORT}\n'


@pytest.fixture
def bucket_server() -> Iterator[S3Server]:
    """A server of this test's own, so that it can be killed."""
    with s3_server.running() as server:
        yield server


def settings(server: S3Server, *, keep: float = 0.0, every: float = OFTEN) -> str:
    return settings_of(server.fresh_bucket(), keep=keep, every=every)


def settings_of(bucket: Bucket, *, keep: float = 0.0, every: float = OFTEN) -> str:
    return f"""
[cold]
endpoint_url = {json.dumps(bucket.endpoint_url)}
bucket = {json.dumps(bucket.name)}
region = "us-east-1"
access_key = {json.dumps(bucket.access_key)}
secret_key = {json.dumps(bucket.secret_key)}
grace_seconds = 0
""" + EVERYTHING_COLD.format(keep=keep, every=every)


def status(server: ArchiveServer) -> dict[str, int]:
    done = server.pacs("tier", "status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def hot_files(server: ArchiveServer) -> list[Path]:
    return list((server.data / "hot").rglob("*.dcm"))


def move_all(server: ArchiveServer) -> None:
    """Everything is cold afterwards."""

    def moved() -> bool:
        done = server.pacs("tier", "run", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return not hot_files(server)

    wait_for(moved, 30)


def digests(paths: Iterable[Path]) -> set[str]:
    return {hashlib.sha256(dataset_of(path)).hexdigest() for path in paths}


def assert_given(server: ArchiveServer, items: Sequence[DicomObject]) -> None:
    """The very bytes that were sent, by WADO-RS, C-GET and C-MOVE."""
    wanted = {item.instance: item.digest for item in items}
    first = items[0]
    parts = Web(server.root).objects(f"/studies/{first.study}")
    assert sorted(digests_of(parts)) == sorted(wanted.values())
    asked = identifier("STUDY", StudyInstanceUID=first.study)
    pairs = {(item.sop_class, item.transfer_syntax) for item in items}
    final, got = Client(server.dimse_port).get(asked, pairs)
    assert final.Status == 0
    assert {uid: one.digest for uid, one in got.items()} == wanted
    with station(pairs, port=DEST_PORT) as there:
        final, _ = Client(server.dimse_port).move(asked, "DEST")
        assert final.Status == 0
        assert {uid: one.digest for uid, one in there.inbox.objects.items()} == wanted


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_studies_move_by_rules_and_come_back_the_same(
    deployment: Deployment, deploy: Callable[..., ArchiveServer]
) -> None:
    """The worker moves them by itself; each is given from the bucket as it was sent."""
    server = deploy(deployment, config=settings(s3_server.shared()), dimse_settings=DEST)
    studies = [ct_series(4, rows=24, columns=24) for _ in range(3)]
    for items in studies:
        Client(server.dimse_port).store(items)
    wait_for(lambda: not hot_files(server), 60)
    found = status(server)
    assert (found["cold_studies"], found["hot_studies"], found["hot_bytes"]) == (3, 0, 0)
    for items in studies:
        assert_given(server, items)
    server.check()


def test_plan_run_hold_and_status_tell_what_they_do(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(config=settings(s3_server.shared(), every=NEVER), arguments=LISTENERS)
    kept, moved = ct_series(2, rows=16, columns=16), ct_series(2, rows=16, columns=16)
    for items in (kept, moved):
        Client(server.dimse_port).store(items)
    assert server.pacs("tier", "hold", kept[0].study, "in a trial").returncode == 0
    planned = json.loads(server.pacs("tier", "plan", "--json").stdout)
    assert [(step["act"], step["study"], step["why"]) for step in planned] == [
        ("pack", moved[0].study, "rule everything")
    ]
    assert len(hot_files(server)) == 4, "a plan moves nothing"
    done = json.loads(server.pacs("tier", "run", "--json").stdout)
    assert (done["packed"], done["failed"]) == (1, 0)
    server.pacs("tier", "run")
    assert {path.stem for path in hot_files(server)} == {item.instance for item in kept}
    found = status(server)
    assert (found["hot_studies"], found["cold_studies"], found["held"]) == (1, 1, 1)
    shown = server.pacs("tier", "status").stdout
    assert "cold" in shown
    assert server.pacs("tier", "release", kept[0].study).returncode == 0
    move_all(server)
    assert server.pacs("tier", "hold", "1.2.3", "no such study").returncode == 1
    server.check()


def test_a_study_that_is_being_read_comes_back_hot(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(config=settings(s3_server.shared(), every=NEVER))
    items = ct_series(3, rows=16, columns=16)
    Client(server.dimse_port).store(items)
    move_all(server)
    server.stop()
    server.config = server.config.replace("keep_read_seconds = 0.0", "keep_read_seconds = 3600")
    server.restart()
    item = items[1]
    frame = f"{item.path()}/frames/1"
    assert Web(server.root).get(frame, "application/octet-stream").status_code == 200
    wait_for(lambda: len(hot_files(server)) == 3, 60)
    assert digests(hot_files(server)) == {item.digest for item in items}
    server.check()


def test_a_bucket_that_is_away(deploy: Callable[..., ArchiveServer], bucket_server: S3Server) -> None:
    """Cold studies say when to ask again, hot ones are not affected, and it heals by itself."""
    server = deploy(config=settings(bucket_server, every=NEVER), arguments=LISTENERS, dimse_settings=DEST)
    cold = ct_series(2, rows=16, columns=16)
    Client(server.dimse_port).store(cold)
    move_all(server)
    hot = ct_series(2, rows=16, columns=16)
    Client(server.dimse_port).store(hot)
    bucket_server.stop()

    web, client = Web(server.root), Client(server.dimse_port)
    for path, accept in (
        (f"/studies/{cold[0].study}", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
        (cold[0].path(), "application/dicom"),
        (f"{cold[0].path()}/frames/1", "application/octet-stream"),
        (f"{cold[0].path()}/bulkdata/7FE00010", "application/octet-stream"),
    ):
        answer = web.get(path, accept)
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0
    assert web.get(f"/studies/{cold[0].study}/metadata").status_code == 200
    assert len(web.search("/studies", {"StudyInstanceUID": cold[0].study})) == 1
    asked = identifier("STUDY", StudyInstanceUID=cold[0].study)
    pairs = {(cold[0].sop_class, cold[0].transfer_syntax)}
    final, _ = client.get(asked, pairs)
    assert (final.Status, final.NumberOfFailedSuboperations) == (0xA702, 2)
    assert "cold tier" in final.ErrorComment
    with station(pairs, port=DEST_PORT):
        final, _ = client.move(asked, "DEST")
    assert (final.Status, final.NumberOfFailedSuboperations) == (0xA702, 2)

    started = time.monotonic()
    assert_given(server, hot)
    assert client.store(ct_series(1, rows=16, columns=16)).popitem()[1] == 0
    assert time.monotonic() - started < 10
    assert httpx.get(f"{server.url}/readyz").status_code == 200

    bucket_server.start()

    def healed() -> bool:
        return web.get(cold[0].path(), "application/dicom").status_code == 200

    wait_for(healed, 60)
    assert_given(server, cold)
    server.check()


def test_the_index_is_made_anew_from_disk_and_bucket(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(config=settings(s3_server.shared(), every=NEVER), dimse_settings=DEST)
    cold, hot = ct_series(3, rows=16, columns=16), ct_series(2, rows=16, columns=16)
    Client(server.dimse_port).store(cold)
    move_all(server)
    Client(server.dimse_port).store(hot)
    server.stop()
    for path in server.data.glob("index.db*"):
        path.unlink()
    done = server.pacs("check", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (status(server)["cold_studies"], status(server)["hot_studies"]) == (1, 1)
    server.restart()
    for items in (cold, hot):
        assert_given(server, items)


def test_what_was_deleted_stays_so_when_only_the_bucket_is_left(deploy: Callable[..., ArchiveServer]) -> None:
    bucket = s3_server.shared().fresh_bucket()
    server = deploy(config=settings_of(bucket, every=NEVER))
    items = ct_series(4, rows=16, columns=16)
    assert Web(server.root).store(items).status == 200
    move_all(server)
    thrown, purged, *stay = items
    paths = {
        item.instance: f"{server.root}/studies/{item.study}/series/{item.series}/instances/{item.instance}"
        for item in items
    }
    names = [str(httpx.delete(paths[item.instance], timeout=60).json()["id"]) for item in (thrown, purged)]
    assert server.pacs("trash", "purge", names[1]).returncode == 0
    cold = connect(bucket)

    def told() -> bool:
        found = {stat.key: b"".join(cold.ranged(stat.key, 0, stat.size)) for stat in cold.list("trash/")}
        wanted = zip(names, (b'"trashed"', b'"purged"'), strict=True)
        return len(found) == 2 and all(
            state in found.get(f"trash/{name}.jsonl", b"") for name, state in wanted
        )

    wait_for(told, 30)
    server.check()
    server.kill9()
    shutil.rmtree(server.data)

    done = server.pacs("check", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    server.restart()
    found = {part["00080018"]["Value"][0] for part in Web(server.root).search("/instances")}
    assert found == {item.instance for item in stay}
    for item in (thrown, purged):
        assert httpx.get(paths[item.instance]).status_code == 410
    listed = json.loads(server.pacs("trash", "list", "--json").stdout)
    assert {one["id"]: one["state"] for one in listed} == {names[0]: "trashed", names[1]: "purged"}
    assert httpx.post(f"{server.url}/api/trash/{names[0]}/restore").status_code == 200
    parts = Web(server.root).objects(f"/studies/{items[0].study}")
    assert sorted(digests_of(parts)) == sorted(item.digest for item in (thrown, *stay))
    wait_for(lambda: [stat.key for stat in cold.list("trash/")] == [f"trash/{names[1]}.jsonl"], 30)
    server.check()


def test_a_pack_is_a_plain_tar(deploy: Callable[..., ArchiveServer], tmp_path: Path) -> None:
    """`tar xf` of what lies in the cold tier gives the files, without us."""
    folder = tmp_path / "share"
    folder.mkdir()
    config = f'[cold]\nendpoint_url = "file://{folder}"\ngrace_seconds = 0\n'
    server = deploy(config=config + EVERYTHING_COLD.format(keep=0.0, every=NEVER), arguments=LISTENERS)
    items = ct_series(5, rows=16, columns=16)
    Client(server.dimse_port).store(items)
    move_all(server)
    (pack,) = (path for path in folder.rglob("*") if path.is_file())
    target = tmp_path / "out"
    target.mkdir()
    subprocess.run(["tar", "xf", str(pack), "-C", str(target)], check=True)
    assert digests(target.rglob("*.dcm")) == {item.digest for item in items}
    with tarfile.open(pack) as archive:
        assert len(archive.getnames()) == len(items) + 1, "the files and the index of them"

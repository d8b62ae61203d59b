"""Kept as HTJ2K, given as received: by both wires, after a re-send, after a rebuild."""

import json
import re
from collections.abc import Callable

import pytest

from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.compressible import Picture, picture, pictures
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, identifier, wait_for
from tests.support.recompressing import AT_ONCE, RPCL
from tests.support.web_client import Web, digests_of, parts_of, value

IMPLICIT = "1.2.840.10008.1.2"
KINDS = (
    Picture(rows=256, columns=256),
    Picture(rows=200, columns=131, syntax=IMPLICIT, signed=True, stored=16),
    Picture(rows=128, columns=128, allocated=8, stored=8, samples=3, frames=3),
)
ON = AT_ONCE + 'recompress = "htj2k-rpcl"\n'


def syntax_of(server: ArchiveServer, item: DicomObject) -> str:
    (found,) = Web(server.root).search("/instances", {"SOPInstanceUID": item.instance})
    return str(value(found, "00083002"))


def assert_given_as_received(server: ArchiveServer, items: list[DicomObject]) -> None:
    for item in items:
        accept = f'multipart/related; type="application/dicom"; transfer-syntax={item.transfer_syntax}'
        answer = Web(server.root).get(item.path(), accept)
        assert answer.status_code == 200, answer.text
        assert digests_of(parts_of(answer)) == [item.digest]
        keys = identifier(
            "IMAGE", StudyInstanceUID=item.study, SeriesInstanceUID=item.series, SOPInstanceUID=item.instance
        )
        last, got = Client(server.dimse_port).get(keys, [(item.sop_class, item.transfer_syntax)])
        assert last.Status == 0
        assert got[item.instance].digest == item.digest


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_kept_smaller_and_given_as_received(
    deployment: Deployment, deploy: Callable[..., ArchiveServer]
) -> None:
    server = deploy(deployment, config=ON)
    items = [picture(like) for like in KINDS]
    assert Web(server.root).store(items[:1]).status == 200
    assert set(Client(server.dimse_port).store(items[1:]).values()) == {0}
    wait_for(lambda: all(syntax_of(server, item) == RPCL for item in items), 120)
    assert_given_as_received(server, items)
    first = Web(server.root).get(f"{items[0].path()}/frames/1", 'multipart/related; type="image/jphc"')
    (part,) = parts_of(first)
    assert len(part.body) < 256 * 256

    assert Web(server.root).store(items).status == 200
    assert set(Client(server.dimse_port).store(items).values()) == {0}
    audit = [json.loads(line) for line in server.pacs("audit", "--json").stdout.splitlines()]
    assert sum(row["detail"].startswith("duplicate ") for row in audit) == 2 * len(items)
    metadata = [Web(server.root).get(f"{item.path()}/metadata").json() for item in items]
    assert {value(one, "00083002") for (one,) in metadata} == {RPCL}
    said = server.check()
    assert (said["recompressed"]["objects"], said["recompressed"]["left"]) == (3, {})
    assert said["recompressed"]["received_bytes"] > sum(len(item.dataset) for item in items)

    server.stop()
    done = server.pacs("check", "--rebuild", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["recompressed"] == said["recompressed"]
    server.restart()
    assert [Web(server.root).get(f"{item.path()}/metadata").json() for item in items] == metadata
    assert_given_as_received(server, items)


def test_what_comes_before_the_worker_has_ever_run(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(config=ON, arguments=("web", "dimse"))
    (item,) = pictures(1)
    assert Web(server.root).store([item]).status == 200
    server.stop()
    server.arguments = ()
    server.restart()
    wait_for(lambda: syntax_of(server, item) == RPCL, 60)


def test_what_is_here_already(laptop: ArchiveServer) -> None:
    items = [*pictures(3), picture(Picture(rows=9, columns=9))]
    assert Web(laptop.root).store(items).status == 200
    assert "say what to recompress" in laptop.pacs("recompress").stderr
    whole = sum(len(item.part10()) for item in items)
    told = json.loads(laptop.pacs("recompress", "--all", "--dry-run", "--json").stdout)
    assert told == {"objects": 4, "bytes": whole}
    done = json.loads(laptop.pacs("recompress", "--study", items[0].study, "--json").stdout)
    assert (done["recompressed"], done["left"], done["passed"]) == (3, {}, 0)
    done_all = laptop.pacs("recompress", "--all")
    assert done_all.returncode == 0
    assert "0 objects recompressed" in done_all.stdout
    assert re.search(r"1 +it would not become smaller", done_all.stdout)
    assert json.loads(laptop.pacs("recompress", "--all", "--json").stdout)["left"] == {}
    assert_given_as_received(laptop, items)
    assert "3 objects are recompressed" in laptop.pacs("check").stdout
    laptop.check()

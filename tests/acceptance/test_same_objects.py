"""Twenty senders bring the same fifty objects by both wires at once."""

import random
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.archive_server import AET, CLUSTER, LAPTOP, LAPTOP_WIDE, ArchiveServer, Deployment
from tests.support.factory import ct_series
from tests.support.web_client import Web, digests_of, value

SENDERS = 20
OBJECTS = 50


def by_storescu(server: ArchiveServer, files: list[Path]) -> None:
    """DCMTK stops at the first status that is no success, and exits with it."""
    where = ("-aec", AET, "127.0.0.1", str(server.dimse_port))
    done = subprocess.run(["storescu", *where, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def by_stow(server: ArchiveServer, files: list[Path]) -> None:
    for start in range(0, OBJECTS, 10):
        answer = Web(server.root).store_bytes(path.read_bytes() for path in files[start : start + 10])
        assert answer.status == 200, answer.text[:1000]
        assert len(answer.stored) == 10


def send(server: ArchiveServer, number: int, files: list[Path]) -> None:
    shuffled = random.Random(number).sample(files, len(files))
    (by_storescu if number % 2 else by_stow)(server, shuffled)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("deployment", [LAPTOP, LAPTOP_WIDE, CLUSTER], ids=str)
def test_each_is_kept_once(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], tmp_path: Path
) -> None:
    server = deploy(deployment)
    first = ct_series(OBJECTS - 10, rows=32, columns=32)
    objects = first + ct_series(10, rows=32, columns=32, study=first[0].study)
    files = [tmp_path / f"{number}.dcm" for number in range(OBJECTS)]
    for item, path in zip(objects, files, strict=True):
        path.write_bytes(item.part10())
    with ThreadPoolExecutor(SENDERS) as pool:
        for done in [pool.submit(send, server, number, files) for number in range(SENDERS)]:
            done.result()

    web = Web(server.root)
    found = web.search("/instances", {"limit": "200"})
    assert sorted(value(item, "00080018") for item in found) == sorted(item.instance for item in objects)
    (study,) = web.search("/studies")
    assert int(value(study, "00201206")) == 2
    assert int(value(study, "00201208")) == OBJECTS
    counts = {value(item, "0020000E"): int(value(item, "00201209")) for item in web.search("/series")}
    assert counts == {objects[0].series: OBJECTS - 10, objects[-1].series: 10}
    assert sorted(digests_of(web.objects(f"/studies/{objects[0].study}"))) == sorted(
        i.digest for i in objects
    )
    files = [path for path in server.data.rglob("*.dcm") if objects[0].study in path.parts]
    assert len(files) == OBJECTS, "a duplicate was kept as another version"
    server.check()

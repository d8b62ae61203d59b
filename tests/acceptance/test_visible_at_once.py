"""In by any wire, found on both query wires the moment the success arrives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.archive_server import CLUSTER, LAPTOP, LAPTOP_WIDE, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, identifier
from tests.support.factory import ct_series
from tests.support.web_client import Web, value

ROUNDS = 8


def by_store(server: ArchiveServer, item: DicomObject, _: Path) -> None:
    assert Client(server.dimse_port).store([item]) == {item.instance: 0}


def by_stow(server: ArchiveServer, item: DicomObject, _: Path) -> None:
    answer = Web(server.root).store([item])
    assert answer.status == 200, answer.text[:1000]
    assert answer.stored == {item.instance}


def by_import(server: ArchiveServer, item: DicomObject, folder: Path) -> None:
    path = folder / f"{item.instance}.dcm"
    path.write_bytes(item.part10())
    done = server.pacs("import", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def seen_by_qido(server: ArchiveServer, item: DicomObject) -> int:
    web = Web(server.root)
    (study,) = web.search("/studies", {"StudyInstanceUID": item.study})
    (instance,) = web.search("/instances", {"SOPInstanceUID": item.instance})
    assert value(instance, "0020000E") == item.series
    return int(value(study, "00201208"))


def seen_by_find(server: ArchiveServer, item: DicomObject) -> int:
    client = Client(server.dimse_port)
    keys = {"StudyInstanceUID": item.study, "NumberOfStudyRelatedInstances": ""}
    status, (study,) = client.find(identifier("STUDY", **keys))
    assert status == 0
    image = identifier(
        "IMAGE", StudyInstanceUID=item.study, SeriesInstanceUID=item.series, SOPInstanceUID=item.instance
    )
    status, (instance,) = client.find(image)
    assert (status, instance.SOPInstanceUID) == (0, item.instance)
    return int(study.NumberOfStudyRelatedInstances)


@pytest.mark.parametrize("deployment", [LAPTOP, LAPTOP_WIDE, CLUSTER], ids=str)
@pytest.mark.parametrize("send", [by_store, by_stow], ids=["C-STORE", "STOW-RS"])
def test_found_at_once(
    deployment: Deployment,
    send: Callable[[ArchiveServer, DicomObject, Path], None],
    deploy: Callable[..., ArchiveServer],
    tmp_path: Path,
) -> None:
    server = deploy(deployment)
    for count, item in enumerate(ct_series(ROUNDS, rows=16, columns=16), start=1):
        send(server, item, tmp_path)
        assert seen_by_qido(server, item) == count
        assert seen_by_find(server, item) == count


def test_found_at_once_after_an_import(server: ArchiveServer, tmp_path: Path) -> None:
    for count, item in enumerate(ct_series(2, rows=16, columns=16), start=1):
        by_import(server, item, tmp_path)
        assert seen_by_qido(server, item) == count
        assert seen_by_find(server, item) == count

"""Frames that are asked for again: the same answer at once, and another as soon as there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs.config import Config
from pacs.runtime import open_archive
from tests.conformance.dicomweb.conftest import serving
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid
from tests.support.web_client import Web

OCTETS = "application/octet-stream"
MULTIPART = 'multipart/related; type="application/octet-stream"'


class House:
    """`long` counts the frames that took the long way, by queries and threads."""

    def __init__(self, url: str, archive: Any) -> None:
        self.root = f"{url}/dicom-web"
        self.web = Web(self.root)
        self.long = 0
        ask = archive.retrieve.frames

        def counted(*words: Any) -> Any:
            self.long += 1
            return ask(*words)

        archive.retrieve.frames = counted

    def frame(
        self, item: DicomObject, number: str = "1", accept: str = OCTETS, **more: str
    ) -> httpx.Response:
        headers = {"Accept": accept} | {name.replace("_", "-"): value for name, value in more.items()}
        return httpx.get(f"{item.path(self.root)}/frames/{number}", headers=headers, timeout=30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    archive = open_archive(Config(data=tmp_path))
    try:
        with serving(archive) as url:
            yield House(url, archive)
    finally:
        archive.close()


def image(level: int, like: DicomObject | None = None) -> DicomObject:
    study, series = (like.study, like.series) if like else (fresh_uid(), fresh_uid())
    pixels = bytes([level]) * (16 * 16 * 2)
    ds = ct_dataset(study, series, 1, patient=Patient(), rows=16, columns=16, pixels=pixels)
    if like:
        ds.SOPInstanceUID = like.instance
    return as_object(ds)


def test_the_same_answer_at_once(house: House) -> None:
    item = image(1)
    assert house.web.store([item]).status == 200
    first, second = house.frame(item), house.frame(item)
    went = house.long
    third = house.frame(item)
    assert house.long == went
    assert first.content == second.content == third.content == b"\1" * 512
    for name in ("etag", "content-type", "content-length", "cache-control", "vary", "accept-ranges"):
        assert first.headers[name] == third.headers[name], name
    assert house.frame(item, accept=MULTIPART).content.count(b"\1" * 512) == 1
    part = house.frame(item, Range="bytes=500-")
    assert (part.status_code, part.content) == (206, b"\1" * 12)
    assert part.headers["content-range"] == "bytes 500-511/512"
    assert house.frame(item, If_None_Match=first.headers["etag"]).status_code == 304
    assert house.frame(item, "2").status_code == 404
    assert house.frame(item, "0").status_code == 400
    assert house.frame(item, accept="image/gif").status_code == 406
    head = httpx.head(f"{item.path(house.root)}/frames/1", headers={"Accept": OCTETS})
    assert (head.headers["content-length"], head.content) == ("512", b"")


def test_what_supersedes_it_is_given_from_then_on(house: House) -> None:
    item = image(1)
    for level in (1, 2, 3):
        assert house.web.store([image(level, item)]).status == 200
        for _ in range(3):
            assert house.frame(image(level, item)).content == bytes([level]) * 512


def test_what_is_deleted_is_gone(house: House) -> None:
    item = image(1)
    assert house.web.store([item]).status == 200
    for _ in range(3):
        assert house.frame(item).status_code == 200
    assert httpx.delete(f"{house.root}/studies/{item.study}").status_code in {200, 202, 204}
    assert house.frame(item).status_code == 410

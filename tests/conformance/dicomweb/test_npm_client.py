"""The public npm package dicomweb-client as an independent peer, every call of it, in a real browser."""

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support import phantoms
from tests.support import reading_material as material
from tests.support.browser import Heard, browsing
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient

pytestmark = pytest.mark.peer("chromium", "npm-client")
BUNDLE = Path(__file__).parents[3] / "build/npm/dicomweb-client/build/dicomweb-client.js"
CALLS = Path(__file__).with_name("npm_client.js").read_text()
JPEG, PNG, GIF = "ffd8ffe0", "89504e47", "47494638"
WHO = Patient(id="NPM-1")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def named(item: DicomObject) -> dict[str, str]:
    return {"study": item.study, "series": item.series, "instance": item.instance, "patient": WHO.id}


def encoded(item: DicomObject) -> str:
    return base64.b64encode(item.part10()).decode()


@pytest.fixture(scope="module")
def objects() -> list[DicomObject]:
    """Three slices, a report of them, and a letter."""
    ct = phantoms.ct(3, rows=64, columns=64, patient=WHO)
    return [*(picture.item for picture in ct), material.report(ct), material.document(WHO)]


@pytest.fixture(scope="module")
def said(objects: list[DicomObject], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What every call answered."""
    image, report, letter = objects[0], objects[3], objects[4]
    with running(Config(data=tmp_path_factory.mktemp("npm"))) as url, browsing() as browser:
        page = browser.page(heard=Heard(), bypass_csp=True)
        page.goto(f"{url}/healthz")
        page.add_script_tag(path=BUNDLE)
        asked: dict[str, Any] = {"root": f"{url}/dicom-web", "image": named(image), "report": named(report)}
        asked |= {"letter": named(letter), "parts": [encoded(item) for item in objects]}
        yield dict(page.evaluate(CALLS, asked))


def test_store_and_search(said: dict[str, Any]) -> None:
    assert (said["stored"], said["storedInStudy"]) == (5, 1)
    assert (said["studies"], said["everyStudy"], said["noStudy"]) == (2, 2, 0)
    assert (said["series"], said["everySeries"]) == (2, 3)
    assert (said["instances"], said["instancesOfSeries"], said["everyInstance"]) == (4, 3, 5)


def test_metadata(said: dict[str, Any], objects: list[DicomObject]) -> None:
    assert (said["studyMetadata"], said["seriesMetadata"]) == (4, 3)
    assert said["instanceMetadata"] == [objects[0].instance]
    assert said["missing"] == 404


def test_objects(said: dict[str, Any], objects: list[DicomObject]) -> None:
    sent = [digest(item.part10()) for item in objects]
    assert said["instance"] == sent[0]
    assert said["wholeSeries"] == sorted(sent[:3])
    assert said["wholeStudy"] == sorted(sent[:4])


def test_frames_and_bulk_data(said: dict[str, Any], objects: list[DicomObject]) -> None:
    pixels = [digest(pydicom.dcmread(io.BytesIO(objects[0].part10())).PixelData)]
    for call in ("frame", "frameByType", "bulk", "bulkSingle"):
        assert said[call] == pixels, call
    assert said["frameMissing"] == 404
    assert (
        said["bulkRange"] == []
    )  # of the whole answer (RFC 9110 14.1.2): no part ends in its first 100 bytes


def test_pictures(said: dict[str, Any]) -> None:
    for call in ("rendered", "renderedSmall", "renderedFrame", "thumbnail", "frameThumbnail"):
        assert said[call] == JPEG, call
    assert said["renderedPng"] == said["thumbnailPng"] == PNG
    assert said["renderedFrameGif"] == GIF
    assert said["refused"] == 406


def test_what_is_read(said: dict[str, Any]) -> None:
    assert "Imaging Measurement Report" in said["renderedText"]
    assert said["renderedPdf"] == digest(material.red_page())


def test_there_is_an_address_by_wado_uri(said: dict[str, Any], objects: list[DicomObject]) -> None:
    assert f"objectUID={objects[0].instance}" in said["wadoUri"]

"""OHIF in a real browser on a running archive: what a reading room opens is there to be seen, and what is
drawn comes back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from tests.support import phantoms, pictures
from tests.support import reading_material as material
from tests.support.archive_server import ArchiveServer
from tests.support.browser import Heard, browsing, shot
from tests.support.factory import Patient
from tests.support.ohif import SETTINGS, Ohif, greenish, reddish, share
from tests.support.web_client import Web, value

pytestmark = [pytest.mark.peer("chromium", "ohif"), pytest.mark.timeout(600)]
RPCL = "1.2.840.10008.1.2.4.202"


@dataclass(frozen=True, slots=True)
class Room:
    """A running archive with these studies."""

    web: Web
    url: str
    ct: str
    ultrasound: str
    letter: str
    progressive: str


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    server = ArchiveServer(
        tmp_path_factory.mktemp("ohif") / "archive",
        web_settings=f'{SETTINGS}trusted_proxies = ["127.0.0.1"]\n',
    )
    ct = phantoms.ct(60, rows=128, columns=128, patient=Patient("Okafor^Chinwe", "P-1"))
    about = (material.segmentation(ct), material.structures(ct), material.report(ct))
    ultrasound = phantoms.colour_clip(1, rows=240, columns=320, patient=Patient("Lindqvist^Astrid", "P-2"))
    letter = material.document(Patient("Doe^Jane", "P-3"))
    large = phantoms.ct(2, rows=512, columns=512, patient=Patient("Tanaka^Hiroshi", "P-4"))
    progressive = [pictures.as_object(pictures.recoded(picture.item.part10(), RPCL)) for picture in large]
    with server.running():
        web = Web(server.root)
        everything = (*(picture.item for picture in ct), *about, ultrasound.item, letter, *progressive)
        assert web.store(everything).status == 200
        yield Room(
            web, server.url, ct[0].item.study, ultrasound.item.study, letter.study, progressive[0].study
        )


@pytest.fixture(scope="module")
def ohif(room: Room) -> Iterator[Ohif]:
    with browsing() as browser:
        heard = Heard()
        yield Ohif.on(browser.page(heard=heard), room.url, heard)


@pytest.fixture(autouse=True)
def _quiet(ohif: Ohif) -> Iterator[None]:
    ohif.heard.said.clear()
    ohif.heard.asked.clear()
    yield
    ohif.check()


def test_the_study_list_is_filtered(ohif: Ohif, room: Room) -> None:
    ohif.worklist()
    ohif.rows(4)
    names = ohif.page.locator("tbody").last
    for text in ("Okafor, Chinwe", "Lindqvist, Astrid", "Doe, Jane", "Tanaka, Hiroshi"):
        expect(names).to_contain_text(text)
    patient = ohif.page.locator("input").first
    patient.fill("lindq")
    ohif.rows(1)
    expect(names).to_contain_text("Echocardiography")
    shot(ohif.page, "ohif-list-filtered")
    patient.fill("")
    ohif.rows(4)
    ohif.worklist("?modalities=CT")
    ohif.rows(2)
    ohif.worklist("?mrn=P-3")
    ohif.rows(1)
    expect(names).to_contain_text("Doe, Jane")
    asked = [url for url in ohif.heard.asked if "/dicom-web/studies?" in url]
    assert any("ModalitiesInStudy=CT" in url for url in asked)


def test_sixty_slices_are_scrolled(ohif: Ohif, room: Room) -> None:
    ohif.open(room.ct)
    ohif.wait_drawn()
    first = ohif.canvas()
    assert (first[..., 0] == first[..., 1]).all(), "grey is not grey"
    assert share(first[..., 0] == 255) > 0.005, "no bone is white"
    assert 0.3 < share(first[..., 0] == 0) < 0.9, "no air is black"
    assert ohif.image_index() == 0
    ohif.until(lambda: ohif.scroll() > 0)
    ohif.page.keyboard.press("End")
    ohif.until(lambda: ohif.image_index() == 59)
    ohif.until(lambda: share(np.abs(ohif.canvas() - first)[..., 0] > 30) > 0.001)
    shot(ohif.page, "ohif-ct")


def test_segmentation_structures_and_report_lie_over_the_ct(ohif: Ohif, room: Room) -> None:
    ohif.open(room.ct)
    ohif.wait_drawn()
    assert share(reddish(ohif.canvas())) == 0
    ohif.series("SEG")
    ohif.until(lambda: share(reddish(ohif.canvas())) > 0.001 < share(greenish(ohif.canvas())))
    shot(ohif.page, "ohif-seg")
    ohif.series("RTSTRUCT")
    ohif.until(lambda: share(reddish(ohif.canvas())) == 0 and share(reddish(ohif.pane())) > 0.0005)
    assert share(ohif.canvas()[..., 0] > 100) > 0.05, "nothing lies under the structures"
    shot(ohif.page, "ohif-rtstruct")
    ohif.series("SR")
    ohif.agree()
    ohif.until(lambda: len(ohif.lengths()) == 1)
    ohif.wait_drawn()
    shot(ohif.page, "ohif-sr")


def test_what_is_drawn_comes_back(ohif: Ohif, room: Room) -> None:
    ohif.open(room.ct)
    ohif.wait_drawn()
    ohif.draw_length()
    ohif.agree()  # to follow the measurements of this series
    ohif.until(lambda: len(ohif.lengths()) == 1)
    (measured,) = ohif.lengths()
    shot(ohif.page, "ohif-drawn")
    stored = ohif.store_report()
    (found,) = room.web.search(f"/studies/{room.ct}/instances", {"SOPInstanceUID": stored})
    series = value(found, "0020000E")
    (report,) = room.web.get(f"/studies/{room.ct}/series/{series}/metadata").json()
    assert value(report, "00080060") == "SR"
    assert value(report, "0008103E") == "Drawn in a browser"
    assert value(report, "00100020") == "P-1"
    assert measured["instance"] in str(report)
    assert len(room.web.objects(f"/studies/{room.ct}/series/{series}")) == 1


def test_an_ultrasound_is_in_colour(ohif: Ohif, room: Room) -> None:
    ohif.open(room.ultrasound)
    ohif.wait_drawn()
    canvas = ohif.canvas()
    assert share(reddish(canvas)) > 0.02 < share(greenish(canvas))
    assert len(np.unique(canvas.reshape(-1, 3), axis=0)) > 1000
    shot(ohif.page, "ohif-us")


def test_a_letter_is_read(ohif: Ohif, room: Room) -> None:
    ohif.open(room.letter)
    ohif.until(lambda: share(reddish(ohif.pane())) > 0.01)
    shot(ohif.page, "ohif-pdf")


def test_an_image_comes_in_ranges(ohif: Ohif, room: Room) -> None:
    """HTJ2K with its resolutions apart: the first bytes are a picture already."""
    ranges: list[tuple[str, int]] = []
    ohif.page.on(
        "response",
        lambda answer: (
            ranges.append((answer.request.headers.get("range", ""), answer.status))
            if "/frames/" in answer.url
            else None
        ),
    )
    ohif.open(room.progressive)
    ohif.wait_drawn()
    ohif.until(lambda: ("bytes=32768-", 206) in ranges)
    assert ("bytes=0-32767", 206) in ranges
    ohif.until(lambda: share(ohif.canvas()[..., 0] == 255) > 0.005)
    shot(ohif.page, "ohif-progressive")


def test_behind_a_prefix(ohif: Ohif, room: Room) -> None:
    """As through a proxy that serves the archive below /hospital."""

    def forward(route: Route) -> None:
        inside = route.request.url.replace("/hospital/", "/", 1)
        headers = route.request.headers | {"x-forwarded-prefix": "/hospital"}
        route.fulfill(response=route.fetch(url=inside, headers=headers))

    ohif.page.route("**/hospital/**", forward)
    Ohif(ohif.page, f"{room.url}/hospital", ohif.heard).open(room.ultrasound)
    ohif.wait_drawn()
    assert share(reddish(ohif.canvas())) > 0.02
    ohif.page.unroute("**/hospital/**")
    astray = [url for url in ohif.heard.asked if url.startswith("http") and "/hospital/" not in url]
    assert astray == []

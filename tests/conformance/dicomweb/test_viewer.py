"""The viewer in a real browser: what is on the screen is what is in the samples, on both ways of painting."""

import io
import math
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, Route, expect
from pydicom.dataset import Dataset

from pacs.config import Config
from tests.support.browser import NO_GRAPHICS, Browser, Heard, browsing, shot
from tests.support.factory import Patient, as_object, fresh_uid
from tests.support.phantoms import Picture, colour_clip, ct, indexed, projection, windowed
from tests.support.web_client import Web

pytestmark = pytest.mark.peer("chromium")

WATCH = """addEventListener("DOMContentLoaded", () => {
  const note = ({ target: { id, dataset } }) =>
    id === "stack" && states.push([dataset.state, dataset.instance]);
  const watch = { subtree: true, attributes: true, attributeFilter: ["data-state"] };
  globalThis.states = [];
  new MutationObserver((changes) => changes.forEach(note)).observe(document.body, watch);
});"""
COUNT_FRAMES = """() => {
  const stack = document.getElementById("stack");
  globalThis.frames = [];
  new MutationObserver(() => frames.push(Number(stack.dataset.frame)))
    .observe(stack, { attributes: true, attributeFilter: ["data-frame"] });
}"""
TIME_GAPS = """() => {
  let last = performance.now();
  globalThis.gaps = [];
  const tick = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""
SCROLL_THROUGH = """async ([study, series]) => {
  const { Loader, around } = await import("/ui/viewer/loader.js");
  const { imagesOf } = await import("/ui/viewer/images.js");
  const answer = await fetch(`/dicom-web/studies/${study}/series/${series}/metadata`);
  const images = imagesOf(await answer.json(), study, series);
  const most = 5 * 256 * 256 * 2;
  let [came, largest] = [0, 0];
  const loader = new Loader(() => { came += 1; largest = Math.max(largest, loader.bytes); }, most);
  for (const [index, image] of images.entries()) {
    loader.want([{ image, small: false }, ...around(images, index, 1, most)]);
    while (!loader.has({ image, small: false })) await new Promise((done) => setTimeout(done, 10));
  }
  return { came, largest, most };
}"""
STAGE = "#stack"
Painting = tuple[str, tuple[str, ...]]
PAINTINGS: list[Painting] = [("webgl2", ()), ("2d", NO_GRAPHICS)]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def url(run: Callable[[Config], str], tmp_path: Path) -> str:
    return run(Config(data=tmp_path / "data"))


def stored(url: str, *pictures: Picture) -> str:
    """The viewer's address of the study they belong to."""
    items = [picture.item for picture in pictures]
    assert Web(f"{url}/dicom-web").store(items).status == 200
    return f"{url}/view/?study={items[0].study}"


def look(page: Page, address: str) -> None:
    page.add_init_script(WATCH)
    page.goto(address)
    expect(page.locator(STAGE)).to_have_attribute("data-state", "exact")


def screen(page: Page) -> NDArray[np.uint8]:
    """What is to be seen of the image, without the text over it."""
    page.evaluate("document.getElementById('overlay').hidden = true")
    page.evaluate("for (const id of ['badge', 'track']) document.getElementById(id).style.opacity = 0")
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.locator(STAGE).screenshot()))
    return np.asarray(picture.convert("RGB"))


def held_up(page: Page, route: Route, milliseconds: int) -> None:
    page.wait_for_timeout(milliseconds)
    route.continue_()


def one_to_one(page: Page) -> None:
    page.keyboard.press("z")
    expect(page.locator(STAGE)).to_have_attribute("data-zoom", "1")


def middle(seen: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """The image at 1:1, which lies in the middle of the screen."""
    top, left = (math.floor(seen.shape[i] / 2 - size / 2 + 0.5) for i, size in enumerate((rows, columns)))
    return seen[top : top + rows, left : left + columns]


def grey(expected: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(expected[..., None], 3, -1)


def attribute(page: Page, name: str) -> str:
    return page.locator(STAGE).get_attribute(f"data-{name}") or ""


@pytest.mark.parametrize("painting", PAINTINGS, ids=lambda painting: painting[0])
def test_grey_is_what_the_window_makes_of_it(url: str, browser: Browser, painting: Painting) -> None:
    kind, arguments = painting
    signed = ct(1, rows=301, columns=257)[0]
    page = browser.page(arguments=arguments)
    look(page, stored(url, signed))
    assert attribute(page, "painter") == kind
    one_to_one(page)
    expected = windowed(signed.samples, slope=1, intercept=-1024, centre=40, width=400)
    assert np.array_equal(middle(screen(page), 301, 257), grey(expected))
    page.keyboard.press("i")
    assert np.array_equal(middle(screen(page), 301, 257), grey(255 - expected))
    page.keyboard.press("i")
    page.keyboard.press("2")
    expect(page.locator(STAGE)).to_have_attribute("data-window", "-600,1500")
    lung = windowed(signed.samples, slope=1, intercept=-1024, centre=-600, width=1500)
    assert np.array_equal(middle(screen(page), 301, 257), grey(lung))


@pytest.mark.parametrize("painting", PAINTINGS, ids=lambda painting: painting[0])
def test_dark_is_high_in_monochrome1(url: str, browser: Browser, painting: Painting) -> None:
    picture = projection(333, 444)
    page = browser.page(arguments=painting[1])
    look(page, stored(url, picture))
    one_to_one(page)
    expected = 255 - windowed(picture.samples, slope=1, intercept=0, centre=2000, width=3000)
    assert np.array_equal(middle(screen(page), 333, 444), grey(expected))


@pytest.mark.parametrize("painting", PAINTINGS, ids=lambda painting: painting[0])
@pytest.mark.parametrize(("photometric", "planar"), [("RGB", 0), ("RGB", 1), ("YBR_FULL", 0)])
def test_colour(url: str, browser: Browser, painting: Painting, photometric: str, planar: int) -> None:
    clip = colour_clip(3, photometric=photometric, planar=planar)
    page = browser.page(arguments=painting[1])
    look(page, stored(url, clip))
    page.keyboard.press("End")
    expect(page.locator(STAGE)).to_have_attribute("data-frame", "3")
    expect(page.locator(STAGE)).to_have_attribute("data-state", "exact")
    one_to_one(page)
    off = np.abs(middle(screen(page), 120, 160).astype(int) - clip.samples[2])
    assert off.max() <= (2 if photometric == "YBR_FULL" else 0)


def test_palette(url: str, browser: Browser) -> None:
    picture = indexed()
    page = browser.page()
    look(page, stored(url, picture))
    one_to_one(page)
    assert np.array_equal(middle(screen(page), *picture.samples.shape[:2]), picture.samples)


def test_the_preview_comes_first_and_the_page_says_which(url: str, browser: Browser) -> None:
    picture = projection(2400, 1800, mammogram=True)
    page = browser.page()
    page.route("**/frames/1", lambda route: held_up(page, route, 1200))
    page.add_init_script(WATCH)
    page.goto(stored(url, picture))
    expect(page.locator(STAGE)).to_have_attribute("data-state", "preview")
    expect(page.locator("#badge")).to_have_text("1/8 preview")
    shot(page, "viewer-preview")
    small = screen(page)
    page.evaluate("document.getElementById('overlay').hidden = false")
    expect(page.locator(STAGE)).to_have_attribute("data-state", "exact")
    expect(page.locator("#badge")).to_have_text("exact")
    states = [state for state, instance in page.evaluate("states") if instance == picture.item.instance]
    assert list(dict.fromkeys(states)) == ["preview", "exact"]
    page.evaluate("for (const id of ['badge', 'track']) document.getElementById(id).style.opacity = ''")
    shot(page, "viewer-mammogram")
    assert np.abs(small.astype(int) - screen(page)).mean() < 3, "the exact image lies elsewhere"


def test_without_previews_the_exact_image_comes(url: str, browser: Browser) -> None:
    pictures = ct(3)
    page = browser.page(heard=Heard())
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=406, json={"detail": "no preview"})

    page.route(re.compile(r"/frames/1\?resolution="), refuse)
    look(page, stored(url, *pictures))
    page.keyboard.press("End")
    expect(page.locator(STAGE)).to_have_attribute("data-instance", pictures[2].item.instance)
    assert len(asked) == 1, "it goes on asking"


def test_scroll_window_zoom_and_move(url: str, browser: Browser) -> None:
    pictures = ct(12)
    page = browser.page()
    look(page, stored(url, *pictures))
    box = page.locator(STAGE).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    for _ in range(3):
        page.mouse.wheel(0, 120)
    expect(page.locator(STAGE)).to_have_attribute("data-instance", pictures[3].item.instance)
    page.keyboard.press("ArrowUp")
    expect(page.locator(STAGE)).to_have_attribute("data-instance", pictures[2].item.instance)
    expect(page.locator("[data-corner=sw]")).to_contain_text("image 3 of 12")
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=6)
    page.mouse.up()
    page.wait_for_function("() => document.getElementById('stack').dataset.window !== '40,400'")
    centre, width = map(float, attribute(page, "window").split(","))
    assert centre > 60
    assert width > 440
    fitted = float(attribute(page, "zoom"))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_function(f"() => Number(document.getElementById('stack').dataset.zoom) > {fitted * 2}")
    page.locator("[data-mode=pan]").click()
    page.mouse.move(x, y)
    before = screen(page)
    page.mouse.down()
    page.mouse.move(x + 37, y - 21, steps=3)
    page.mouse.up()
    after = screen(page)
    assert np.array_equal(after[100:400, 137:637], before[121:421, 100:600])
    page.keyboard.press("r")
    expect(page.locator(STAGE)).to_have_attribute("data-window", "40,400")
    expect(page.locator(STAGE)).to_have_attribute("data-zoom", str(fitted))
    page.mouse.dblclick(x, y)
    expect(page.locator(STAGE)).to_have_attribute("data-zoom", "1")


def test_cine_runs_round(url: str, browser: Browser) -> None:
    clip = colour_clip(10)
    page = browser.page()
    look(page, stored(url, clip))
    expect(page.locator("#rate")).to_have_text("25")
    page.evaluate(COUNT_FRAMES)
    page.keyboard.press(" ")
    expect(page.locator("#cine")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => frames.length > 25", timeout=30_000)
    page.keyboard.press(" ")
    frames = page.evaluate("frames")
    steps = {(b - a) % 10 for a, b in pairwise(frames) if a != b}
    assert steps == {1}, "it leaves frames out"
    assert set(frames) == set(range(1, 11))
    page.keyboard.press("-")
    expect(page.locator("#rate")).to_have_text("20")


def test_a_large_image_stays_smooth(url: str, browser: Browser) -> None:
    picture = projection(5000, 4000, mammogram=True)
    address = stored(url, picture)
    for kind, arguments in PAINTINGS:
        page = browser.page(arguments=arguments)
        begin = time.monotonic()
        look(page, address)
        print(f"{kind}: exact after {time.monotonic() - begin:.1f} s")
        box = page.locator(STAGE).bounding_box()
        assert box
        x, y = box["x"] + 500, box["y"] + 400
        page.evaluate(TIME_GAPS)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 200, y + 100, steps=40)
        page.mouse.up()
        gaps = page.evaluate("gaps")
        print(f"{kind}: gaps while dragging: median {np.median(gaps):.0f} ms, longest {max(gaps):.0f} ms")
        assert np.median(gaps) < 250
        one_to_one(page)
        seen = screen(page)
        centre, width = map(float, attribute(page, "window").split(","))
        rows, columns = seen.shape[:2]
        top, left = -math.floor(rows / 2 - 2500 + 0.5), -math.floor(columns / 2 - 2000 + 0.5)
        expected = 255 - windowed(picture.samples, slope=1, intercept=0, centre=centre, width=width)
        there = expected[top : top + rows, left : left + columns]
        assert np.array_equal(seen[:, :, 0], there)


def test_what_is_scrolled_past_is_not_fetched_to_the_end(url: str, browser: Browser) -> None:
    pictures = ct(40)
    page = browser.page()
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.failure or ""))
    look(page, stored(url, *pictures))
    page.route("**/frames/1", lambda route: held_up(page, route, 400))
    for _ in range(8):
        page.keyboard.press("PageDown")
        page.keyboard.press("PageUp")
    page.keyboard.press("End")
    expect(page.locator(STAGE)).to_have_attribute("data-instance", pictures[-1].item.instance)
    expect(page.locator(STAGE)).to_have_attribute("data-state", "exact")
    assert set(given_up) <= {"net::ERR_ABORTED"}


def test_the_cache_is_bounded(url: str, browser: Browser) -> None:
    pictures = ct(20)
    page = browser.page()
    look(page, stored(url, *pictures))
    series = pictures[0].item
    kept = page.evaluate(SCROLL_THROUGH, [series.study, series.series])
    assert kept["came"] >= 20
    assert 0 < kept["largest"] <= kept["most"]


def report(study: str, patient: Patient) -> Picture:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", fresh_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, fresh_uid()
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "SR", 9, 1
    ds.PatientName, ds.PatientID = patient.name, patient.id
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [code("126000", "Imaging Report")]
    text, number = Dataset(), Dataset()
    text.ValueType, text.TextValue = "TEXT", "No <b>acute</b> finding"
    text.ConceptNameCodeSequence = [code("121071", "Finding")]
    number.ValueType = "NUM"
    number.ConceptNameCodeSequence = [code("246205007", "Diameter")]
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "4.5", [code("mm", "millimeter")]
    number.MeasuredValueSequence = [measured]
    text.ContentSequence = [number]
    ds.ContentSequence = [text]
    return Picture(as_object(ds, "SR"), np.zeros((1, 1)))


def code(value: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "DCM", meaning
    return ds


def test_a_report_is_read_as_its_tree(url: str, browser: Browser) -> None:
    (image,) = ct(1)
    page = browser.page()
    look(page, stored(url, image, report(image.item.study, Patient())))
    expect(page.locator("#thumbs button")).to_have_count(2)
    page.keyboard.press("j")
    expect(page.locator("#instead")).to_contain_text("Imaging Report")
    expect(page.locator("#instead .tree")).to_contain_text("Finding: No <b>acute</b> finding")
    expect(page.locator("#instead .tree")).to_contain_text("Diameter: 4.5 mm")
    shot(page, "viewer-report")
    page.keyboard.press("k")
    expect(page.locator(STAGE)).to_have_attribute("data-state", "exact")


def test_what_is_not_there_is_said(url: str, browser: Browser) -> None:
    page = browser.page()
    page.goto(f"{url}/view/?study=1.2.3")
    expect(page.locator("#instead")).to_have_text("The archive holds no such study.")
    page.goto(f"{url}/view/?study=<script>")
    expect(page.locator("#instead")).to_contain_text("names no study")

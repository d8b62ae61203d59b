"""The OHIF viewer in a browser: open a study, look at what is drawn, work as a reader does."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browser import Heard

VIEWER = Path(__file__).parents[2] / "build" / "viewer"
SETTINGS = f"viewer = {json.dumps(str(VIEWER))}\n"
PATIENCE_MS = 120_000  # software rendering, on a machine that does much else
Pixels = NDArray[np.int16]
"""(rows, columns, 3) of red, green and blue, signed so that they can be subtracted."""

_TOUR_TAKEN = "localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))"
_CANVAS = "canvas.cornerstone-canvas"
_PANE = '[data-cy="viewport-pane"]'
_DRAWN = f"""() => {{
  const canvas = document.querySelector("{_CANVAS}");
  if (!canvas || !canvas.width) return false;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4 * 97) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return colours.size > 8;
}}"""
_INDEX = "services.cornerstoneViewportService.getCornerstoneViewport('default').getCurrentImageIdIndex()"
_MEASURED = """() => services.measurementService.getMeasurements()
  .filter((one) => one.toolName === "Length")
  .map((one) => ({ text: one.displayText?.primary?.join(" "), instance: one.SOPInstanceUID }))"""
_STORE = """async () => {
  const report = await commandsManager.runCommand("storeMeasurements", {
    measurementData: services.measurementService.getMeasurements(),
    dataSource: "hilum",
    additionalFindingTypes: ["ArrowAnnotate"],
    options: { SeriesDescription: "Drawn in a browser", SeriesNumber: 3001 },
  }, "CORNERSTONE_STRUCTURED_REPORT");
  return report.SOPInstanceUID;
}"""


@dataclass(slots=True)
class Ohif:
    page: Page
    url: str
    heard: Heard

    @classmethod
    def on(cls, page: Page, url: str, heard: Heard) -> "Ohif":
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(_TOUR_TAKEN)
        return cls(page, url, heard)

    def worklist(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/viewer/{query}")

    def open(self, study: str) -> None:
        self.page.goto(f"{self.url}/viewer/viewer?StudyInstanceUIDs={study}")

    def wait_drawn(self) -> None:
        """Until the canvas holds a picture."""
        self.page.wait_for_function(_DRAWN)

    def canvas(self) -> Pixels:
        """What is in the canvas itself; one black pixel while there is none."""
        address = self.page.evaluate(f"document.querySelector('{_CANVAS}')?.toDataURL('image/png') ?? ''")
        if not address:
            return np.zeros((1, 1, 3), np.int16)
        return _pixels(base64.b64decode(str(address).partition(",")[2]))

    def pane(self) -> Pixels:
        """What the eye sees of the viewport: canvas, what is drawn over it, or what stands in its place."""
        return _pixels(self.page.locator(_PANE).first.screenshot())

    def until(self, seen: Callable[[], bool]) -> None:
        """Look again and again until `seen` says yes."""
        for _ in range(PATIENCE_MS // 250):
            if seen():
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"it was not seen within {PATIENCE_MS / 1000:.0f} s: {self.heard.said[-5:]}")

    def series(self, modality: str) -> None:
        """Double click on what has no picture of its own in the list of series."""
        self.page.locator('[data-cy="study-browser-thumbnail-no-image"]', has_text=modality).first.dblclick()

    def agree(self) -> None:
        self.page.get_by_role("button", name="Yes", exact=True).click()

    def image_index(self) -> int:
        return int(self.page.evaluate(_INDEX))

    def scroll(self) -> int:
        """One notch of the wheel; returns the index of the image that is shown now."""
        box = self.page.locator(_CANVAS).bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.wheel(0, 100)
        self.page.wait_for_timeout(100)
        return self.image_index()

    def lengths(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate(_MEASURED))

    def draw_length(self) -> None:
        """With the mouse, across the middle of the image."""
        self.page.locator('[data-cy="MeasurementTools-split-button-primary"]').click()
        box = self.page.locator(_CANVAS).bounding_box()
        assert box is not None
        x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"]
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        for step in (0.3, 0.7, 1.0):
            mouse.move(x + 160 * step, y + 90 * step, steps=4)
        mouse.up()

    def store_report(self) -> str:
        """As the button does that saves measurements; returns the SOP Instance UID of the report."""
        return str(self.page.evaluate(_STORE))

    def rows(self, count: int) -> None:
        """Until the study list has so many."""
        studies = self.page.locator("tbody tr:not(:has(input))")
        expect(studies).to_have_count(count, timeout=PATIENCE_MS)

    def check(self) -> None:
        """Nothing was asked outside, and nothing was refused by the policy of the pages."""
        inside = ("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:")
        of_the_browser = ("chrome-extension://", "chrome://")  # it shows PDF by itself
        outside = [url for url in self.heard.asked if not url.startswith((*inside, *of_the_browser))]
        refused = [said for said in self.heard.said if "refused by the policy" in said]
        assert (outside, refused) == ([], [])


def share(found: Any) -> float:
    """Of the pixels, how many are so."""
    return float(np.count_nonzero(found)) / float(np.size(found))


def reddish(pixels: Pixels) -> Any:
    return (pixels[..., 0] - pixels[..., 1] > 40) & (pixels[..., 0] - pixels[..., 2] > 40)


def greenish(pixels: Pixels) -> Any:
    return (pixels[..., 1] - pixels[..., 0] > 40) & (pixels[..., 1] - pixels[..., 2] > 40)


def _pixels(png: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int16)

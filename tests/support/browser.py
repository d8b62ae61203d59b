"""Debian's Chromium, watched: what a page says to its console, what it asks for, what its policy refuses."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, Playwright, expect, sync_playwright

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "pages"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)
DESK = (1440, 860)
PHONE = (390, 844)
NO_GRAPHICS = ("--disable-3d-apis",)
PATIENCE_MS = 30_000  # on a machine that does much else
expect.set_options(timeout=PATIENCE_MS)
_OF_THE_DRIVER = re.compile(r"GL Driver Message|GPU stall")
_TELL_OF_REFUSALS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));"""


@dataclass(slots=True)
class Heard:
    """What came out of the pages of one browser. `complaints` are what should not have come."""

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda message: self.hear(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def hear(self, text: str) -> None:
        if not _OF_THE_DRIVER.search(text):
            self.said.append(text)

    def check(self) -> None:
        assert self.said == []
        assert all(url.startswith("http://127.0.0.1:") for url in self.asked), self.asked


@dataclass(slots=True)
class Browser:
    """Opens pages; each is in a context of its own, as another person's browser would be."""

    playwright: Playwright
    heard: Heard = field(default_factory=Heard)
    _open: list[Any] = field(default_factory=list)

    def page(
        self,
        size: tuple[int, int] = DESK,
        *,
        scheme: Literal["dark", "light"] = "dark",
        token: str = "",
        arguments: Sequence[str] = (),
        heard: Heard | None = None,
        **context: Any,
    ) -> Page:
        browser = self.playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*ARGUMENTS, *arguments]
        )
        self._open.append(browser)
        if token:
            context["http_credentials"] = {"username": "reader", "password": token}
        made = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **context
        )
        made.add_init_script(_TELL_OF_REFUSALS)
        made.set_default_timeout(PATIENCE_MS)
        page = made.new_page()
        (heard or self.heard).listen(page)
        return page

    def close(self) -> None:
        for browser in self._open:
            browser.close()


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A browser whose pages must be quiet and ask nobody but the archive."""
    with sync_playwright() as playwright:
        browser = Browser(playwright)
        try:
            yield browser
        finally:
            browser.close()
    browser.heard.check()


def shot(page: Page, name: str) -> None:
    """Keep a picture of the page, to be looked at."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

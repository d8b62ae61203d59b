"""The page of all studies in a real browser."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import browsing
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web

pytestmark = pytest.mark.peer("chromium")


@pytest.fixture
def page() -> Iterator[Page]:
    """A page on which anything said to the console is an error, and nothing outside is asked for."""
    with browsing() as browser:
        yield browser.page()
    asked = browser.heard.asked
    assert not any(re.search("compressed|anonym", url, re.IGNORECASE) for url in asked if "q=" not in url)


def test_studies_are_listed_searched_and_opened(filled: str, page: Page) -> None:
    page.goto(f"{filled}/studies/")
    rows = page.locator("tr.study")
    total = len(Web(f"{filled}/dicom-web").search("/studies"))
    expect(rows).to_have_count(total)
    expect(page).to_have_title("Hilum · studies")
    expect(page.locator("[data-fact=studies]")).to_have_text(str(total))
    page.keyboard.press("/")
    page.keyboard.type("compressedsamples ct1")
    expect(rows).to_have_count(1)
    expect(rows.locator(".name")).to_have_text("CompressedSamples, CT1")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(rows).to_have_attribute("aria-expanded", "true")
    expect(page.locator("tr.inside tbody tr")).to_have_count(1)
    for link in page.locator("tr.study a, tr.inside a").all():
        address = str(link.evaluate("link => link.href"))
        assert address.startswith(filled)
        assert httpx.get(address, headers={"Accept": "text/html,*/*;q=0.8"}).status_code == 200
    page.keyboard.press("Escape")
    expect(page.locator("tr.inside")).to_have_count(0)
    assert page.title() == "Hilum · studies"
    assert page.url == f"{filled}/studies/"


def test_keys(filled: str, page: Page) -> None:
    page.goto(f"{filled}/studies/")
    rows = page.locator("tr.study")
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("G")
    expect(rows.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    chosen = rows.last.get_attribute("data-uid")
    page.keyboard.press("v")
    expect(page).to_have_url(f"{filled}/view/?study={chosen}")


def test_more_studies_come_by_scrolling(empty: str, page: Page) -> None:
    web = Web(f"{empty}/dicom-web")
    assert web.store(item for _ in range(130) for item in ct_series(1, rows=4, columns=4)).status == 200
    page.goto(f"{empty}/studies/")
    rows = page.locator("tr.study")
    expect(rows).to_have_count(60)
    page.keyboard.press("G")
    expect(rows.nth(119)).to_be_attached()
    page.keyboard.press("G")
    expect(rows).to_have_count(130)
    assert len({row.get_attribute("data-uid") for row in rows.all()}) == 130
    expect(page.locator("#more")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/studies/"])
def test_an_empty_archive_says_how_to_fill_it(empty: str, page: Page, path: str) -> None:
    page.goto(f"{empty}{path}")
    expect(page.locator("#empty pre").first).to_contain_text("storescu -aec HILUM 127.0.0.1 11112")
    expect(page.locator("#empty pre").last).to_contain_text(f"{empty}/dicom-web/studies")


def test_markup_in_a_name_stays_text(empty: str, page: Page) -> None:
    assert Web(f"{empty}/dicom-web").store(ct_series(1, patient=Patient(name="<b>B</b>^<i>A"))).status == 200
    page.goto(f"{empty}/studies/")
    expect(page.locator("tr.study .name")).to_have_text("<b>B</b>, <i>A")

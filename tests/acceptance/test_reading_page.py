"""The archive's main page in real browsers: it moves, is worked by keys, and tells who was first."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from pacs.auth import tokens
from tests.support.archive_server import LAPTOP, ArchiveServer
from tests.support.browser import PHONE, Browser, Heard, browsing, no_sideways_scroll, shot
from tests.support.reading_room import (
    NAMES,
    SETTLED,
    arrive,
    beside,
    crowd,
    found,
    listed,
    wait_until,
)

pytestmark = pytest.mark.peer("chromium")
Deploy = Callable[..., ArchiveServer]

SAMPLE = """(uid) => {
  const places = (globalThis.places = []);
  const look = () => {
    places.push(document.querySelector(`[data-uid="${uid}"]`).getBoundingClientRect().top);
    if (places.length < 400) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
COUNT_MOVES = """() => {
  const move = Element.prototype.animate;
  globalThis.moves = 0;
  Element.prototype.animate = function (...how) { globalThis.moves += 1; return move.apply(this, how); };
}"""
FORTY_STEPS = """() => {
  const begin = performance.now();
  for (let i = 0; i < 40; i++) {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true }));
  }
  return performance.now() - begin;
}"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


def rows(page: Page) -> Locator:
    return page.locator("tr.study")


def order(page: Page) -> list[str | None]:
    return [row.get_attribute("data-uid") for row in rows(page).all()]


def state(server: ArchiveServer, study: str) -> Any:
    return httpx.get(f"{server.url}/api/worklist/{study}").json()["state"]


def opened(page: Page, server: ArchiveServer, count: int) -> None:
    page.goto(server.url)
    expect(rows(page)).to_have_count(count)
    expect(page.locator("#link")).to_have_attribute("data-link", "live")


def test_a_finding_lifts_its_study_before_ones_eyes(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:9])
    page = browser.page()
    opened(page, server, 9)
    assert order(page) == studies
    expect(rows(page).first.locator(".c-patient .name")).to_have_text("Okafor, Chinwe")
    for _ in range(3):
        page.keyboard.press("j")
    chosen = page.locator(f'[data-uid="{studies[3]}"]')
    expect(chosen).to_be_focused()
    risen = page.locator(f'[data-uid="{studies[6]}"]')
    page.evaluate(SAMPLE, studies[6])
    with beside(server) as archive:
        found(archive, studies[6], "pneumothorax", 0.95, 0.92)
        said = time.monotonic()
        expect(rows(page).first).to_have_attribute("data-uid", studies[6], timeout=10_000)
        took = time.monotonic() - said
    assert took < 2, f"{took:.2f} s"
    page.wait_for_timeout(900)
    places = page.evaluate("globalThis.places")
    between = {place for place in places if places[-1] + 5 < place < places[0] - 5}
    assert len(between) >= 3, "it jumped"
    expect(risen.locator(".rise")).to_have_text("▲ 6")
    expect(risen.locator(".c-finding")).to_contain_text("pneumothorax")
    expect(risen.locator(".c-finding")).to_contain_text("92 % · chest-triage 2.1")
    expect(page.locator("#said")).to_have_text("Müller, Jürgen rose to place 1: pneumothorax")
    expect(chosen).to_be_focused()
    expect(chosen).to_have_attribute("aria-selected", "true")
    assert order(page) == [studies[6], *studies[:6], *studies[7:]]
    shot(page, "reading-list-risen")


def test_without_motion_it_is_there_at_once(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:4])
    page = browser.page(reduced_motion="reduce", scheme="light")
    opened(page, server, 4)
    page.evaluate(COUNT_MOVES)
    assert httpx.post(f"{server.url}/api/worklist/{studies[3]}/request/STAT").status_code == 200
    expect(rows(page).first).to_have_attribute("data-uid", studies[3])
    expect(rows(page).first.locator(".rise")).to_have_text("▲ 3")
    assert page.evaluate("globalThis.moves") == 0
    shot(page, "reading-list-light")


def test_a_reader_works_by_keys(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:5])
    with beside(server) as archive:
        found(archive, studies[1], "nodule", 0.5, 0.8)
    page = browser.page()
    opened(page, server, 5)
    first, press = rows(page).first, page.keyboard.press
    expect(first).to_have_attribute("data-uid", studies[1])
    press("g")
    press("c")
    expect(first.locator("td.c-status")).to_contain_text(re.compile(r"you.*14:\d\d left"))
    assert state(server, studies[1]) == "claimed"
    press("a")
    expect(first.locator("[data-verdict=accepted]")).to_have_text("✓ accepted")
    press("f")
    expect(rows(page)).to_have_count(4)
    assert state(server, studies[1]) == "done"
    press("u")
    expect(rows(page)).to_have_count(5)
    wait_until(lambda: state(server, studies[1]) == "waiting")
    press("g")
    press("x")
    expect(rows(page).last).not_to_have_attribute("data-uid", studies[1])
    wait_until(lambda: listed(server)[0]["study"] == studies[0])
    expect(rows(page).first).to_have_attribute("data-uid", studies[0])
    press("/")
    page.keyboard.type("garcia")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first.locator(".name")).to_have_text("García, Lucía")
    press("Enter")
    press("Enter")
    expect(page).to_have_url(f"{server.url}/view/?study={studies[4]}")
    expect(page).to_have_title("Hilum · viewer")
    expect(page.locator("#stack")).to_have_attribute("data-state", "exact")  # it listens to keys by then
    press("Escape")
    expect(page).to_have_url(f"{server.url}/")
    expect(page.locator(f'[data-uid="{studies[4]}"]')).to_have_attribute("aria-selected", "true")
    press("?")
    expect(page.locator("#keys")).to_be_visible()
    press("Escape")
    page.locator("#archive").click()
    expect(page.locator("#facts-list")).to_contain_text("Studies5")
    expect(page.locator("#models")).to_contain_text("chest-triage 2.1001")


def test_what_was_read_is_in_its_own_list(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:2])
    page = browser.page()
    page.goto(f"{server.url}/?read")
    expect(page.locator("#empty")).to_contain_text("Nothing has been read yet")
    assert httpx.post(f"{server.url}/api/worklist/{studies[0]}/finish").status_code == 200
    expect(rows(page)).to_have_count(1)
    expect(rows(page).locator("td.c-status")).to_contain_text("you")
    page.keyboard.press("u")
    expect(rows(page)).to_have_count(0)
    assert state(server, studies[0]) == "waiting"


@pytest.fixture
def two_readers(deploy: Deploy) -> tuple[ArchiveServer, str, str]:
    ann, bob = tokens.create(), tokens.create()
    config = SETTLED + "".join(
        f'[[auth.tokens]]\nname = "{name}"\nhash = "{digest}"\nroles = ["viewer", "sender"]\n'
        for name, (_, digest) in {"Dr. Ann": ann, "Dr. Bob": bob}.items()
    )
    probe = '[dimse.peers.PROBE]\nhost = "127.0.0.1"\n'
    headers = {"Authorization": f"Bearer {ann[0]}"}
    return deploy(LAPTOP, config=config, dimse_settings=probe, probe_headers=headers), ann[0], bob[0]


def test_two_readers_want_the_same_study(
    two_readers: tuple[ArchiveServer, str, str], browser: Browser
) -> None:
    """The browser asks for the token by itself; the second of two claims is told who was first."""
    server, ann, bob = two_readers
    (study,) = arrive(server, NAMES[:1])
    quiet = Heard()
    anns, bobs = browser.page(token=ann), browser.page(token=bob, heard=quiet)
    opened(anns, server, 1)
    opened(bobs, server, 1)
    bobs.route("**/api/worklist/events*", lambda route: route.abort())
    anns.keyboard.press("c")
    expect(anns.locator("td.c-status")).to_contain_text("you")
    expect(bobs.locator("td.c-status")).to_contain_text("Dr. Ann")
    bobs.keyboard.press("c")
    expect(bobs.locator("#alert")).to_have_text("Dr. Ann is reading this study: wait until it is released.")
    assert [text for text in quiet.said if "409" not in text] == []
    shot(bobs, "reading-list-conflict")
    anns.keyboard.press("c")
    expect(bobs.locator("td.c-status")).not_to_contain_text("Dr. Ann")
    bobs.keyboard.press("c")
    expect(anns.locator("td.c-status")).to_contain_text("Dr. Bob")
    assert study in anns.locator("tr.study").first.inner_html()


def test_on_a_phone(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, ["Very" * 14 + "^A", *NAMES[:5]])
    with beside(server) as archive:
        found(archive, studies[2], "pulmonary embolism", 0.9, 0.8)
    page = browser.page(PHONE, has_touch=True, is_mobile=True)
    opened(page, server, 6)
    assert no_sideways_scroll(page)
    expect(rows(page).first).to_contain_text("pulmonary embolism")
    page.wait_for_timeout(700)  # while rows move, a tap may be meant for another
    rows(page).nth(1).locator(".c-study").tap()
    expect(rows(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.locator("#claim").tap()
    expect(rows(page).nth(1).locator("td.c-status")).to_contain_text("you")
    shot(page, "reading-list-phone")
    page.locator("#open").tap()
    expect(page.locator("#stack")).to_have_attribute("data-state", "exact")
    assert no_sideways_scroll(page)
    shot(page, "viewer-phone")


def test_an_archive_that_goes_away_comes_back(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:3])
    page = browser.page(heard=Heard())
    opened(page, server, 3)
    server.stop()
    expect(page.locator("#link-text")).to_have_text("no connection", timeout=30_000)
    page.keyboard.press("c")
    expect(page.locator("#alert")).to_have_text("The archive cannot be reached just now.")
    expect(rows(page)).to_have_count(3)
    server.start()
    expect(page.locator("#link")).to_have_attribute("data-link", "live", timeout=40_000)
    assert httpx.post(f"{server.url}/api/worklist/{studies[2]}/request/STAT").status_code == 200
    expect(rows(page).first).to_have_attribute("data-uid", studies[2])


def test_without_a_stream_it_asks(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:3])
    page = browser.page(heard=Heard())
    page.route("**/api/worklist/events*", lambda route: route.abort())
    page.goto(server.url)
    expect(rows(page)).to_have_count(3)
    expect(page.locator("#link")).to_have_attribute("data-link", "asking")
    assert httpx.post(f"{server.url}/api/worklist/{studies[2]}/request/STAT").status_code == 200
    expect(rows(page).first).to_have_attribute("data-uid", studies[2], timeout=15_000)


def test_a_study_is_read_in_the_viewer(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = arrive(server, NAMES[:2])
    with beside(server) as archive:
        found(archive, studies[1], "pneumothorax", 0.9, 0.9)
    page = browser.page()
    page.goto(f"{server.url}/view/?study={studies[1]}")
    finding, press = page.locator("#findings li"), page.keyboard.press
    expect(finding).to_contain_text("pneumothorax90 %chest-triage 2.1")
    expect(page.locator("#state")).to_have_text("Waiting to be read; nobody has claimed it.")
    press("c")
    expect(page.locator("#state")).to_contain_text("Claimed by you, 14:")
    press("a")
    expect(finding).to_have_attribute("data-verdict", "accepted")
    finding.get_by_role("button", name="Reject").click()
    expect(finding).to_have_attribute("data-verdict", "rejected")
    shot(page, "viewer-finding")
    press("f")
    expect(page.locator("#state")).to_have_text("Read by you.")
    assert state(server, studies[1]) == "done"
    press("u")
    wait_until(lambda: state(server, studies[1]) == "waiting")
    press("f")
    expect(page.locator("#state")).to_have_text("Read by you.")
    press("n")
    expect(page).to_have_url(f"{server.url}/view/?study={studies[0]}")
    expect(page.locator("#stack")).to_have_attribute("data-state", "exact")


def test_names_from_anywhere_stay_text(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    hostile = ["<script>alert(1)</script>^X", '"><img src=x onerror=alert(1)>^Y']
    studies = arrive(server, hostile)
    with beside(server) as archive:
        found(archive, studies[0], "<b>bold</b><script>1</script>", 0.9, 0.9)
    page = browser.page()
    opened(page, server, 2)
    expect(rows(page).first.locator(".name")).to_have_text("<script>alert(1)</script>, X")
    expect(rows(page).first.locator(".c-finding")).to_contain_text("<b>bold</b><script>1</script>")
    page.keyboard.press("Enter")
    expect(page.locator("#patient")).to_have_text("<script>alert(1)</script>, X")
    expect(page.locator("#findings")).to_contain_text("<b>bold</b>")
    assert "alert" not in page.title() + page.url
    assert not [url for url in browser.heard.asked if "alert" in url or "onerror" in url]


def test_ten_thousand_studies(deploy: Deploy, browser: Browser) -> None:
    server = deploy(LAPTOP, config=SETTLED)
    studies = crowd(server, 10_000)
    with beside(server) as archive:
        page = browser.page()
        begin = time.monotonic()
        opened(page, server, 50)
        assert time.monotonic() - begin < 15
        assert page.evaluate("document.querySelectorAll('*').length") < 3000
        page.keyboard.press("G")
        expect(rows(page)).to_have_count(100)
        assert order(page) == studies[:100]
        took = page.evaluate(FORTY_STEPS)
        assert took < 2000, f"{took:.0f} ms for 40 steps"
        found(archive, studies[9_000], "haemorrhage", 1.0, 1.0)
        expect(rows(page).first).to_have_attribute("data-uid", studies[9_000])
        expect(rows(page)).to_have_count(101)
        assert order(page) == [studies[9_000], *studies[:100]]
    (late,) = arrive(server, ["Behind^All"])
    page.keyboard.press("/")
    page.keyboard.type("behind")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_have_attribute("data-uid", late)
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    expect(rows(page).first.locator("td.c-status")).to_contain_text("you")

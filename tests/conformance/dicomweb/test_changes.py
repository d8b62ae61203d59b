"""The change feed: pages and server-sent events, replayable, by UIDs alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs.auth import tokens
from pacs.config import AuthConfig, Config, TokenEntry
from pacs.outbox.crew import trimming
from pacs.runtime import open_archive
from tests.conformance.dicomweb.conftest import running, serving
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web
from tests.support.workitems import Worklist

SECRET = Patient("Geheim^Sehr", "HIDDEN-1")
VIEWER, SENDER = tokens.create(), tokens.create()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("changing"))) as url:
        yield url


def page(url: str, since: str = "", **asked: Any) -> dict[str, Any]:
    params = {**({"since": since} if since else {}), **asked}
    answer = httpx.get(f"{url}/api/changes", params=params, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def everything(url: str, since: str = "", **asked: Any) -> list[dict[str, Any]]:
    found, more = [], True
    while more:
        one = page(url, since, **asked)
        found += one["changes"]
        since, more = one["next"], one["more"]
    return found


def events(url: str, count: int, since: str = "", **headers: str) -> list[tuple[str, dict[str, Any]]]:
    """The next so many server-sent events: their ids and what they say."""
    found: list[tuple[str, dict[str, Any]]] = []
    name = ""
    params = {"since": since} if since else {}
    with httpx.stream(
        "GET", f"{url}/api/changes/events", params=params, headers=headers, timeout=30
    ) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("id: "):
                name = line[4:]
            elif line.startswith("data: "):
                found.append((name, json.loads(line[6:])))
                if len(found) == count:
                    return found
    raise AssertionError("the stream ended")


def test_what_is_stored_is_told_by_its_uids_alone(url: str) -> None:
    since = page(url, "now")["next"]
    items = ct_series(3, rows=8, columns=8, patient=SECRET)
    assert Web(f"{url}/dicom-web").store(items).status == 200
    workitem = Worklist(f"{url}/dicom-web").make(PatientName="Geheim^Sehr", PatientID="HIDDEN-1")
    found = everything(url, since)
    stored = [one for one in found if one["kind"] == "stored"]
    assert [(o["study"], o["series"], o["instance"]) for o in stored] == [
        (item.study, item.series, item.instance) for item in items
    ]
    assert [one["workitem"] for one in found if one["kind"] == "workitem"] == [workitem]
    text = json.dumps(found)
    assert "Geheim" not in text
    assert "HIDDEN" not in text
    assert all(one["at"].endswith("+00:00") for one in found)


def test_pages_of_any_size_tell_the_same(url: str) -> None:
    Web(f"{url}/dicom-web").store(ct_series(7, rows=8, columns=8))
    whole = everything(url)
    for limit in (1, 3, 1000):
        assert everything(url, limit=limit) == whole
    assert everything(url, whole[3]["token"]) == whole[4:], "each is a place to go on from"
    assert page(url, whole[-1]["token"]) == {"changes": [], "next": whole[-1]["token"], "more": False}


def test_the_stream_goes_on_where_it_broke(url: str) -> None:
    web = Web(f"{url}/dicom-web")
    since = page(url, "now")["next"]
    items = ct_series(4, rows=8, columns=8)
    web.store(items[:2])
    first = events(url, 1, since)
    rest = events(url, 1, **{"Last-Event-ID": first[0][0]})
    web.store(items[2:])
    rest += events(url, 2, **{"Last-Event-ID": rest[0][0]})
    assert [one["instance"] for _, one in first + rest] == [item.instance for item in items]
    assert [name for name, _ in first + rest] == [one["token"] for one in everything(url, since)]


def test_tokens_that_are_none_are_refused(url: str) -> None:
    Web(f"{url}/dicom-web").store(ct_series(1, rows=8, columns=8))
    for wrong in ("x", "1", "1.2.3", "-1.2", "1." + "9" * 30, "%00"):
        assert httpx.get(f"{url}/api/changes?since={wrong}").status_code == 400, wrong
        assert httpx.get(f"{url}/api/changes/events?since={wrong}").status_code == 400, wrong
    for wrong in ("0", "x", "-1"):
        assert httpx.get(f"{url}/api/changes?limit={wrong}").status_code == 400, wrong
    assert httpx.get(f"{url}/api/changes?since=0.99999999").status_code == 410


def test_who_comes_too_late_is_told_so(tmp_path: Path) -> None:
    archive = open_archive(Config(data=tmp_path / "data"))
    try:
        with serving(archive) as url:
            web = Web(f"{url}/dicom-web")
            web.store(ct_series(2, rows=8, columns=8))
            old = everything(url)
            crew = archive.crew()
            crew.start()
            try:
                while trimming(archive.db, -1.0).work() or len(everything(url)) > 1:
                    pass
            finally:
                assert crew.stop(20)
            gone = httpx.get(f"{url}/api/changes", params={"since": old[0]["token"]})
            assert gone.status_code == 410
            assert "anew" in gone.json()["hint"] or "search" in gone.json()["hint"]
            assert everything(url)[-1]["token"] >= old[-1]["token"]
    finally:
        archive.close()


def test_the_feed_is_for_those_who_may_see_everything(tmp_path: Path) -> None:
    entries = (
        TokenEntry("viewer", VIEWER[1], ("viewer",)),
        TokenEntry("sender", SENDER[1], ("sender",)),
    )
    with running(Config(data=tmp_path / "data", auth=AuthConfig(tokens=entries))) as url:
        for path in ("/api/changes", "/api/changes/events?since="):
            shown = {"Authorization": f"Bearer {SENDER[0]}"}
            assert httpx.get(url + path, headers=shown).status_code == 403
        shown = {"Authorization": f"Bearer {VIEWER[0]}"}
        assert httpx.get(f"{url}/api/changes", headers=shown).status_code == 200

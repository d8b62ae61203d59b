"""Behind a reverse proxy with TLS and a prefix, every address that the archive gives leads back to it."""

import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from pacs.config import Config, WebConfig
from tests.conformance.dicomweb.conftest import running
from tests.support import corpus
from tests.support.nginx import proxying
from tests.support.web_client import JSON, multipart
from tests.support.workitems import step, tag
from tests.support.worklist import order

pytestmark = pytest.mark.peer("nginx")


@dataclass(frozen=True, slots=True)
class Outer:
    """The archive as it is seen from outside."""

    url: str
    trust: ssl.SSLContext
    client: httpx.Client


@pytest.fixture(scope="module")
def outer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outer]:
    folder = tmp_path_factory.mktemp("nginx")
    config = Config(data=folder / "data", web=WebConfig(trusted_proxies=("127.0.0.1",)))
    with running(config) as inner, proxying(inner, folder) as url:
        trust = ssl.create_default_context(cafile=folder / "cert.pem")
        with httpx.Client(verify=trust, timeout=60) as client:
            yield Outer(url, trust, client)


@pytest.fixture(scope="module")
def stored(outer: Outer) -> dict[str, Any]:
    """What a STOW request through the proxy answered."""
    bodies = [item.part10() for item in corpus.waves()[0]]
    kind = 'multipart/related; type="application/dicom"; boundary=b0undary'
    answer = outer.client.post(
        f"{outer.url}/dicom-web/studies",
        content=multipart(bodies, "b0undary"),
        headers={"Content-Type": kind, "Accept": JSON},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def addresses(text: str, name: str) -> set[str]:
    return set(re.findall(rf'"{name}":\{{"vr":"UR","Value":\["([^"]+)"\]', text))


def test_every_retrieve_url_answers(outer: Outer, stored: dict[str, Any]) -> None:
    answers = (
        outer.client.get(f"{outer.url}/dicom-web/{level}", headers={"Accept": JSON})
        for level in ("studies", "series", "instances")
    )
    texts = [json.dumps(stored, separators=(",", ":")), *(answer.text for answer in answers)]
    found = set().union(*(addresses(text, "00081190") for text in texts))
    assert len(found) > 30
    for url in found:
        assert url.startswith(f"{outer.url}/dicom-web/studies/"), url
        assert outer.client.head(url).status_code == 200, url


def test_every_bulk_data_uri_answers(outer: Outer, stored: dict[str, Any]) -> None:
    studies = outer.client.get(f"{outer.url}/dicom-web/studies", headers={"Accept": JSON})
    found: set[str] = set()
    for study in addresses(studies.text, "00081190"):
        metadata = outer.client.get(f"{study}/metadata", headers={"Accept": JSON})
        assert metadata.status_code == 200
        found |= set(re.findall(r'"BulkDataURI":"([^"]+)"', metadata.text))
    assert len(found) > 10
    for uri in found:
        assert uri.startswith(f"{outer.url}/dicom-web/studies/"), uri
        assert outer.client.get(uri, headers={"Accept": "*/*", "Range": "bytes=0-0"}).status_code == 206, uri
        assert outer.client.head(uri).status_code == 200, uri


def test_addresses_of_workitems_and_their_channel_answer(outer: Outer) -> None:
    made = outer.client.post(
        f"{outer.url}/dicom-web/workitems", json=[step()], headers={"Content-Type": JSON}
    )
    assert made.status_code == 201
    assert outer.client.get(made.headers["location"], headers={"Accept": JSON}).status_code == 200
    subscribed = outer.client.post(f"{made.headers['location']}/subscribers/OUTSIDE")
    channel = subscribed.headers["content-location"]
    assert channel == f"wss{outer.url.removeprefix('https')}/dicom-web/subscribers/OUTSIDE"
    with connect(channel, ssl=outer.trust, proxy=None, origin=None) as socket:
        heard = json.loads(socket.recv(timeout=30))
    assert heard["00001000"]["Value"][0] == made.headers["location"].rpartition("/")[2]
    assert heard[tag("ProcedureStepState")]["Value"] == ["SCHEDULED"]


def test_addresses_of_orders_answer(outer: Outer) -> None:
    made = [outer.client.post(f"{outer.url}/api/orders", json=order(accession=number)) for number in "12"]
    for one in made:
        assert one.status_code == 201, one.text
        assert one.headers["location"] == f"{outer.url}/api/orders/{one.json()['number']}"
        assert outer.client.get(one.headers["location"]).json() == one.json()
    page = outer.client.get(f"{outer.url}/api/orders?limit=1")
    assert page.links["next"]["url"].startswith(f"{outer.url}/api/orders?")
    assert outer.client.get(page.links["next"]["url"]).json()["orders"] == [made[0].json()]


def test_what_the_archive_says_of_itself_is_seen_from_outside(outer: Outer) -> None:
    capabilities = outer.client.options(f"{outer.url}/dicom-web", headers={"Accept": "application/json"})
    assert capabilities.json()["base"] == outer.url
    openapi = outer.client.get(f"{outer.url}/api/openapi.json").json()
    assert openapi["servers"] == [{"url": outer.url}]
    with outer.client.stream("GET", f"{outer.url}/api/changes/events?since=") as stream:
        assert next(stream.iter_lines()).startswith("retry:")


def test_forwarded_headers_of_strangers_count_for_nothing(outer: Outer, stored: dict[str, Any]) -> None:
    """The proxy overwrites what a client claims; what it does not overwrite is not believed."""
    claims = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}
    answer = outer.client.get(f"{outer.url}/dicom-web/studies?limit=1", headers={"Accept": JSON, **claims})
    (url,) = addresses(answer.text, "00081190")
    assert url.startswith(f"{outer.url}/dicom-web/")

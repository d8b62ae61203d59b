"""Addresses as clients spell them, and payloads as they encode them (RFC 9110 8.4, 15.4; PS3.18 8.2)."""

import gzip
from collections.abc import Iterator

import httpx
import pytest

from pacs.config import Config, WebConfig
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series
from tests.support.web_client import Web

ITEM = ct_series(1, rows=8, columns=8)[0]
OUTSIDE = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example", "X-Forwarded-Prefix": "/hilum"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    web = WebConfig(trusted_proxies=("127.0.0.1",))
    with running(Config(data=tmp_path_factory.mktemp("addresses"), web=web)) as url:
        assert Web(f"{url}/dicom-web").store([ITEM]).status == 200
        yield url


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/studies/",
        "/dicom-web/studies//?limit=1",
        "/dicom-web/studies/{study}/metadata/",
        "/dicom-web{instance}/rendered/?viewport=8,8",
        "/api/worklist/",
        "/healthz/",
    ],
)
def test_a_slash_at_the_end_changes_nothing(url: str, path: str) -> None:
    path = path.format(study=ITEM.study, instance=ITEM.path())
    plain = path.replace("/?", "?").replace("/?", "?").removesuffix("/")
    with_slash, without = httpx.get(url + path), httpx.get(url + plain)
    assert with_slash.status_code == without.status_code == 200
    assert with_slash.content == without.content


def test_a_request_with_a_body_is_answered_there_too(url: str) -> None:
    """Most clients do not send a body again to where they are sent on."""
    made = ct_series(1, rows=8, columns=8)[0]
    answer = httpx.post(
        f"{url}/dicom-web/studies/", content=made.part10(), headers={"Content-Type": "application/dicom"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/view", "/view?study=1.2", "/studies"])
def test_who_is_sent_on_finds_the_way_from_outside(url: str, path: str) -> None:
    """A page has a slash at its end, which its own relative addresses count on."""
    name, _, query = path.partition("?")
    expected = f"/hilum{name}/" + (f"?{query}" if query else "")
    answer = httpx.get(url + path, headers=OUTSIDE)
    assert answer.status_code in {307, 308}
    assert answer.headers["location"] == f"https://pacs.example{expected}"
    inside = httpx.get(url + path)
    assert inside.headers["location"] == url + expected.removeprefix("/hilum")
    assert httpx.get(inside.headers["location"]).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/dicom-web/nothing/", "//evil.example/", "/ui/"])
def test_nobody_is_sent_to_where_nothing_is(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def multipart(item: DicomObject) -> bytes:
    return b"--b\r\nContent-Type: application/dicom\r\n\r\n" + item.part10() + b"\r\n--b--\r\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate, gzip", "br"])
@pytest.mark.parametrize(
    "kind", ["application/dicom", 'multipart/related; type="application/dicom"; boundary=b']
)
def test_a_payload_in_a_content_coding_is_said_not_to_be_taken(url: str, kind: str, coding: str) -> None:
    """And not kept as an object that cannot be read (RFC 9110 15.5.16)."""
    body = ITEM.part10() if kind == "application/dicom" else multipart(ITEM)
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    answer = httpx.post(f"{url}/dicom-web/studies", content=gzip.compress(body), headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert "Content-Encoding" in answer.json()["detail"]
    step = {"Content-Type": "application/dicom+json", "Content-Encoding": coding}
    assert httpx.post(f"{url}/dicom-web/workitems", content=b"x", headers=step).status_code == 415


def test_identity_is_no_content_coding(url: str) -> None:
    headers = {"Content-Type": "application/dicom", "Content-Encoding": "identity"}
    answer = httpx.post(f"{url}/dicom-web/studies", content=ITEM.part10(), headers=headers)
    assert answer.status_code == 200

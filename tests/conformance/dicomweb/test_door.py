"""With authentication on, nothing at all is answered to a stranger. The routes come from the table."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dicomweb.routes import ROUTES, Entry
from pacs.auth import tokens
from pacs.auth.actor import Actor, Role
from pacs.config import AuthConfig, Config, TokenEntry, WebConfig
from pacs.runtime import open_archive
from tests.conformance.dicomweb.conftest import running, serving
from tests.support.factory import ct_series
from tests.support.web_client import Web

VIEWER, SENDER = tokens.create(), tokens.create()
AUTH = AuthConfig(
    tokens=(TokenEntry("viewer", VIEWER[1], ("viewer",)), TokenEntry("sender", SENDER[1], ("sender",)))
)
FILLING = {"study": "1.2", "series": "1.3", "instance": "1.4", "frames": "1", "path:path": "7FE00010"}
FILLING |= {"priority": "STAT", "finding": "1", "verdict": "accepted", "run": "1", "deletion": "1"}
FILLING |= {"workitem": "1.5", "aetitle": "AET", "order": "1"}
STRANGERS = {
    "nothing": "",
    "unknown": "Bearer wrong",
    "empty": "Bearer",
    "digest": "Digest username=x",
    "basic": "Basic " + base64.b64encode(b"viewer:wrong").decode(),
    "broken": "Basic !!",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    web = WebConfig(trusted_proxies=("127.0.0.1",))
    with running(Config(data=tmp_path_factory.mktemp("guarded"), auth=AUTH, web=web)) as url:
        yield url


def address(entry: Entry) -> str:
    path = entry.path
    for name, value in FILLING.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, f"give the test a value for {path}"
    return path


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_every_route_refuses_a_stranger(guarded: str, client: httpx.Client, stranger: str) -> None:
    headers = {"Authorization": stranger} if stranger else {}
    addresses = [(entry.method, address(entry)) for entry in ROUTES]
    assert {("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/ui/worklist/app.js")} <= set(
        addresses
    )
    for method, path in [*addresses, ("GET", "/no/such"), ("DELETE", "/dicom-web/studies"), ("HEAD", "/")]:
        answer = client.request(method, guarded + path, headers=headers)
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers.get_list("www-authenticate")[0].startswith("Bearer")
        assert "<html" not in answer.text


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {VIEWER[0]}", "Basic " + base64.b64encode(f"me:{VIEWER[0]}".encode()).decode()],
    ids=["bearer", "basic"],
)
def test_a_known_caller_gets_in(guarded: str, client: httpx.Client, authorization: str) -> None:
    for path in ("/", "/healthz", "/readyz", "/api/facts", "/api/studies", "/dicom-web/studies"):
        assert client.get(guarded + path, headers={"Authorization": authorization}).status_code == 200, path


def test_roles_are_kept(guarded: str, client: httpx.Client) -> None:
    viewer = Web(f"{guarded}/dicom-web", {"Authorization": f"Bearer {VIEWER[0]}"})
    assert viewer.store_bytes([b"x" * 200]).status == 403
    answer = client.get(f"{guarded}/dicom-web/studies", headers={"Authorization": f"Bearer {SENDER[0]}"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_security_headers_stand_on_every_answer(filled: str, client: httpx.Client) -> None:
    for path in (
        "/",
        "/ui/app.js",
        "/healthz",
        "/no/such",
        "/dicom-web/studies?limit=x",
        "/dicom-web/studies",
    ):
        headers = client.get(filled + path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert "server" not in headers, path


def test_the_origin_behind_a_trusted_proxy_is_used(tmp_path: Path) -> None:
    proxied = WebConfig(trusted_proxies=("127.0.0.0/8",))
    forwarded = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "pacs.example",
        "X-Forwarded-Prefix": "/hilum",
    }
    for web, expected in (
        (proxied, "https://pacs.example/hilum/dicom-web/"),
        (WebConfig(), "http://127.0.0.1:"),
    ):
        with running(Config(data=tmp_path / expected[:5], web=web)) as url:
            answer = httpx.post(
                f"{url}/dicom-web/studies",
                content=b"x" * 200,
                headers={"Content-Type": "application/dicom"} | forwarded,
            )
            assert answer.status_code == 409
            stored = Web(f"{url}/dicom-web", forwarded)
            assert stored.store(ct_series(1)).status == 200
            (study,) = stored.search("/studies")
            assert study["00081190"]["Value"][0].startswith(expected)


def test_addresses_that_do_not_exist(filled: str, client: httpx.Client) -> None:
    assert client.get(filled + "/no/such").status_code == 404
    answer = client.delete(f"{filled}/dicom-web/studies")
    assert answer.status_code == 405
    assert {"GET", "POST", "HEAD", "OPTIONS"} == set(answer.headers["allow"].split(", "))
    assert answer.headers["content-type"] == "application/problem+json"
    for path in (
        "/dicom-web/studies/../../etc",
        "/dicom-web/studies/%2e%2e%2fx",
        "/dicom-web/studies/1.a/metadata",
    ):
        assert client.get(filled + path).status_code in {400, 404}, path


def test_who_was_turned_away_is_written_down(tmp_path: Path) -> None:
    archive = open_archive(Config(data=tmp_path / "data", auth=AUTH))
    try:
        with serving(archive) as url:
            assert httpx.get(f"{url}/dicom-web/studies?PatientName=Doe").status_code == 401
            admin = Actor("admin", frozenset(Role), "local", "cli")
            rows = [row for row in archive.audit_trail(admin) if row.outcome == "refused"]
    finally:
        archive.close()
    assert [(row.channel, row.origin) for row in rows] == [("dicomweb", "127.0.0.1")]
    assert "Doe" not in str(rows)

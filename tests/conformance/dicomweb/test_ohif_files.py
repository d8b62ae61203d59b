"""What is served at /viewer/: prepared files as they are, compressed for those who take it, and a page and
a configuration that fit the address they are asked for."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs.config import Config, WebConfig
from tests.conformance.dicomweb.conftest import Run, running

SCRIPT = "app.bundle.0123456789abcdef.js"
CONTENT = b"globalThis.viewer = true;\n" * 100
OUTSIDE = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example", "X-Forwarded-Prefix": "/hilum"}


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("viewer")
    prepared(folder)
    web = WebConfig(viewer=str(folder), trusted_proxies=("127.0.0.1",))
    with running(Config(data=tmp_path_factory.mktemp("archive"), web=web)) as url:
        yield url


def prepared(folder: Path) -> None:
    (folder / SCRIPT).write_bytes(CONTENT)
    (folder / f"{SCRIPT}.gz").write_bytes(gzip.compress(CONTENT, mtime=0))
    (folder / f"{SCRIPT}.br").write_bytes(b"as if by brotli")
    (folder / "assets").mkdir()
    (folder / "assets" / "dot.png").write_bytes(b"\x89PNG")
    (folder / "secret.js").write_text("not in the list")
    files = {
        SCRIPT: {"digest": digest(CONTENT), "forms": ["br", "gz"], "immutable": True},
        "assets/dot.png": {"digest": digest(b"\x89PNG"), "forms": [], "immutable": False},
    }
    entry = {"scripts": [SCRIPT], "styles": ["app.css"]}
    (folder / "viewer.json").write_text(json.dumps({"version": "3.2.1", "entry": entry, "files": files}))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def configured(url: str, **headers: str) -> dict[str, Any]:
    text = httpx.get(f"{url}/viewer/app-config.js", headers=headers).text
    found = re.search(r"window\.config = (\{.*?\n\});", text, re.DOTALL)
    assert found, text
    return dict(json.loads(found[1]))


@pytest.mark.parametrize(
    ("accepted", "coding", "content"),
    [
        ("gzip, deflate, br, zstd", "br", b"as if by brotli"),
        ("gzip", "gzip", gzip.compress(CONTENT, mtime=0)),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.compress(CONTENT, mtime=0)),
        ("identity", None, CONTENT),
        ("", None, CONTENT),
        ("deflate", None, CONTENT),
    ],
)
def test_the_compressed_form_that_is_accepted(
    viewer: str, accepted: str, coding: str | None, content: bytes
) -> None:
    with (
        httpx.Client() as client,
        client.stream("GET", f"{viewer}/viewer/{SCRIPT}", headers={"Accept-Encoding": accepted}) as answer,
    ):
        body = b"".join(answer.iter_raw())
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == coding
    assert int(answer.headers["content-length"]) == len(body)
    if coding == "gzip":
        body, content = gzip.decompress(body), gzip.decompress(content)
    assert body == content
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.headers["cache-control"] == "private, max-age=86400"


def test_each_form_has_a_tag_of_its_own(viewer: str) -> None:
    url = f"{viewer}/viewer/{SCRIPT}"
    tags = {
        httpx.head(url, headers={"Accept-Encoding": coding}).headers["etag"]
        for coding in ("br", "gzip", "identity")
    }
    assert len(tags) == 3
    for tag in tags:
        plain = httpx.get(url, headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
        assert plain.status_code == (304 if tag == f'"{digest(CONTENT)}"' else 200)


def test_a_picture_is_a_picture(viewer: str) -> None:
    answer = httpx.get(f"{viewer}/viewer/assets/dot.png")
    assert (answer.status_code, answer.content) == (200, b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["", "/", "/viewer?StudyInstanceUIDs=1.2", "/segmentation/hilum", "?mrn=1"])
def test_its_own_addresses_are_its_page(viewer: str, path: str) -> None:
    answer = httpx.get(f"{viewer}/viewer{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'src="/viewer/{SCRIPT}"' in answer.text
    assert 'href="/viewer/app.css"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy, "somebody outside is let in"
    again = httpx.get(f"{viewer}/viewer{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["content-security-policy"]) == (304, policy)


@pytest.mark.parametrize(
    "path", ["nothing.js", "secret.js", "viewer.json", f"{SCRIPT}.gz", "%2e%2e/secret.js"]
)
def test_only_what_is_listed_is_given(viewer: str, path: str) -> None:
    answer = httpx.get(f"{viewer}/viewer/{path}")
    assert b"not in the list" not in answer.content
    assert answer.status_code == 404 or "text/html" in answer.headers["content-type"]


def test_the_configuration_points_at_the_archive(viewer: str) -> None:
    config = configured(viewer)
    (source,) = config["dataSources"]
    assert config["routerBasename"] == "/viewer"
    assert config["defaultDataSourceName"] == source["sourceName"]
    for root in ("qidoRoot", "wadoRoot", "wadoUriRoot"):
        assert source["configuration"][root] == f"{viewer}/dicom-web"
    settings = source["configuration"]
    assert settings["omitQuotationForMultipartRequest"] is settings["bulkDataURI"]["enabled"] is True
    assert settings["imageRendering"] == settings["thumbnailRendering"] == "wadors"
    assert settings["stackRetrieveOptions"]["retrieveOptions"]["singleFast"]["chunkSize"] == 32768


def test_behind_a_proxy_it_is_where_the_proxy_says(viewer: str) -> None:
    page = httpx.get(f"{viewer}/viewer/viewer", headers=OUTSIDE).text
    assert f'src="/hilum/viewer/{SCRIPT}"' in page
    script = httpx.get(f"{viewer}/viewer/app-config.js", headers=OUTSIDE).text
    assert 'window.PUBLIC_URL = "/hilum/viewer/";' in script
    config = configured(viewer, **OUTSIDE)
    assert config["routerBasename"] == "/hilum/viewer"
    assert config["dataSources"][0]["configuration"]["wadoRoot"] == "https://pacs.example/hilum/dicom-web"


def test_the_pages_know_whether_it_is_there(viewer: str, filled: str) -> None:
    assert httpx.get(f"{viewer}/api/facts").json()["ohif"] == "3.2.1"
    assert httpx.get(f"{filled}/api/facts").json()["ohif"] == ""


@pytest.mark.parametrize(
    "content", [None, "{", '{"version": "1"}', '{"version": "1", "entry": {}, "files": []}']
)
def test_a_folder_without_a_viewer_is_no_viewer(run: Run, tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "viewer"
    folder.mkdir()
    if content is not None:
        (folder / "viewer.json").write_text(content)
    url = run(Config(data=tmp_path / "data", web=WebConfig(viewer=str(folder))))
    answer = httpx.get(f"{url}/viewer/")
    assert answer.status_code == 404
    assert "make viewer" in answer.json()["hint"]
    assert httpx.get(f"{url}/").status_code == 200

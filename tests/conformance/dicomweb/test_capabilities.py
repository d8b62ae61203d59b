"""What the archive says of itself: OPTIONS as WADL and JSON (PS3.18 8.9), OpenAPI for the rest."""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from dicomweb.operations import DECLARED, operation
from dicomweb.routes import ROUTES
from dicomweb.urls import PREFIX
from pacs.config import Config
from tests.conformance.dicomweb.conftest import packaged, running
from tests.support.factory import ct_series
from tests.support.web_client import Web

WADL = "application/vnd.sun.wadl+xml"
NAMESPACE = "{http://wadl.dev.java.net/2009/02}"
NOT_PAGES = tuple(entry for entry in ROUTES if entry.path.startswith(("/api/", "/healthz", "/readyz")))


def plain(path: str) -> str:
    return re.sub(r":\w+\}", "}", path)


def options(url: str, accept: str) -> httpx.Response:
    answer = httpx.options(url, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


def test_every_route_of_dicomweb_is_told_as_wadl(root: str) -> None:
    answer = options(root, WADL)
    assert answer.headers["content-type"] == WADL
    application = ET.fromstring(answer.content)  # noqa: S314 - our own
    resources = application.find(f"{NAMESPACE}resources")
    assert resources is not None
    assert resources.get("base") == root.removesuffix("dicom-web")
    told = {
        (method.get("name"), "/" + str(resource.get("path")))
        for resource in resources
        for method in resource.iter(f"{NAMESPACE}method")
    }
    assert told == {(e.method, plain(e.path)) for e in ROUTES if e.path.startswith(PREFIX)}
    templates = {p.get("name") for p in resources.iter(f"{NAMESPACE}param") if p.get("style") == "template"}
    assert {"study", "series", "instance", "frames", "workitem", "aetitle"} <= templates


def test_every_route_of_dicomweb_is_told_as_json(root: str) -> None:
    answer = options(root + "/", "application/json")
    told = {
        (method["method"], resource["path"]): method
        for resource in answer.json()["resources"]
        for method in resource["methods"]
    }
    assert told.keys() == {(e.method, plain(e.path)) for e in ROUTES if e.path.startswith(PREFIX)}
    assert all(method["description"] and method["id"] for method in told.values())
    studies = told["GET", "/dicom-web/studies"]
    assert "includefield" in studies["query"]
    assert "application/dicom+json" in studies["provides"]
    assert told["POST", "/dicom-web/workitems"]["accepts"] == [
        "application/dicom+json",
        "application/dicom+xml",
    ]


@pytest.mark.parametrize("kind", ["image", "report"])
def test_what_is_told_can_be_had(root: str, client: httpx.Client, kind: str) -> None:
    """Each media type that an address says it provides is given there, of one object or the other."""
    item = packaged("CT_small.dcm" if kind == "image" else "test-SR.dcm")
    parts = {"study": item.study, "series": item.series, "instance": item.instance, "frames": "1"}
    refused: set[tuple[str, str]] = set()
    for resource in options(root, "application/json").json()["resources"]:
        path = resource["path"].replace("{path}", "7FE00010")
        for method in resource["methods"]:
            if method["method"] != "GET" or "workitem" in path:
                continue
            url = root.removesuffix("/dicom-web") + path.format(**parts)
            for accept in method["provides"]:
                answer = client.get(url, headers={"Accept": accept})
                assert answer.status_code in {200, 404, 406}, f"{url} {accept}"
                if answer.status_code == 200:
                    said = answer.headers["content-type"].partition("; boundary")[0].partition("; charset")[0]
                    assert said.partition(";")[0] == accept.partition(";")[0], url
                else:
                    last = resource["path"].rpartition("/")[2]
                    refused.add((last, accept.partition('type="')[2].rstrip('"') or accept))
    if kind == "image":
        # What is never made, only given of what is stored so.
        compressed = {"image/jpeg", "image/jpx", "image/jxl", "video/mpeg", "video/mp4", "video/H265"}
        written = {"text/html", "text/plain", "application/pdf", "video/mp4"}
        assert refused <= {("{frames}", one) for one in compressed} | {("rendered", one) for one in written}
    else:
        assert {last for last, _ in refused} == {"rendered", "{frames}", "{path}"}
        assert not refused & {("rendered", "text/html"), ("rendered", "text/plain")}


def test_each_resource_tells_of_itself(root: str) -> None:
    answer = options(f"{root}/workitems/1.2.3", "application/json")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    (resource,) = answer.json()["resources"]
    assert [method["method"] for method in resource["methods"]] == ["GET", "POST"]
    for entry in ROUTES:
        path = re.sub(r"\{[^}]+\}", "1", entry.path)
        answer = httpx.options(root.removesuffix("/dicom-web") + path)
        assert answer.status_code == 200, path
        assert entry.method in answer.headers["allow"], path
    assert httpx.options(f"{root}/nothing").status_code == 404
    assert options(root, "*/*").headers["content-type"] == WADL
    assert httpx.options(root, headers={"Accept": "image/png"}).status_code == 406


def test_every_other_route_is_declared() -> None:
    """And every declaration is of a route."""
    assert {(entry.method, entry.path) for entry in NOT_PAGES} == set(DECLARED)
    for entry in ROUTES:
        assert operation(entry).summary


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of an archive with a study in its reading list, and that study."""
    data = tmp_path_factory.mktemp("described")
    with running(Config(data=data)) as url:
        (item,) = ct_series(1, rows=8, columns=8)
        assert Web(f"{url}/dicom-web").store([item]).status == 200
        from pacs.auth.actor import system
        from pacs.reading.arrivals import Arrivals
        from pacs.reading.model import Finding, Run
        from pacs.runtime import open_archive

        archive = open_archive(Config(data=data))
        with archive.db.write() as tx:
            Arrivals().enter(tx, item.study, 1, 1)
        run = Run("1", "model", "1")
        archive.reprioritise.by_findings(system("ai"), item.study, run, [Finding("nodule", 0.5, 0.5)])
        archive.close()
        yield url, item.study


def test_the_openapi_document_is_one(filled: str, client: httpx.Client) -> None:
    document = client.get(f"{filled}/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": filled}]
    told = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert told == {(entry.method, entry.path) for entry in NOT_PAGES}
    ids = [op["operationId"] for methods in document["paths"].values() for op in methods.values()]
    assert len(ids) == len(set(ids))
    for path, methods in document["paths"].items():
        for op in methods.values():
            named = {p["name"] for p in op["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


def test_answers_have_the_form_that_is_told(reading: tuple[str, str], client: httpx.Client) -> None:
    url, study = reading
    document = client.get(f"{url}/api/openapi.json").json()
    asked = 0
    for path, methods in document["paths"].items():
        for method, op in methods.items():
            address = url + path.replace("{study}", study).replace("{priority}", "STAT").replace(
                "{finding}", "1"
            ).replace("{verdict}", "accepted").replace("{run}", "none")
            if "text/event-stream" in op["responses"].get("200", {}).get("content", {}):
                continue
            answer = client.request(method.upper(), address)
            told = op["responses"].get(str(answer.status_code), op["responses"]["default"])
            kind = answer.headers["content-type"]
            assert kind in told.get("content", {}), f"{method} {path}: {answer.status_code} {kind}"
            check(document, told["content"][kind]["schema"], answer.json(), path)
            asked += 1
    assert asked > 15


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """What of JSON Schema our documents use."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        for one in schema["anyOf"]:
            try:
                return check(document, one, value, where)
            except AssertionError:
                continue
        raise AssertionError(f"{where}: {value!r} is none of {schema}")
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
        "array": list, "object": dict,
    }  # fmt: skip
    assert isinstance(value, kinds[schema["type"]]), f"{where}: {value!r} is not {schema}"
    assert value in schema.get("enum", [value]), f"{where}: {value!r}"
    if isinstance(value, list):
        for item in value:
            check(document, schema["items"], item, where)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= value.keys() <= schema["properties"].keys(), f"{where}: {value}"
        for name, inner in value.items():
            check(document, schema["properties"][name], inner, f"{where}.{name}")
    return None

"""The Native DICOM Model (PS3.19 A.1) beside the JSON it says the same as."""

from typing import Any

import httpx
import pytest

from tests.conformance.dicomweb.conftest import packaged
from tests.support import corpus
from tests.support.native import SPACE, document, read
from tests.support.web_client import Web, parts_of, value

CT = packaged("CT_small.dcm")
XML = 'multipart/related; type="application/dicom+xml"'
OBJECTS = corpus.waves()[0]


def ask(client: httpx.Client, url: str, accept: str = XML, **headers: str) -> httpx.Response:
    return client.get(url, headers={"Accept": accept} | headers)


def expected(dataset: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for tag, element in dataset.items():
        number = int(tag, 16)
        name = tag
        if number >> 16 & 1 and number & 0xFFFF >= 0x1000:
            creator = value(dataset, f"{tag[:4]}00{tag[4:6]}")
            name = f"{tag[:4]}00{tag[6:]}{creator}" if creator else tag
        found[name] = {"vr": element["vr"]} | {
            k: _shown(element["vr"], v) for k, v in element.items() if k != "vr"
        }
    return found


def _shown(vr: str, content: Any) -> Any:
    if isinstance(content, str):
        return content
    values = [_one(vr, one) for one in content]
    while values and values[-1] is None:
        values.pop()
    return values


def _one(vr: str, one: Any) -> Any:
    if vr == "SQ":
        return expected(one or {})
    if vr == "PN":
        return {group: name.rstrip("^") for group, name in (one or {}).items() if name}
    return None if one is None else str(one)


def test_metadata_says_the_same_as_in_json(web: Web, client: httpx.Client) -> None:
    for item in OBJECTS:
        url = f"{item.path(web.root)}/metadata"
        (part,) = parts_of(ask(client, url))
        assert part.headers["content-type"] == "application/dicom+xml"
        model = document(part.body)
        assert model.tag == f"{SPACE}NativeDicomModel"
        (dataset,) = web.get(f"{item.path()}/metadata").json()
        assert read(model) == expected(dataset), item.name


def test_keywords_stand_beside_the_tags(root: str, client: httpx.Client) -> None:
    (part,) = parts_of(ask(client, f"{CT.path(root)}/metadata"))
    assert b'<DicomAttribute tag="00100020" keyword="PatientID" vr="LO">' in part.body
    assert b'tag="00090001" privateCreator="GEMS_IDEN_01"' in part.body


@pytest.mark.parametrize("path", ["/studies", "/series", "/instances", f"/studies/{CT.study}/series"])
def test_searches_say_the_same_as_in_json(web: Web, client: httpx.Client, path: str) -> None:
    answer = ask(client, f"{web.root}{path}?includefield=all")
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
    found = [read(document(part.body)) for part in parts_of(answer)]
    assert found == [expected(one) for one in web.search(path, {"includefield": "all"})]


def test_one_data_set_needs_no_parts(root: str, client: httpx.Client) -> None:
    answer = ask(client, f"{CT.path(root)}/metadata", "application/dicom+xml")
    assert answer.headers["content-type"] == "application/dicom+xml"
    assert document(answer.content).tag == f"{SPACE}NativeDicomModel"
    assert ask(client, f"{root}/studies/{CT.study}/metadata", "application/dicom+xml").status_code == 406


def test_nothing_found_has_no_parts(root: str, client: httpx.Client) -> None:
    answer = ask(client, f"{root}/studies?PatientID=nobody", f"{XML}, application/dicom+json;q=0.1")
    assert (answer.status_code, answer.json()) == (200, [])


def test_every_form_has_a_tag_of_its_own(root: str, client: httpx.Client) -> None:
    wanted = ["application/dicom+json", "application/json", "application/dicom+xml", XML]
    url = f"{CT.path(root)}/metadata"
    tags = [ask(client, url, accept).headers["etag"] for accept in wanted]
    assert len(set(tags)) == len(wanted)
    for accept, tag in zip(wanted, tags, strict=True):
        again = ask(client, url, accept, **{"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")

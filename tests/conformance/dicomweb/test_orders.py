"""Orders over HTTP (docs/orders.md)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pacs.config import Config
from pacs.orders.fields import CODE, SECTIONS
from tests.conformance.dicomweb.conftest import running
from tests.support.archive_server import REPOSITORY
from tests.unit.orders.test_read import part10, worklist_item

EXAMPLE = (REPOSITORY / "examples" / "order.json").read_text()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One archive for all: each test goes by the orders it has placed itself."""
    with running(Config(data=tmp_path_factory.mktemp("orders"))) as served:
        yield f"{served}/api/orders"


def numbers(url: str, client: httpx.Client) -> list[int]:
    return [order["number"] for order in client.get(url, params={"limit": "1000"}).json()["orders"]]


def changed(**more: Any) -> str:
    return json.dumps(json.loads(EXAMPLE) | more)


def test_placed_listed_cancelled(url: str, client: httpx.Client) -> None:
    placed = client.post(url, content=EXAMPLE, headers={"Content-Type": "application/json"})
    assert placed.status_code == 201, placed.text
    one = placed.json()
    assert placed.headers["location"] == f"{url}/{one['number']}"
    assert one["state"] == "open"
    assert one["patient"]["name"] == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert client.get(f"{url}/{one['number']}").json() == one
    assert client.get(url, params={"limit": "1"}).json()["orders"] == [one]

    again = client.post(url, content=EXAMPLE)
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    cancelled = client.post(f"{url}/{one['number']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    still = client.get(url, params={"open": "1"}).json()["orders"]
    assert one["number"] not in [order["number"] for order in still]
    assert client.get(url, params={"limit": "1"}).json()["orders"][0]["state"] == "cancelled"
    assert client.post(url, content=EXAMPLE).status_code == 201


def test_page_after_page(url: str, client: httpx.Client) -> None:
    for number in range(5):
        assert client.post(url, content=changed(accession_number=f"A{number}")).status_code == 201
    seen: list[str | None] = []
    below: int | None = 10**9
    while below is not None:
        page = client.get(url, params={"limit": "2", "below": str(below)}).json()
        seen += [order.get("accession_number") for order in page["orders"]]
        below = page["next"]
    found, address = [], f"{url}?limit=2"
    while address:
        answer = client.get(address)
        found += [order.get("accession_number") for order in answer.json()["orders"]]
        address = answer.links.get("next", {}).get("url", "")
        assert not address or address.startswith(f"{url}?")
    assert found == seen
    assert seen[:5] == ["A4", "A3", "A2", "A1", "A0"]
    assert len(seen) == len(numbers(url, client))


def test_every_form_of_it(url: str, client: httpx.Client) -> None:
    sent = client.post(url, content=part10(worklist_item()), headers={"Content-Type": "application/dicom"})
    assert sent.status_code == 201, sent.text
    assert sent.json()["study_uid"] == "1.2.3"
    dataset = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00321060": {"vr": "LO", "Value": ["CT"]},
        "00400100": {
            "vr": "SQ",
            "Value": [
                {
                    "00080060": {"vr": "CS", "Value": ["CT"]},
                    "00400001": {"vr": "AE", "Value": ["CT1"]},
                    "00400002": {"vr": "DA", "Value": ["20260705"]},
                    "00400003": {"vr": "TM", "Value": ["1000"]},
                }
            ],
        },
    }
    headers = {"Content-Type": "application/dicom+json"}
    assert client.post(url, json=dataset, headers=headers).status_code == 201
    del dataset["00100020"]
    refused = client.post(url, json=dataset, headers=headers)
    assert (refused.status_code, refused.json()["detail"]) == (400, "PatientID is missing")


@pytest.mark.parametrize(
    ("content", "kind", "status", "detail"),
    [
        (changed(patient={"id": "P1"}), "application/json", 400, "patient.name is missing"),
        (changed(priority="STAT"), "application/json", 400, "priority is not a field of an order"),
        ("{", "application/json", 400, "the order is not JSON: line 1, column 2"),
        ("<order/>", "application/xml", 415, "an order comes as JSON or as a worklist item"),
        ("x" * ((1 << 20) + 1), "application/json", 413, "the payload has more than 1048576 bytes"),
        ("letter", "application/dicom", 400, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_taken(
    url: str, client: httpx.Client, content: str, kind: str, status: int, detail: str
) -> None:
    before = numbers(url, client)
    answer = client.post(url, content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)
    assert numbers(url, client) == before


@pytest.mark.parametrize(
    ("path", "status"),
    [("/170000", 404), ("/x", 400), ("/-1", 400), ("?limit=0", 400), ("?limit=x", 400), ("?below=x", 400)],
)
def test_what_is_not_there(url: str, client: httpx.Client, path: str, status: int) -> None:
    assert client.get(url + path).status_code == status


def test_the_documentation_names_every_field() -> None:
    text = (REPOSITORY / "docs" / "orders.md").read_text()
    for fields in (*SECTIONS.values(), CODE):
        for field in fields:
            assert f"`{field.name}`" in text, field.name
            assert field.keyword in text, field.keyword

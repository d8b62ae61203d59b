"""Whatever is asked of what OpenAPI describes, and of the worklist service, the archive knows an answer."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.workitems import Worklist, step

MANY = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
# What HTTP itself lets into an address or a header.
ODD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=24)
HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=24)
LIKELY = st.sampled_from(
    ["", "0", "1", "-1", "now", "1.2.3", "x" * 70, "9" * 19, "9" * 30, "1.2", "*", "\\", "%", "a,b"]
)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
TAG = st.sampled_from(
    ["00100010", "00100020", "00741000", "00081195", "00741002", "00404005", "0040A370", "ffffffff"]
)
ELEMENT = st.fixed_dictionaries(
    {},
    optional={
        "vr": st.sampled_from(["PN", "LO", "SQ", "DT", "CS", "UN", "US", "XX", None, 1]),
        "Value": st.none() | st.lists(JSONISH, max_size=3) | st.text(max_size=3),
        "InlineBinary": st.text(max_size=4) | st.integers(),
    },
)
DATASET = st.dictionaries(TAG | st.text(max_size=8), ELEMENT | JSONISH, max_size=4)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("robust"))) as url:
        Worklist(f"{url}/dicom-web").make("1.2.3")
        yield url


@pytest.fixture(scope="module")
def operations(url: str) -> list[tuple[str, str, dict[str, Any]]]:
    document = httpx.get(f"{url}/api/openapi.json").json()
    return [
        (method.upper(), path, op)
        for path, methods in document["paths"].items()
        for method, op in methods.items()
        if "text/event-stream" not in op["responses"].get("200", {}).get("content", {})
    ]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


@MANY
@given(data=st.data())
def test_no_request_to_what_is_described_is_beyond_an_answer(
    url: str, operations: list[tuple[str, str, dict[str, Any]]], client: httpx.Client, data: st.DataObject
) -> None:
    method, path, op = data.draw(st.sampled_from(operations))
    filled = re.sub(r"\{\w+\}", lambda _: quote(data.draw(ODD | LIKELY) or "1", safe=""), path)
    asked = {
        p["name"]: data.draw(ODD | LIKELY)
        for p in op["parameters"]
        if p["in"] == "query" and data.draw(st.booleans())
    }
    headers = {"Accept": data.draw(HEADER)} if data.draw(st.booleans()) else {}
    body = data.draw(st.none() | st.binary(max_size=50) | JSONISH.map(lambda v: json.dumps(v).encode()))
    answer = client.request(method, url + filled, params=asked, headers=headers, content=body)
    assert answer.status_code < 500, f"{method} {filled} {asked}: {answer.text}"


@pytest.mark.parametrize("number", [2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**19 - 1, 10**40])
def test_no_number_is_beyond_an_answer(
    url: str, operations: list[tuple[str, str, dict[str, Any]]], client: httpx.Client, number: int
) -> None:
    asked = 0
    for method, path, op in operations:
        named = [p for p in op["parameters"] if p["schema"].get("type") == "integer"]
        for parameter in named:
            within = number <= parameter["schema"]["maximum"]
            filled = path.replace(f"{{{parameter['name']}}}", str(number)).replace("{verdict}", "accepted")
            query = {parameter["name"]: number} if parameter["in"] == "query" else None
            answer = client.request(method, url + filled, params=query)
            assert answer.status_code in ({200, 404} if within else {400}), f"{path}: {answer.text}"
            asked += 1
    assert asked > 10
    after = client.get(f"{url}/api/worklist", params={"after": f"{number}.1.2"})
    assert after.status_code == (200 if number < 2**63 else 400)
    assert client.get(f"{url}/api/worklist/events", params={"since": 2**63}).status_code == 400


@MANY
@given(made=DATASET | JSONISH, good=st.booleans(), where=st.integers(0, 3), asked=ODD | LIKELY)
def test_no_workitem_is_beyond_an_answer(
    url: str, client: httpx.Client, *, made: Any, good: bool, where: int, asked: str
) -> None:
    if good and isinstance(made, dict):
        made = step() | made
    at = ("/workitems", "/workitems/1.2.3", "/workitems/1.2.3/state", "/workitems/1.2.3/cancelrequest")[where]
    headers = {"Content-Type": "application/dicom+json"}
    method = "PUT" if where == 2 else "POST"
    query = "?" + quote(asked, safe="") if where < 2 else ""
    answer = client.request(
        method, f"{url}/dicom-web{at}{query}", content=json.dumps([made]), headers=headers
    )
    assert answer.status_code < 500, answer.text
    assert client.get(f"{url}/dicom-web/workitems").status_code in {200, 204, 206}


@MANY
@given(
    key=st.sampled_from(["PatientName", "00741000", "ScheduledProcedureStepStartDateTime", "limit", "offset"])
    | st.sampled_from(["includefield", "filter", "ReferencedRequestSequence.00080050", "PatientBirthDate"])
    | ODD,
    value=ODD | LIKELY,
)
def test_no_search_or_filter_is_beyond_an_answer(
    url: str, client: httpx.Client, key: str, value: str
) -> None:
    answer = client.get(f"{url}/dicom-web/workitems", params={key: value})
    assert answer.status_code < 500, answer.text
    filtered = f"{url}/dicom-web/workitems/1.2.840.10008.5.1.4.34.5.1/subscribers/AET"
    assert client.post(filtered, params={"filter": f"{key}={value}"}).status_code < 500

"""STOW-RS of metadata and bulk data: what the archive describes, it takes back (PS3.18 10.5, F; PS3.19 A)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support import corpus
from tests.support.described import (
    JSON,
    XML,
    DataSet,
    addresses,
    as_xml_has_it,
    fetched,
    metadata_of,
    renamed,
    send,
    shown_as,
)
from tests.support.factory import fresh_uid
from tests.support.web_client import Web, value

BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", BIG_ENDIAN, DEFLATED}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("described"))) as url:
        assert Web(f"{url}/dicom-web").store(corpus.waves()[0]).status == 200
        yield url


@pytest.fixture
def root(url: str) -> str:
    return f"{url}/dicom-web"


def ct(**more: Any) -> DataSet:
    """A small CT image without pixel data."""
    uids = {tag: {"vr": "UI", "Value": [fresh_uid()]} for tag in ("0020000D", "0020000E", "00080018")}
    return {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00100020": {"vr": "LO", "Value": ["SYN-9"]},
        "00280002": {"vr": "US", "Value": [1]},
        "00280010": {"vr": "US", "Value": [2]},
        "00280011": {"vr": "US", "Value": [2]},
        "00280100": {"vr": "US", "Value": [8]},
        **uids,
        **more,
    }


def key_of(dataset: DataSet) -> str:
    study, series, instance = (dataset[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    return f"/studies/{study}/series/{series}/instances/{instance}"


def kept(client: httpx.Client, root: str, dataset: DataSet) -> DataSet:
    answer = client.get(root + key_of(dataset) + "/metadata", headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()[0])


def refusal(answer: httpx.Response) -> int:
    assert answer.status_code == 409, answer.text
    return int(value(answer.json()["00081198"]["Value"][0], "00081197"))


@pytest.mark.parametrize("form", [JSON, XML])
def test_what_is_described_is_taken_back(root: str, client: httpx.Client, form: str) -> None:
    """Every packaged file, its metadata and bulk data sent again under other UIDs: the same data set."""
    wrong: list[tuple[Any, ...]] = []
    items = corpus.waves()[0]
    assert len(items) > 30
    for item in items:
        before = metadata_of(client, root, item)
        syntax = "" if item.transfer_syntax in NATIVE else item.transfer_syntax
        bulk = fetched(client, before, syntax)
        again = renamed(before)
        answer = send(client, root, [again], bulk, form=form)
        if answer.status_code != 200:
            wrong.append((item.name, answer.text[:300], answer.headers.get("warning")))
            continue
        after = kept(client, root, again)
        found = shown_as(after, before)
        if form == XML:
            before, found = as_xml_has_it(before), as_xml_has_it(found)
        if found != before:
            wrong.append((item.name, *_first_difference(before, found)))
            continue
        values = [client.get(address).content for address in addresses(after)]
        if values != [one.body for one in bulk]:
            wrong.append((item.name, "bulk data"))
    assert not wrong, "\n".join(map(str, wrong))


def _first_difference(one: Any, other: Any) -> tuple[Any, ...]:
    return next(
        ((tag, one.get(tag), other.get(tag)) for tag in {*one, *other} if one.get(tag) != other.get(tag)), ()
    )

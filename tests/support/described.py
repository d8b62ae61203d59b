"""Instances as a client describes them: DICOM JSON or native XML with bulk data beside (PS3.18 10.5)."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from dicomweb import native
from tests.support.dicom_object import DicomObject
from tests.support.factory import fresh_uid

JSON, XML = "application/dicom+json", "application/dicom+xml"
OCTETS = "application/octet-stream"
UIDS = ("0020000D", "0020000E", "00080018")
DataSet = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bulk:
    """One part; `kind` is its Content-Type."""

    location: str
    body: bytes
    kind: str = OCTETS


def request(metadata: Sequence[tuple[str, bytes]], bulk: Iterable[Bulk], boundary: str) -> bytes:
    pieces = [f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + text for kind, text in metadata]
    pieces += [
        f"--{boundary}\r\nContent-Type: {one.kind}\r\nContent-Location: {one.location}\r\n\r\n".encode()
        + one.body
        for one in bulk
    ]
    return b"".join(piece + b"\r\n" for piece in pieces) + f"--{boundary}--\r\n".encode()


def send(
    client: httpx.Client,
    root: str,
    datasets: Sequence[DataSet],
    bulk: Iterable[Bulk] = (),
    *,
    form: str = JSON,
    study: str = "",
    accept: str = JSON,
) -> httpx.Response:
    """All of them in one request."""
    boundary = secrets.token_hex(16)
    if form == JSON:
        metadata = [(JSON, json.dumps(list(datasets)).encode())]
    else:
        metadata = [(XML, native.document(dataset)) for dataset in datasets]
    kind = f'multipart/related; type="{form}"; boundary={boundary}'
    return client.post(
        f"{root}/studies" + (f"/{study}" if study else ""),
        content=request(metadata, bulk, boundary),
        headers={"Content-Type": kind, "Accept": accept},
    )


def metadata_of(client: httpx.Client, root: str, item: DicomObject) -> DataSet:
    answer = client.get(item.path(root) + "/metadata", headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()[0])


def addresses(dataset: Mapping[str, Any]) -> Iterator[str]:
    for element in dataset.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        if element["vr"] == "SQ":
            for item in element.get("Value", ()):
                yield from addresses(item)


def fetched(client: httpx.Client, dataset: DataSet, syntax: str) -> list[Bulk]:
    """Every value that the metadata only names."""
    found = []
    for address in addresses(dataset):
        answer = client.get(address, headers={"Accept": "*/*"})
        assert answer.status_code == 200, f"{address} {answer.status_code} {answer.text[:200]}"
        pixels = address.endswith("7FE00010") and syntax
        kind = f"{OCTETS}; transfer-syntax={syntax}" if pixels else OCTETS
        found.append(Bulk(address, answer.content, kind))
    return found


def renamed(dataset: DataSet) -> DataSet:
    """The same object under UIDs of its own."""
    fresh = {tag: {"vr": "UI", "Value": [fresh_uid()]} for tag in UIDS}
    return {**dataset, **fresh}


def shown_as(dataset: DataSet, other: DataSet) -> DataSet:
    """With the UIDs, and so the addresses, of the other."""
    text = json.dumps(dataset, sort_keys=True)
    for tag in UIDS:
        text = text.replace(dataset[tag]["Value"][0], other[tag]["Value"][0])
    return dict(json.loads(text))


def as_xml_has_it(value: Any) -> Any:
    """The native model has no place for empty values and name components at the end (PS3.19 A.1)."""
    if isinstance(value, list):
        while value and value[-1] in (None, {}):
            value = value[:-1]
        return [as_xml_has_it(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: as_xml_has_it(inner) for name, inner in value.items()}
    if "Alphabetic" in kept:
        names = {group: text.rstrip("^") for group, text in kept.items()}
        return {group: text for group, text in names.items() if text}
    if kept.get("vr") == "PN" and not any(kept.get("Value", ())):
        kept.pop("Value", None)
    return {name: inner for name, inner in kept.items() if not (name == "Value" and inner == [])}

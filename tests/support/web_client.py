"""httpx as an independent DICOMweb peer, with a strict multipart reader of its own."""

import hashlib
import re
import secrets
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.factory import chunks

TIMEOUT = httpx.Timeout(120.0, connect=10.0)
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used: loading the machine's roots takes 20 ms
JSON = "application/dicom+json"
ANY_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass(frozen=True, slots=True)
class Part:
    headers: Mapping[str, str]
    body: bytes


def multipart(bodies: Iterable[bytes], boundary: str, kind: str = "application/dicom") -> Iterator[bytes]:
    """The body of a multipart/related request, piece by piece (RFC 2387)."""
    for body in bodies:
        yield f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode()
        yield body
    yield f"\r\n--{boundary}--\r\n".encode()


def file_multipart(path: Path, boundary: str) -> Iterator[bytes]:
    """The same for one file, streamed."""
    yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    yield from chunks(path)
    yield f"\r\n--{boundary}--\r\n".encode()


def parts_of(response: httpx.Response) -> list[Part]:
    """The parts of a multipart answer. Anything out of form fails."""
    content_type = response.headers["content-type"]
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    assert match, content_type
    assert content_type.lower().startswith("multipart/related"), content_type
    delimiter = b"--" + match[1].encode()
    body = b"\r\n" + response.content if response.content.startswith(delimiter) else response.content
    first, *rest, last = body.split(b"\r\n" + delimiter)
    assert first == b"", "a preamble before the first part"
    assert last.rstrip(b"\r\n") == b"--", "no final delimiter"
    found = []
    for raw in rest:
        head, separator, content = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        assert separator, "a part without headers"
        lines = [line.split(": ", 1) for line in head.decode("ascii").split("\r\n") if line]
        found.append(Part({name.lower(): value for name, value in lines}, content))
    return found


def digests_of(parts: Iterable[Part]) -> list[str]:
    """The digest of each part's data set, file meta information aside."""
    return [hashlib.sha256(dataset_of(part.body)).hexdigest() for part in parts]


@dataclass(frozen=True, slots=True)
class StowAnswer:
    """What the archive said to a STOW request, by SOP Instance UID."""

    status: int
    stored: frozenset[str]
    failed: Mapping[str, int]
    warnings: Mapping[str, int] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Web:
    """One HTTP client of one DICOMweb root."""

    root: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> httpx.Client:
        return httpx.Client(timeout=TIMEOUT, headers=dict(self.headers), verify=PLAIN)

    def get(self, path: str, accept: str = JSON, **more: Any) -> httpx.Response:
        with self.open() as client:
            return client.get(self.root + path, headers={"Accept": accept}, **more)

    def search(
        self, path: str, params: Sequence[tuple[str, str]] | Mapping[str, str] = ()
    ) -> list[dict[str, Any]]:
        """A QIDO-RS answer; 204 is an empty one."""
        answer = self.get(path, params=list(params.items()) if isinstance(params, Mapping) else list(params))
        assert answer.status_code in {200, 204}, f"{answer.status_code} {answer.text[:500]}"
        return list(answer.json()) if answer.status_code == 200 else []

    def store(self, objects: Iterable[DicomObject], study: str = "") -> StowAnswer:
        return self.store_bytes((item.part10() for item in objects), study)

    def store_bytes(self, bodies: Iterable[bytes], study: str = "") -> StowAnswer:
        boundary = secrets.token_hex(16)
        return self._post(study, multipart(bodies, boundary), boundary)

    def store_file(self, path: Path, study: str = "") -> StowAnswer:
        boundary = secrets.token_hex(16)
        return self._post(study, file_multipart(path, boundary), boundary)

    def _post(self, study: str, content: Iterable[bytes], boundary: str) -> StowAnswer:
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        with self.open() as client:
            answer = client.post(
                f"{self.root}/studies" + (f"/{study}" if study else ""),
                content=content,
                headers={"Content-Type": kind, "Accept": JSON},
            )
        return stow_answer(answer)

    def objects(self, path: str) -> list[Part]:
        """The stored objects of a study, series or instance, in their stored transfer syntax."""
        answer = self.get(path, ANY_SYNTAX)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
        return parts_of(answer)


def stow_answer(answer: httpx.Response) -> StowAnswer:
    """PS3.18 10.5.3: the store instances response."""
    if answer.status_code not in {200, 202, 409} or not answer.headers.get("content-type", "").startswith(
        JSON
    ):
        return StowAnswer(answer.status_code, frozenset(), {}, text=answer.text)
    body = answer.json()
    items = body.get("00081199", {}).get("Value", [])
    failures = body.get("00081198", {}).get("Value", [])
    return StowAnswer(
        answer.status_code,
        frozenset(value(item, "00081155") for item in items),
        {value(item, "00081155"): int(value(item, "00081197")) for item in failures},
        {value(item, "00081155"): int(value(item, "00081196")) for item in items if "00081196" in item},
        answer.text,
    )


def value(item: Mapping[str, Any], tag: str) -> Any:
    """The first value of an attribute of the DICOM JSON Model, or an empty string."""
    values = item.get(tag, {}).get("Value") or [""]
    return values[0]


def values(item: Mapping[str, Any], tag: str) -> list[Any]:
    return list(item.get(tag, {}).get("Value") or [])

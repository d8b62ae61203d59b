"""One question in every spelling of Accept and Content-Type has one answer (PS3.18 8.7, RFC 9110 12.5.1)."""

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, fresh_uid
from tests.support.pictures import noise, picture
from tests.support.web_client import Web, parts_of, value

EXPLICIT, HTJ2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.202"
DICOM, OCTETS, JSON = "application/dicom", "application/octet-stream", "application/dicom+json"
HOSTILE = b"\r\n\r\n--\r\n--b--\r\nContent-Type: application/dicom\r\n\r\n--" + b"\r\n--" * 20


@dataclass(frozen=True, slots=True)
class Room:
    root: str
    data: Path
    series: tuple[DicomObject, ...]
    compressed: DicomObject


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    data = tmp_path_factory.mktemp("spellings")
    with running(Config(data=data)) as url:
        series, compressed = ct_series(3, rows=8, columns=8), picture(noise(2, 8, 8), syntax=HTJ2K)
        assert Web(f"{url}/dicom-web").store([*series, compressed]).status == 200
        yield Room(f"{url}/dicom-web", data, series, compressed)


def ask(url: str, accept: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept, **headers}, timeout=30)


def multipart_spellings(kind: str, syntax: str = "") -> list[str]:
    """The same media range as clients and libraries write it."""
    more = f"; transfer-syntax={syntax}" if syntax else ""
    quoted = f'; transfer-syntax="{syntax}"' if syntax else ""
    return [
        f'multipart/related; type="{kind}"{more}',
        f"multipart/related; type={kind}{more}",
        f'multipart/related;type="{kind}"{more.replace(" ", "")}',
        f'multipart/related{more}; type="{kind}"',
        f'Multipart/Related; Type="{kind.upper()}"{more.replace("transfer", "Transfer")}',
        f'multipart/related ;  type="{kind}"{quoted}',
        f'multipart/related; type="{kind}"{more} , text/html;q=0.1',
        f'multipart/related; type="{kind}"{more};q=1.0',
    ]


@pytest.mark.parametrize(
    ("path", "kind", "syntax"),
    [
        ("/studies/{study}", DICOM, ""),
        ("/studies/{study}/series/{series}", DICOM, "*"),
        ("{instance}", DICOM, EXPLICIT),
        ("{instance}/frames/1", OCTETS, "*"),
        ("{instance}/frames/1,2", OCTETS, ""),
        ("{instance}/frames/2", "image/jphc", HTJ2K),
        ("{instance}/bulkdata/00091001", OCTETS, ""),
        ("{instance}/frames/1,2/rendered", "image/png", ""),
        ("{instance}/metadata", "application/dicom+xml", ""),
    ],
)
def test_spellings_of_a_multipart_have_one_answer(room: Room, path: str, kind: str, syntax: str) -> None:
    item = room.compressed
    if "bulkdata" in path:
        path, item = "{instance}/bulkdata/7FE00010", room.series[0]
    url = room.root + path.format(study=item.study, series=item.series, instance=item.path())
    answers = [ask(url, accept) for accept in multipart_spellings(kind, syntax)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({(answer.headers["content-type"], answer.content) for answer in answers}) == 1
    assert parts_of(answers[0])
    for parameter in multipart_spellings(kind, syntax):
        by_address = ask(f"{url}?accept={quote(parameter, safe='')}", "text/html")
        assert (by_address.status_code, by_address.content) == (200, answers[0].content)


@pytest.mark.parametrize(
    "accept",
    [
        JSON,
        "application/json",
        "*/*",
        "*",
        "application/*",
        "Application/DICOM+JSON",
        f"{JSON}; charset=utf-8",
        f"{JSON}, multipart/related; type=application/octet-stream; transfer-syntax=*",
        f'multipart/related; type="application/octet-stream"; transfer-syntax=*, {JSON};q=0.9',
        f"text/html;q=0.9,{JSON};q=0.8",
    ],
)
@pytest.mark.parametrize(
    "path", ["/studies", "/studies/{study}/series", "{instance}/metadata", "/studies/{study}/metadata"]
)
def test_spellings_of_json_have_one_answer(room: Room, path: str, accept: str) -> None:
    item = room.series[0]
    url = room.root + path.format(study=item.study, instance=item.path())
    answer, plain = ask(url, accept), ask(url, JSON)
    assert answer.status_code == 200
    assert answer.json() == plain.json()
    assert answer.headers["content-type"] == ("application/json" if accept == "application/json" else JSON)


def test_nothing_said_is_as_good_as_anything(room: Room) -> None:
    """A request without any Accept, which an HTTP library hardly lets one send."""
    item = room.series[0]
    for path in ("/studies", item.path() + "/metadata", item.path(), item.path() + "/rendered"):
        url = urlsplit(room.root + path)
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
        connection.putrequest("GET", url.path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        said = ask(room.root + path, "*/*", **{"Accept-Encoding": "identity"})
        assert (answer.status, answer.read()) == (200, said.content)
        assert answer.headers["content-type"] == said.headers["content-type"]
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/studies",
        "/studies/{study}",
        "/studies/{study}/metadata",
        "{instance}",
        "{instance}/frames/1",
        "{instance}/bulkdata/7FE00010",
        "{instance}/rendered",
        "{instance}/thumbnail",
    ],
)
@pytest.mark.parametrize(
    "accept",
    [
        "text/csv", "garbage", "a/b/c", ";;;", "*/*;q=0", "text/*, video/*", "*/*;q=2", "*/*;q=many",
        '*/*; a="open', "a/b;" * 4000,
    ],
)  # fmt: skip
def test_what_cannot_be_given_is_406_in_words(room: Room, path: str, accept: str) -> None:
    item = room.series[0]
    answer = ask(room.root + path.format(study=item.study, instance=item.path()), accept)
    assert answer.status_code == 406
    assert "can be given" in answer.json()["hint"]


@pytest.mark.parametrize("path", ["/studies/{study}", "/studies/{study}/series/{series}"])
@pytest.mark.parametrize("accept", [DICOM, f"{DICOM}; transfer-syntax=*", f"{DICOM}, image/png"])
def test_several_instances_are_never_one_part(room: Room, path: str, accept: str) -> None:
    item = room.series[0]
    assert ask(room.root + path.format(study=item.study, series=item.series), accept).status_code == 406


def test_parts_are_alike_and_hold_what_looks_like_a_boundary(room: Room) -> None:
    pixels = (HOSTILE * 2)[:128]
    items = [replace(one, dataset=one.dataset[:-128] + pixels) for one in ct_series(3, rows=8, columns=8)]
    assert HOSTILE[:60] in items[0].dataset
    assert Web(room.root).store(items).status == 200
    study = f"{room.root}/studies/{items[0].study}"
    answer = ask(study, f'multipart/related; type="{DICOM}"')
    parts = parts_of(answer)
    assert sorted(part.body for part in parts) == sorted(item.part10() for item in items)
    assert len({tuple(part.headers) for part in parts}) == 1
    frames = ask(f"{items[0].path(room.root)}/frames/1,1", f"multipart/related; type={OCTETS}")
    assert [part.body for part in parts_of(frames)] == [pixels] * 2
    for one in (answer, frames):
        boundary = one.headers["content-type"].partition("boundary=")[2]
        assert one.content.startswith((b"--" + boundary.encode(), b"\r\n--" + boundary.encode()))
        assert one.content.rstrip(b"\r\n").endswith(f"\r\n--{boundary}--".encode())
        assert one.content.index(b"\r\n\r\n", 2) < 1000
        assert re.search(rb"\r\nContent-Type: [a-z/-]+; ?transfer-syntax=[0-9.]+\r\n", one.content)


def test_a_multipart_of_nothing_is_never_sent(room: Room) -> None:
    """Neither of what there is not, nor of what is there and cannot be read."""
    lost = ct_series(2, rows=8, columns=8)
    assert Web(room.root).store(lost).status == 200
    for item in lost:
        for file in room.data.rglob(f"{item.instance}*.dcm"):
            file.unlink()
    for study in (lost[0].study, fresh_uid()):
        for accept in (f'multipart/related; type="{DICOM}"', "*/*", "application/zip"):
            answer = ask(f"{room.root}/studies/{study}", accept)
            assert answer.status_code == 404, (accept, answer.headers)
            assert answer.headers["content-type"] == "application/problem+json"


# -- what is sent -------------------------------------------------------------------------------


def post(room: Room, content: bytes, kind: str, **headers: str) -> httpx.Response:
    url = f"{room.root}/studies"
    return httpx.post(url, content=content, headers={"Content-Type": kind, **headers}, timeout=30)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        b"content-type:application/dicom",
        b'Content-Type: Application/DICOM; transfer-syntax="1.2.840.10008.1.2.1"; x=y',
        b"Content-Type: application/dicom\r\nContent-Length: 17\r\nMIME-Version: 1.0\r\nContent-ID: <1@x>",
        b"MIME-Version: 1.0",
    ],
)
def test_headers_of_a_part(room: Room, head: bytes) -> None:
    """What stands there besides is for others; where a part ends, its boundary alone tells."""
    item = ct_series(1, rows=8, columns=8)[0]
    body = b"--b\r\n" + head + b"\r\n\r\n" + item.part10() + b"\r\n--b--"
    answer = post(room, body, 'multipart/related; type="application/dicom"; boundary=b')
    assert answer.status_code == 200, answer.text
    (part,) = Web(room.root).objects(item.path())
    assert part.body == item.part10()


@pytest.mark.parametrize("accept", ["", "*/*", JSON, f"{JSON}, application/dicom+xml;q=0.5"])
def test_the_answer_to_a_store_has_no_charset_whatever_became_of_it(room: Room, accept: str) -> None:
    good, bad = ct_series(1, rows=8, columns=8)[0].part10(), b"no object"
    for bodies, status in (([good], 200), ([good, bad], 202), ([bad], 409)):
        body = b"".join(b"--b\r\n\r\n" + one + b"\r\n" for one in bodies) + b"--b--"
        answer = post(room, body, "multipart/related; type=application/dicom; boundary=b", Accept=accept)
        assert answer.status_code == status
        assert answer.headers["content-type"] == JSON
        assert ("00081198" in answer.json()) == (status != 200)
        assert ("00081199" in answer.json()) == (status != 409)
        if status != 200:
            (failed,) = answer.json()["00081198"]["Value"]
            assert value(failed, "00081197") == 0xC000

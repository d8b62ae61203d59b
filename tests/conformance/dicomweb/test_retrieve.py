"""WADO-RS: objects, metadata, frames and bulk data as clients ask for them (PS3.18 10.4)."""

import re
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run, packaged
from tests.support import corpus
from tests.support.dicom_object import DicomObject
from tests.support.factory import large_file
from tests.support.web_client import Web, digests_of, parts_of, value

OBJECTS = corpus.waves()[0]
CT = packaged("CT_small.dcm")
JPEG = packaged("SC_rgb_jpeg.dcm")
BIG_ENDIAN = next(item for item in corpus.objects() if item.name.endswith("MR_small_bigendian.dcm"))
REPORT = packaged("test-SR.dcm")
JPEG_UID = JPEG.transfer_syntax
EXPLICIT = "1.2.840.10008.1.2.1"
DICOM = 'multipart/related; type="application/dicom"'


def ask(client: httpx.Client, url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return client.get(url, headers={"Accept": accept} | headers)


def test_all_comes_back_as_it_went_in(web: Web) -> None:
    for item in OBJECTS:
        (part,) = web.objects(item.path())
        assert digests_of([part]) == [item.digest], item.name
        assert part.headers == {"content-type": f"application/dicom;transfer-syntax={item.transfer_syntax}"}


@pytest.mark.parametrize("level", ["study", "series"])
def test_whole_studies_and_series(web: Web, level: str) -> None:
    several = packaged("CT5N/2062") if any(i.name.endswith("CT5N/2062") for i in OBJECTS) else CT
    same = [item for item in OBJECTS if getattr(item, level) == getattr(several, level)]
    path = f"/studies/{several.study}" + (f"/series/{several.series}" if level == "series" else "")
    answer = web.get(path, DICOM + "; transfer-syntax=*")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert sorted(digests_of(parts_of(answer))) == sorted(item.digest for item in same)


def test_one_instance_by_itself(root: str, client: httpx.Client) -> None:
    answer = ask(client, CT.path(root), "application/dicom")
    assert answer.headers["content-type"] == f"application/dicom;transfer-syntax={EXPLICIT}"
    assert answer.content == CT.part10()
    assert int(answer.headers["content-length"]) == len(answer.content)
    again = ask(client, CT.path(root), "application/dicom", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (DICOM, 200),
        ("multipart/related; type=application/dicom; transfer-syntax=*", 200),
        (f"{DICOM}; transfer-syntax={JPEG_UID}", 200),
        (f"{DICOM}; transfer-syntax={EXPLICIT}", 200),
        (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.51", 406),
        (f"{DICOM}; transfer-syntax={EXPLICIT}, {DICOM}; transfer-syntax=*; q=0.1", 200),
        ("application/dicom", 200),
        ("*/*", 200),
        ("image/jpeg", 406),
        ("application/dicom+xml", 406),
    ],
)
def test_accept_of_an_instance(root: str, client: httpx.Client, accept: str, status: int) -> None:
    answer = ask(client, JPEG.path(root), accept)
    assert answer.status_code == status
    if status == 406:
        assert "application/dicom" in answer.json()["hint"]


def test_a_study_is_never_one_part(root: str, client: httpx.Client) -> None:
    assert ask(client, f"{root}/studies/{CT.study}", "application/dicom").status_code == 406


@pytest.mark.parametrize(
    "below", ["", "/metadata", "/series/1", "/series/1/metadata", "/series/1/instances/2"]
)
@pytest.mark.parametrize("study", ["1.2.3.4", CT.study])
def test_nothing_is_404(root: str, client: httpx.Client, study: str, below: str) -> None:
    if study == CT.study and below in {"", "/metadata"}:
        return
    answer = ask(client, f"{root}/studies/{study}{below}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_head(root: str, client: httpx.Client) -> None:
    for path in ("", "/metadata", "/frames/1"):
        head, get = client.head(CT.path(root) + path), client.get(CT.path(root) + path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    "accept",
    [
        "application/dicom+json",
        "application/json",
        "*/*",
        "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
    ],
)
def test_metadata(root: str, client: httpx.Client, accept: str) -> None:
    for path in (f"/studies/{CT.study}", f"/studies/{CT.study}/series/{CT.series}", CT.path()):
        answer = ask(client, f"{root}{path}/metadata", accept)
        assert answer.status_code == 200
        assert "charset" not in answer.headers["content-type"]
        by_uid = {value(one, "00080018"): one for one in answer.json()}
        assert by_uid[CT.instance]["00280010"] == {"vr": "US", "Value": [128]}


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item.name)
def test_what_it_is_stored_in_is_told_with_every_instance(web: Web, item: DicomObject) -> None:
    """Viewers look for it in (0008,3002), as group 0002 is in no metadata (PS3.18 F.2.2)."""
    answers = [web.get(f"{path}/metadata").json() for path in (item.path(), f"/studies/{item.study}")]
    answers.append(web.search("/instances", {"SOPInstanceUID": item.instance}))
    for answer in answers:
        (found,) = (one for one in answer if value(one, "00080018") == item.instance)
        assert found["00083002"] == {"vr": "UI", "Value": [item.transfer_syntax]}
        assert list(found) == sorted(found)
        assert not any(tag.startswith("0002") for tag in found)


def uris(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["BulkDataURI"]] if "BulkDataURI" in value else []
        return own + [uri for inner in value.values() for uri in uris(inner)]
    return [uri for inner in value for uri in uris(inner)] if isinstance(value, list) else []


def test_every_bulk_data_uri_answers(web: Web, client: httpx.Client) -> None:
    seen = 0
    for item in OBJECTS:
        for uri in uris(web.get(f"{item.path()}/metadata").json()):
            answer = client.head(uri)
            assert answer.status_code == 200, (item.name, uri)
            seen += 1
    assert seen > len(OBJECTS) // 2


def test_ranges_of_bulk_data(root: str, client: httpx.Client) -> None:
    uri = f"{CT.path(root)}/bulkdata/7FE00010"
    whole = ask(client, uri)
    assert (whole.headers["content-type"], whole.headers["accept-ranges"]) == (
        "application/octet-stream",
        "bytes",
    )
    assert len(whole.content) == 128 * 128 * 2
    for asked, part in (("0-", whole.content), ("-1", whole.content[-1:]), ("10-19", whole.content[10:20])):
        answer = ask(client, uri, Range=f"bytes={asked}")
        assert answer.status_code == 206
        assert answer.content == part
        assert answer.headers["content-range"].endswith(f"/{len(whole.content)}")
    beyond = ask(client, uri, Range="bytes=32768-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */32768")
    several = ask(client, uri, Range="bytes=0-1,10-19")
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert b"Content-Range: bytes 10-19/32768\r\n\r\n" + whole.content[10:20] in several.content
    (part_,) = parts_of(ask(client, uri, "multipart/related; type=application/octet-stream"))
    assert part_.body == whole.content
    again = ask(client, uri, **{"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ask(client, uri, Range="bytes=0-9", **{"If-Range": whole.headers["etag"]}).status_code == 206
    assert ask(client, uri, Range="bytes=0-9", **{"If-Range": '"other"'}).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("00100011", 404), ("x", 400), ("7FE00010/1", 400)])
def test_bulk_data_that_is_not_there(root: str, client: httpx.Client, path: str, status: int) -> None:
    assert ask(client, f"{CT.path(root)}/bulkdata/{path}").status_code == status


FRAMES = [
    (CT, "application/octet-stream", 200),
    (CT, "*/*", 200),
    (CT, "multipart/related; type=application/octet-stream", 200),
    (CT, 'multipart/related; type="application/octet-stream"; transfer-syntax=*', 200),
    (CT, f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}", 200),
    (CT, f"multipart/related; type=application/octet-stream; transfer-syntax={JPEG_UID}", 406),
    (CT, "multipart/related; type=image/jpeg", 406),
    (JPEG, "application/octet-stream", 200),
    (JPEG, "application/octet-stream; transfer-syntax=*", 200),
    (JPEG, "multipart/related; type=application/octet-stream", 200),
    (JPEG, "multipart/related; type=application/octet-stream; transfer-syntax=*", 200),
    (JPEG, f"multipart/related; type=application/octet-stream; transfer-syntax={JPEG_UID}", 200),
    (JPEG, "multipart/related; type=image/jpeg", 200),
    (JPEG, "multipart/related; type=image/png", 406),
    (JPEG, "image/jpeg", 200),
    (JPEG, "image/*", 200),
    (JPEG, "*/*", 200),
    (JPEG, "", 200),
]


@pytest.mark.parametrize(
    ("item", "accept", "status"), FRAMES, ids=lambda value: getattr(value, "name", str(value))
)
def test_accept_of_frames(root: str, client: httpx.Client, item: Any, accept: str, status: int) -> None:
    answer = ask(client, f"{item.path(root)}/frames/1", accept)
    assert answer.status_code == status
    if status == 406:
        return
    assert int(answer.headers["content-length"]) == len(answer.content)
    content, kind = answer.content, answer.headers["content-type"]
    if kind.startswith("multipart"):
        assert answer.content.index(b"\r\nContent-Type: ") < 200
        (part,) = parts_of(answer)
        content, kind = part.body, part.headers["content-type"]
    assert re.search(r"; transfer-syntax=[0-9.]+$", kind)
    decoded = "octet-stream" in accept and "transfer-syntax" not in accept
    assert kind.endswith(EXPLICIT if item is CT or decoded else JPEG_UID)
    assert (content in item.dataset) is (item is CT or not decoded)


def test_native_frames_are_little_endian(empty: str, client: httpx.Client) -> None:
    root = f"{empty}/dicom-web"
    assert Web(root).store([BIG_ENDIAN]).status == 200
    swapped = ask(client, f"{BIG_ENDIAN.path(root)}/frames/1", "application/octet-stream")
    assert swapped.status_code == 200
    assert swapped.content not in BIG_ENDIAN.dataset
    pairs = bytearray(swapped.content)
    pairs[0::2], pairs[1::2] = swapped.content[1::2], swapped.content[0::2]
    assert bytes(pairs) in BIG_ENDIAN.dataset


@pytest.mark.parametrize(
    ("numbers", "status"),
    [("1", 200), ("1,1", 200), ("0", 400), ("2", 404), ("1,2", 404), ("x", 400), ("1,", 400), ("-1", 400)],
)
def test_frame_numbers(root: str, client: httpx.Client, numbers: str, status: int) -> None:
    answer = ask(client, f"{CT.path(root)}/frames/{numbers}")
    assert answer.status_code == status
    if status == 200:
        assert len(parts_of(answer)) == len(numbers.split(","))


def test_frames_of_what_has_no_pixels(root: str, client: httpx.Client) -> None:
    assert ask(client, f"{REPORT.path(root)}/frames/1").status_code == 404


def test_a_range_of_frames_counts_the_envelope(root: str, client: httpx.Client) -> None:
    accept = "multipart/related; type=application/octet-stream; transfer-syntax=*"
    url = f"{JPEG.path(root)}/frames/1"
    whole = ask(client, url, accept)
    first, rest = ask(client, url, accept, Range="bytes=0-999"), ask(client, url, accept, Range="bytes=1000-")
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == whole.content
    assert first.headers["content-type"] == whole.headers["content-type"]
    assert first.headers["content-range"] == f"bytes 0-999/{len(whole.content)}"
    assert ask(client, url, accept, **{"If-None-Match": whole.headers["etag"]}).status_code == 304
    stale = ask(client, url, accept, Range="bytes=0-9", **{"If-Range": '"other"'})
    assert stale.status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["*/*", f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.202"],
    ids=["stored", "converted"],
)
def test_a_reader_that_goes_away_leaves_no_file_open(run: Run, tmp_path: Path, accept: str) -> None:
    url = httpx.URL(run(Config(data=tmp_path / "data")))
    large = large_file(tmp_path, frames=16)
    assert Web(f"{url}/dicom-web").store_file(large.path).status == 200
    lines = [f"GET /dicom-web/studies/{large.study} HTTP/1.1", "Host: x", f"Accept: {accept}"]
    for _ in range(20):
        with socket.create_connection((url.host, url.port or 0)) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + 10
    while opened(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert opened(tmp_path) == []


def opened(folder: Path) -> list[str]:
    """The stored objects this process holds open."""
    files = (file.path for file in psutil.Process().open_files())
    return [path for path in files if path.startswith(str(folder)) and path.endswith(".dcm")]

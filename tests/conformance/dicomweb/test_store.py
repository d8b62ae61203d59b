"""STOW-RS as clients send it (PS3.18 10.5)."""

import os
import socket
import time
from pathlib import Path

import httpx
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, fresh_uid, with_changes
from tests.support.web_client import Web, value

DICOM = "application/dicom"


@pytest.fixture
def items() -> tuple[DicomObject, ...]:
    return ct_series(3)


def body(*payloads: bytes, boundary: str = "b", lead: bytes = b"", end: bytes = b"\r\n") -> bytes:
    parts = [
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + p + b"\r\n" for p in payloads
    ]
    return lead + b"".join(parts) + f"--{boundary}--".encode() + end


def post(url: str, content: bytes, content_type: str, path: str = "", **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/dicom-web/studies{path}",
        content=content,
        headers={"Content-Type": content_type} | headers,
        timeout=60,
    )


def kind(boundary: str = "b") -> str:
    return f'multipart/related; type="application/dicom"; boundary={boundary}'


def test_all_good(empty: str, items: tuple[DicomObject, ...]) -> None:
    answer = post(empty, body(*(item.part10() for item in items)), kind())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert "00081198" not in answer.json()
    stored = answer.json()["00081199"]["Value"]
    assert [value(one, "00081155") for one in stored] == [item.instance for item in items]
    for one in stored:
        assert httpx.get(value(one, "00081190")).status_code == 200
    assert value(answer.json(), "00081190") == f"{empty}/dicom-web/studies/{items[0].study}"


def test_a_bad_one_does_not_stop_the_others(empty: str, items: tuple[DicomObject, ...]) -> None:
    bad = [b"not DICOM at all", b"", items[1].part10()[:-50]]
    answer = post(empty, body(items[0].part10(), *bad, items[2].part10()), kind())
    assert answer.status_code == 202
    assert len(answer.json()["00081199"]["Value"]) == 2
    assert [value(one, "00081197") for one in answer.json()["00081198"]["Value"]] == [0xC000] * 3
    assert "warning" in answer.headers


def test_what_is_kept_with_a_remark_says_so(empty: str, items: tuple[DicomObject, ...]) -> None:
    """Frames are missing: B007, data set does not match SOP class, as C-STORE says (PS3.18 I.2.1)."""
    promising = with_changes(items[0], NumberOfFrames=2)
    answer = post(empty, body(promising.part10(), items[1].part10()), kind())
    assert answer.status_code == 202
    assert "00081198" not in answer.json()
    kept, plain = answer.json()["00081199"]["Value"]
    assert value(kept, "00081196") == 0xB007
    assert "00081196" not in plain
    assert httpx.get(value(kept, "00081190")).status_code == 200
    assert "pixel data of 1 frames where the object says 2" in answer.headers["warning"]
    again = post(empty, promising.part10(), DICOM, Accept="application/dicom+xml")
    assert again.status_code == 200, "the very same bytes change nothing, and nothing is remarked twice"


def test_all_bad(empty: str) -> None:
    answer = post(empty, body(b"x" * 500, os.urandom(500)), kind())
    assert answer.status_code == 409
    assert set(answer.json()) == {"00081198"}


def test_again_is_the_same(empty: str, items: tuple[DicomObject, ...]) -> None:
    for _ in range(2):
        assert post(empty, items[0].part10(), DICOM).status_code == 200
    assert value(Web(f"{empty}/dicom-web").search("/studies")[0], "00201208") == 1


def test_another_study_than_the_address_names(empty: str, items: tuple[DicomObject, ...]) -> None:
    stranger = ct_series(1)[0]
    answer = post(empty, body(items[0].part10(), stranger.part10()), kind(), f"/{items[0].study}")
    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert (value(failed, "00081155"), value(failed, "00081197")) == (stranger.instance, 43265)
    assert post(empty, b"", DICOM, "/1.2.x").status_code == 400
    assert post(empty, stranger.part10(), DICOM, f"/{fresh_uid()}").status_code == 409


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary="b c"', "b c"),
        ("multipart/related; type=application/dicom; boundary=b", "b"),
        ("Multipart/Related ;BOUNDARY=a=b'c+d;Type=Application/DICOM", "a=b'c+d"),
        ("multipart/related; boundary=b", "b"),
        ('multipart/related; start="<1>"; type="application/dicom; transfer-syntax=1.2"; boundary=b', "b"),
    ],
)
def test_content_types(empty: str, items: tuple[DicomObject, ...], content_type: str, boundary: str) -> None:
    answer = post(empty, body(items[0].part10(), boundary=boundary, lead=b"\r\n", end=b""), content_type)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/form-data; boundary=b", 415),
        ('multipart/related; type="text/xml"; boundary=b', 415),
        ("nonsense", 415),
        ("", 415),
        ("multipart/related", 415),
        ("multipart/related; type=application/dicom", 415),
        ("multipart/related; type=application/dicom; boundary=" + 300 * "b", 415),
        ('multipart/related; type=" "; boundary=b', 415),
        ('multipart/related; type="application/dicom; boundary=b', 415),
        ("multipart/related; type=dicom; boundary=b", 415),
    ],
)
def test_other_content_types(empty: str, content_type: str, status: int) -> None:
    answer = post(empty, body(b"x"), content_type)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", b"--b--\r\n", body(b"x").replace(b"\r\n", b"\n"), b"--b\r\n\r\ncut off"],
    ids=["empty", "no-boundary", "no-parts", "lf-only", "cut"],
)
def test_no_instance_at_all(empty: str, content: bytes) -> None:
    assert post(empty, content, kind()).status_code == 400


def test_nothing_sent(empty: str) -> None:
    assert post(empty, b"", DICOM).status_code == 400


def test_a_body_of_unknown_length(empty: str, items: tuple[DicomObject, ...]) -> None:
    whole = body(*(item.part10() for item in items))
    answer = httpx.post(
        f"{empty}/dicom-web/studies",
        content=(whole[n : n + 1000] for n in range(0, len(whole), 1000)),
        headers={"Content-Type": kind(), "Expect": "100-continue"},
    )
    assert answer.status_code == 200


def test_an_answer_in_another_form_is_refused_before_the_body_is_read(
    empty: str, items: tuple[DicomObject, ...]
) -> None:
    assert post(empty, items[0].part10(), DICOM, Accept="text/html").status_code == 406
    assert Web(f"{empty}/dicom-web").search("/studies") == []


_POOLED = 30  # handles of the connections that the index may keep open
TORTURE = os.environ.get("HILUM_TORTURE") == "1"
DESCRIBED = 'multipart/related; type="application/dicom+json"; boundary=b'


def part_described() -> bytes:
    """Metadata and the beginning of its bulk data."""
    head = b"--b\r\nContent-Type: application/dicom+json\r\n\r\n[{}]\r\n--b\r\n"
    return head + b"Content-Type: application/octet-stream\r\nContent-Location: x\r\n\r\n" + bytes(8000)


@pytest.mark.torture
def test_senders_that_go_away_leave_nothing(run: Run, tmp_path: Path, items: tuple[DicomObject, ...]) -> None:
    """No file, no file handle, no thread, no place in the queue of connections to the index."""
    url = httpx.URL(run(Config(data=tmp_path / "data")))
    begun = ((kind(), body(items[0].part10())[:5000]), (DESCRIBED, part_described()))

    def hang_up(times: int) -> None:
        for number in range(times):
            content_type, sent = begun[number % 2]
            head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
            with socket.create_connection((url.host, url.port or 0)) as connection:
                connection.sendall(f"{head}Content-Length: 99999\r\n\r\n".encode() + sent)

    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    hang_up(4)
    settled(tmp_path / "data")
    before = held()
    hang_up(1000 if TORTURE else 60)
    settled(tmp_path / "data")
    deadline = time.monotonic() + 20
    while held() > before + _POOLED and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held() <= before + _POOLED
    assert Web(f"{url}/dicom-web").search("/studies") == []
    assert Web(f"{url}/dicom-web").store(items).status == 200


def settled(data: Path) -> None:
    """Wait until nothing is left in the spool."""
    deadline = time.monotonic() + 20
    while any(data.rglob("spool/*/[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(data.rglob("spool/*/[!.]*"))


def test_parts_without_end_are_refused(empty: str, items: tuple[DicomObject, ...]) -> None:
    """What was stored before it stays; the rest of the request is not looked at."""
    rubbish = b"--b\r\n\r\n\r\n" * (1_000_000 if TORTURE else 200_000)
    good = body(items[0].part10(), end=b"").removesuffix(b"--b--")
    begun = time.monotonic()
    answer = post(empty, good + rubbish + b"--b--", kind())
    assert answer.status_code == 400
    assert time.monotonic() - begun < 60
    assert len(Web(f"{empty}/dicom-web").search("/instances")) == 1
    located = b"--b\r\nContent-Location: x\r\n\r\n\r\n" * 110_000
    assert post(empty, located + b"--b--", DESCRIBED).status_code == 400


def test_a_slow_sender_is_waited_for(empty: str, items: tuple[DicomObject, ...]) -> None:
    whole = body(items[0].part10())
    url = httpx.URL(empty)
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {kind()}\r\n"
    with socket.create_connection((url.host, url.port or 0)) as connection:
        connection.sendall(f"{head}Content-Length: {len(whole)}\r\nConnection: close\r\n\r\n".encode())
        for at in range(0, len(whole), len(whole) // 20):
            connection.sendall(whole[at : at + len(whole) // 20])
            time.sleep(0.02)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")

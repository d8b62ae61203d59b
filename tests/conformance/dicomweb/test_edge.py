"""The edge itself: other origins, prefixes, compression, one caller's share, and bounds of a connection."""

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from dicomweb import limits
from dicomweb.lines import MOST_HEAD_BYTES, Line
from pacs.auth import tokens
from pacs.config import AuthConfig, Config, TokenEntry, WebConfig
from tests.conformance.dicomweb.conftest import running
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series
from tests.support.web_client import ANY_SYNTAX, Web, value

VIEWER = tokens.create()
PAGE = "https://viewer.example"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of an archive that pages of PAGE may use, and a study in it."""
    web = WebConfig(cors_origins=(PAGE,), prefix="/pacs", expensive_at_once=2)
    with running(Config(data=tmp_path_factory.mktemp("edge"), web=web)) as url:
        items = ct_series(12, rows=64, columns=64)
        assert Web(f"{url}/dicom-web").store(items).status == 200
        yield url, items[0].study


# -- other origins ------------------------------------------------------------------------------


def test_a_browser_that_asks_first_is_told_what_it_may(stored: tuple[str, str]) -> None:
    url, study = stored
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "accept,authorization,range",
    }
    answer = httpx.options(f"{url}/dicom-web/studies/{study}", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"accept", "authorization", "content-type", "range", "if-none-match"} <= allowed
    assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "Origin" in answer.headers["vary"]


def test_answers_and_refusals_can_be_read_by_pages_of_that_origin(stored: tuple[str, str]) -> None:
    url, _ = stored
    for path in ("/dicom-web/studies", "/dicom-web/studies?limit=x", "/no/such", "/healthz"):
        answer = httpx.get(url + path, headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE, path
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {"Warning", "ETag", "Content-Range", "Content-Location", "Retry-After"} <= exposed, path


def test_other_origins_are_told_nothing(stored: tuple[str, str], filled: str) -> None:
    url, _ = stored
    for address, origin in ((url, "https://evil.example"), (url, "null"), (filled, PAGE)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        for answer in (
            httpx.options(f"{address}/dicom-web/studies", headers=asked),
            httpx.get(f"{address}/dicom-web/studies", headers={"Origin": origin}),
        ):
            assert "access-control-allow-origin" not in answer.headers


def test_asking_first_needs_no_token_and_nothing_else_does_without(tmp_path: Path) -> None:
    auth = AuthConfig(tokens=(TokenEntry("viewer", VIEWER[1], ("viewer",)),))
    with running(Config(data=tmp_path / "data", auth=auth, web=WebConfig(cors_origins=(PAGE,)))) as url:
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        assert httpx.options(f"{url}/dicom-web/studies", headers=asked).status_code == 204
        refused = httpx.get(f"{url}/dicom-web/studies", headers={"Origin": PAGE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
        assert httpx.options(f"{url}/dicom-web/studies", headers={"Origin": PAGE}).status_code == 401
        del asked["Access-Control-Request-Method"]
        assert httpx.options(f"{url}/dicom-web", headers=asked).status_code == 401


# -- prefixes -----------------------------------------------------------------------------------


def test_the_prefix_is_in_every_address_and_taken_off_every_path(stored: tuple[str, str]) -> None:
    url, study = stored
    for path in ("/dicom-web/studies", "/pacs/dicom-web/studies"):
        (found,) = httpx.get(f"{url}{path}?StudyInstanceUID={study}").json()
        assert found["00081190"]["Value"] == [f"{url}/pacs/dicom-web/studies/{study}"]
    assert httpx.get(f"{url}/pacs").status_code == 200
    assert httpx.get(f"{url}/pacsx").status_code == 404
    forged = httpx.get(f"{url}/dicom-web/studies", headers={"X-Forwarded-Prefix": "/evil"}).json()
    assert "/evil" not in json.dumps(forged)


# -- compression --------------------------------------------------------------------------------


def raw(url: str, encoding: str, accept: str = "application/dicom+json") -> tuple[httpx.Response, bytes]:
    headers = {"Accept-Encoding": encoding, "Accept": accept}
    with httpx.stream("GET", url, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


def test_json_is_compressed_for_those_who_take_it(stored: tuple[str, str]) -> None:
    url, study = stored
    at = f"{url}/dicom-web/studies/{study}/metadata"
    plain, body = raw(at, "identity")
    packed, smaller = raw(at, "br;q=1, gzip;q=0.8")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "application/dicom+json"
    assert gzip.decompress(smaller) == body
    assert len(smaller) < len(body) / 4
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["vary"]
    assert "content-encoding" not in raw(at, "gzip;q=0")[0].headers


def test_what_is_small_or_packed_is_sent_as_it_is(stored: tuple[str, str]) -> None:
    url, study = stored
    for path, accept in (
        ("/healthz", "*/*"),
        (f"/dicom-web/studies/{study}", ANY_SYNTAX),
        (f"/dicom-web/studies/{study}/thumbnail", "image/jpeg"),
    ):
        answer, body = raw(url + path, "gzip", accept)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers, path
        assert len(body) == int(answer.headers["content-length"])


# -- one caller's share -------------------------------------------------------------------------


def test_one_caller_waits_for_its_own_and_is_sent_away_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive sends a study as slowly as its reader reads; another caller is not kept waiting."""
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.5)
    auth = AuthConfig(
        tokens=tuple(TokenEntry(name, tokens.hash_of(name * 8), ("admin",)) for name in ("one", "other"))
    )
    web = WebConfig(expensive_at_once=2)
    with running(Config(data=tmp_path / "data", auth=auth, web=web)) as url:
        shown = {name: {"Authorization": f"Bearer {name * 8}"} for name in ("one", "other")}
        items = ct_series(24, rows=512, columns=512)
        assert Web(f"{url}/dicom-web", shown["one"]).store(items).status == 200
        at = f"{url}/dicom-web/studies/{items[0].study}"
        with httpx.Client(timeout=30) as client:
            slow = [
                client.send(
                    client.build_request("GET", at, headers=shown["one"] | {"Accept": ANY_SYNTAX}),
                    stream=True,
                )
                for _ in range(2)
            ]
            refused = client.get(f"{at}/thumbnail", headers=shown["one"])
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            assert client.get(f"{at}/metadata", headers=shown["one"]).status_code == 200
            assert client.get(f"{at}/thumbnail", headers=shown["other"]).status_code == 200
            slow[0].close()
            for _ in range(40):
                if (status := client.get(f"{at}/thumbnail", headers=shown["one"]).status_code) == 200:
                    break
            assert status == 200
            assert sum(map(len, slow[1].iter_raw())) > 24 * 512 * 512 * 2
            slow[1].close()


def test_many_at_once_are_all_answered_in_the_end(stored: tuple[str, str]) -> None:
    url, study = stored
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(httpx.get(f"{url}/dicom-web/studies/{study}/thumbnail", timeout=30).status_code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


# -- bounds of a connection ---------------------------------------------------------------------


@pytest.fixture
def line(stored: tuple[str, str]) -> Iterator[socket.socket]:
    url, _ = stored
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as line:
        yield line


def said(line: socket.socket) -> bytes:
    """Until the archive hangs up."""
    found = b""
    try:
        while piece := line.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def push(line: socket.socket, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has hung up already
        line.sendall(data)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (MOST_HEAD_BYTES + 1) + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (4 * MOST_HEAD_BYTES),
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET /" + b"x" * (2 * MOST_HEAD_BYTES) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["header", "endless", "many", "address"],
)
def test_heads_too_large_are_refused(line: socket.socket, head: bytes) -> None:
    push(line, head)
    answer = said(line)
    assert not answer or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), answer[:200]


def test_a_large_head_is_refused_in_words(line: socket.socket) -> None:
    push(line, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n")
    assert said(line).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST /dicom-web/workitems HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n[{",
    ],
    ids=["silent", "line", "header", "body"],
)
def test_who_says_nothing_more_is_hung_up_on(
    stored: tuple[str, str], begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "head_seconds", 0.4)
    monkeypatch.setattr(Line, "stall_seconds", 0.4)
    port = int(stored[0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(begun)
        began = time.monotonic()
        said(line)
        assert time.monotonic() - began < 20


def test_who_says_next_to_nothing_after_an_answer_is_hung_up_on(
    line: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "head_seconds", 0.4)
    line.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert line.recv(65_536).startswith(b"HTTP/1.1 200")
    line.sendall(b"\r\n")
    said(line)


def test_a_slow_sender_that_moves_on_is_served(
    stored: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "stall_seconds", 0.6)
    url, _ = stored

    def slowly() -> Iterator[bytes]:
        for _ in range(10):
            yield b" "
            time.sleep(0.15)
        yield b"[]"

    headers = {"Content-Type": "application/dicom+json"}
    answer = httpx.post(f"{url}/dicom-web/workitems", content=slowly(), headers=headers)
    assert answer.status_code == 400, "heard to its end"


def test_who_stops_reading_is_hung_up_on(stored: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "stall_seconds", 0.5)
    url, _ = stored
    items = ct_series(40, rows=512, columns=512)
    assert Web(f"{url}/dicom-web").store(items).status == 200
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(30)
    line.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    with line:
        asked = f"GET /dicom-web/studies/{items[0].study} HTTP/1.1\r\nHost: a\r\nAccept: {ANY_SYNTAX}\r\n\r\n"
        line.sendall(asked.encode())
        time.sleep(2.5)
        assert len(said(line)) < 40 * 512 * 512 * 2
    (found,) = [
        one
        for one in httpx.get(f"{url}/dicom-web/studies").json()
        if value(one, "0020000D") == items[0].study
    ]
    assert found


UPGRADE = (
    b"GET /dicom-web/subscribers/AE HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
)


def test_who_wants_a_web_socket_behind_an_answer_under_way_is_hung_up_on(stored: tuple[str, str]) -> None:
    """It would hold what is left of the answer for as long as the service lives."""
    url, _ = stored
    items = ct_series(20, rows=512, columns=512)
    assert Web(f"{url}/dicom-web").store(items).status == 200
    asked = f"GET /dicom-web/studies/{items[0].study} HTTP/1.1\r\nHost: a\r\nAccept: {ANY_SYNTAX}\r\n\r\n"
    before = psutil.Process().num_fds()
    for _ in range(5):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(30)
        line.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        with line:
            line.sendall(asked.encode())
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            line.sendall(UPGRADE % b"")
            assert len(said(line)) < 20 * 512 * 512 * 2
    wait_for(lambda: psutil.Process().num_fds() <= before + 2, 20)


def test_a_web_socket_with_too_large_a_head_is_refused(line: socket.socket) -> None:
    line.sendall(UPGRADE % (b"X: y\r\n" * 500))
    assert said(line).startswith(b"HTTP/1.1 431")


def test_streams_without_end_end_with_the_service(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running(Config(data=tmp_path)))
        with httpx.stream("GET", f"{url}/api/changes/events", timeout=30) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            began = time.monotonic()
            threading.Thread(target=stack.pop_all().close).start()
            assert not any(lines), "and no event"
        assert time.monotonic() - began < 5, "as long as what has an end may take, and more"

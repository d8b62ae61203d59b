"""Models that do everything wrong: each costs a known time and a known number of bytes."""

import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer

import pytest

from ai_routing import remote, wire
from ai_routing.model import Answer, Job
from ai_routing.remote import RemoteModel
from ai_routing.wire import Access
from pacs.config import AiModel
from pacs.errors import Invalid, PacsError, Unavailable
from tests.support.models import Odd
from tests.support.ports import free_port

JOB = Job("r1", "1.2.3", "P-1", "m", "", ())
SECONDS = 1.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def model(url: str, **settings: object) -> RemoteModel:
    config = AiModel("m", url=url, timeout_seconds=SECONDS, **settings)  # type: ignore[arg-type]
    return RemoteModel(config, lambda _: Access("http://a", "http://a/f", "token", 0))


def test_findings_at_once_and_a_promise(port: int) -> None:
    found = model(f"http://127.0.0.1:{port}/good").read(JOB)
    assert found is not None
    assert [said.name for said in found.findings] == ["intracranial haemorrhage"]
    assert model(f"http://127.0.0.1:{port}/nothing").read(JOB) == Answer("1.0", ())
    assert model(f"http://127.0.0.1:{port}/promise").read(JOB) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((path, Unavailable) for path in ("hang", "drip", "drip-head", "half", "slam", "busy")),
        *((path, Invalid) for path in ("garbage", "huge", "endless", "redirect", "no-http", "not-mine")),
        *((path, Invalid) for path in ("wrong-patient", "wrong-study", "overconfident")),
    ],
)
def test_whatever_it_does_it_is_over_in_time(port: int, path: str, kind: type[PacsError]) -> None:
    begin = time.monotonic()
    with pytest.raises(kind) as caught:
        model(f"http://127.0.0.1:{port}/{path}").read(JOB)
    assert time.monotonic() - begin < SECONDS + 2.0
    assert isinstance(caught.value, kind)
    assert "SOMEBODY" not in str(caught.value)


def test_a_promise_that_is_not_wanted(port: int) -> None:
    with pytest.raises(Invalid, match="callback"):
        model(f"http://127.0.0.1:{port}/promise", callback=False).read(JOB)


def test_a_peer_that_never_finishes_the_handshake_of_tls() -> None:
    """It sends a byte now and then, which begins a socket's own time-out anew each time."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        over = threading.Event()

        def drip() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.sendall(b"\x16\x03\x03\x3f\xff")
                while not over.wait(0.2):
                    try:
                        peer.sendall(b"\x00")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            remote.post(f"https://127.0.0.1:{port}/", b"{}", {}, seconds=SECONDS)
        assert time.monotonic() - begin < SECONDS + 2.0
        over.set()
        thread.join(10)


def test_an_unknown_certificate_is_not_spoken_to(port: int) -> None:
    with pytest.raises(Unavailable) as caught:
        remote.post(f"https://127.0.0.1:{port}/good", b"{}", {}, seconds=SECONDS)
    assert isinstance(caught.value.__cause__, ssl.SSLError | OSError)


def test_who_cannot_be_reached_is_left_alone_for_a_while() -> None:
    asked = []

    def access(job: Job) -> Access:
        asked.append(job)
        return Access("http://a", "http://a/f", "token", 0)

    absent = RemoteModel(AiModel("m", url=f"http://127.0.0.1:{free_port()}/"), access)
    for _ in range(5):
        with pytest.raises(Unavailable):
            absent.read(JOB)
    assert len(asked) == 1


def test_the_answer_of_another_run_is_refused(port: int) -> None:
    answer = wire.spelled(Answer("1.0", ()), wire.About("r1", "1.2.3", "P-1", "m", ""))
    with pytest.raises(Invalid):
        wire.answer(answer, wire.About("r2", "1.2.3", "P-1", "m", ""))
    assert model(f"http://127.0.0.1:{port}/nothing").read(replace(JOB, run="r2")) == Answer("1.0", ())

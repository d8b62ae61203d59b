"""A model over HTTP. It may be slow, dead or lying: nothing it sends, or does not send, can take more
than a known time and a known number of bytes."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

from ai_routing import wire
from ai_routing.model import Answer, Job
from ai_routing.wire import About, Access
from pacs import clock
from pacs.auth import grants
from pacs.auth.actor import Scope
from pacs.breaker import Breaker
from pacs.config import AiModel, Config
from pacs.db.connection import Database
from pacs.errors import Invalid, Unavailable

_PIECE: Final = 1 << 16
_AWAY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})  # try again (RFC 9110 15, RFC 6585 4)


class Archive(Protocol):
    @property
    def config(self) -> Config: ...
    @property
    def db(self) -> Database: ...


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


def build(config: AiModel, archive: Archive) -> "RemoteModel":
    return RemoteModel(config, partial(_access, archive, config))


def _access(archive: Archive, config: AiModel, job: Job) -> Access:
    """A token for the study of the job, good while an answer is awaited."""
    base = _base_url(archive.config)
    lasts_s = config.timeout_seconds + (config.answer_seconds if config.callback else 0.0)
    until_ns = clock.now_ns() + round(lasts_s * 1e9)
    scope = Scope(job.study_uid, job.run)
    token = archive.db.transact(lambda tx: grants.issue(tx, config.name, scope, until_ns))
    return Access(f"{base}/dicom-web", f"{base}/api/ai/runs/{job.run}/findings", token, until_ns)


def _base_url(config: Config) -> str:
    if config.ai.base_url:
        return config.ai.base_url
    if not config.web.port:
        raise Unavailable("it is not known where models find the archive", hint="set [ai] base_url")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104 - compared
    return f"http://[{host}]:{config.web.port}" if ":" in host else f"http://{host}:{config.web.port}"


class RemoteModel:
    """`access` makes the token for one question. Thread-safe."""

    def __init__(self, config: AiModel, access: Callable[[Job], Access]) -> None:
        self._config = config
        self._access = access
        self._breaker = Breaker(f"the model {config.name}")

    def read(self, job: Job) -> Answer | None:
        with self._breaker.guard():
            body = wire.job(job, self._access(job))
            reply = post(self._config.url, body, self._headers(), seconds=self._config.timeout_seconds)
            return self._understood(reply, job)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._config.secret:
            headers["Authorization"] = f"Bearer {self._config.secret}"
        return headers

    def _understood(self, reply: Reply, job: Job) -> Answer | None:
        name = self._config.name
        if reply.status == http.client.ACCEPTED:
            if not self._config.callback:
                raise Invalid(f"the model {name} would answer later, which callback = false does not allow")
            return None
        if reply.status in _AWAY:
            raise Unavailable(f"the model {name} answered with status {reply.status}")
        if reply.status != http.client.OK:
            raise Invalid(f"the model {name} answered with status {reply.status}")
        about = About(job.run, job.study_uid, job.patient_id, job.model, job.version)
        return wire.answer(reply.body, about)


def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float) -> Reply:
    """One POST. Redirects are not followed. Raises Unavailable when no whole answer comes in time, and
    Invalid when it is too large or no HTTP."""
    where = urlsplit(url)
    with _Line(where.scheme == "https", where.hostname or "", where.port, seconds) as line:
        connection = http.client.HTTPConnection(where.hostname or "", line.port, timeout=seconds)
        try:
            connection.sock = line.connect()
            connection.request("POST", where.path or "/", body, headers)
            with connection.getresponse() as answer:
                reply = Reply(answer.status, _body(answer))
        except (OSError, http.client.IncompleteRead) as error:
            line.check()
            raise Unavailable(f"the model cannot be reached ({type(error).__name__})") from error
        except http.client.HTTPException as error:
            line.check()
            raise Invalid(f"the model's answer is no HTTP ({type(error).__name__})") from error
        finally:
            connection.close()
        line.check()  # what has no length ends where it is cut off
        return reply


def _body(answer: http.client.HTTPResponse) -> bytes:
    """At most as much as an answer may have. Raises Invalid for more."""
    pieces: list[bytes] = []
    size = answer.length or 0
    while size <= wire.MOST_BYTES and (piece := answer.read(_PIECE)):
        pieces.append(piece)
        size = sum(map(len, pieces)) + (answer.length or 0)
    if size > wire.MOST_BYTES:
        raise Invalid(f"the model's answer has more than {wire.MOST_BYTES} bytes")
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)


class _Line:
    """A connection that ends when its time is over, whatever the other side does: a time-out of a
    socket begins anew with every byte that a slow peer sends."""

    def __init__(self, secure: bool, host: str, port: int | None, seconds: float) -> None:  # noqa: FBT001
        self.port = port or (443 if secure else 80)
        self._secure = secure
        self._host = host
        self._seconds = seconds
        self._sock: socket.socket | None = None
        self._over = threading.Event()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def connect(self) -> socket.socket:
        """Raises OSError."""
        self._sock = sock = socket.create_connection((self._host, self.port), timeout=self._seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            context = ssl.create_default_context()
            self._sock = secured = context.wrap_socket(
                sock, server_hostname=self._host, do_handshake_on_connect=False
            )
            secured.do_handshake()
        return self._sock

    def check(self) -> None:
        if self._over.is_set():
            raise Unavailable(f"the model did not answer within {self._seconds:g} s")

    def _end(self) -> None:
        self._over.set()
        if self._sock is not None:
            with suppress(OSError):  # closed already
                self._sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._sock is not None:
            self._sock.close()

"""JSON is sent compressed to those who take that; pictures and objects never are: they are as small as
they get, and what wants a range of them counts on their bytes."""

import zlib
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEAST: Final = 2048
"""Less is not worth it: it goes in one packet or two."""
_LEVEL: Final = 3
_IN_A_THREAD: Final = 1 << 16
_TYPES: Final = frozenset({"application/dicom+json", "application/json"})


class Compressed:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            send = _Packer(send)
        await self._app(scope, receive, send)


def takes_gzip(accepted: str) -> bool:
    """RFC 9110 12.5.3; what is acceptable only by `*` is left as it is."""
    for element in accepted.lower().split(","):
        coding, _, parameters = element.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


class _Packer:
    """Holds the head back until it is known whether the body is worth it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None
        self._pack: zlib._Compress | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            if not _is_packable(message):
                await self._release()
        elif self._head is not None and message["type"] == "http.response.body":
            await self._first(message)
        else:
            await self._next(message)

    async def _release(self) -> None:
        if self._head is not None:
            await self._send(self._head)
            self._head = None

    async def _first(self, message: Message) -> None:
        body = message.get("body", b"")
        if message.get("more_body") and not body:
            return
        if (message.get("more_body") or len(body) >= _LEAST) and self._head is not None:
            self._pack = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            headers = MutableHeaders(scope=self._head)
            headers["Content-Encoding"] = "gzip"
            del headers["Content-Length"]
            if "ETag" in headers and not headers["ETag"].startswith("W/"):
                headers["ETag"] = "W/" + headers["ETag"]  # other bytes than the tag stands for
        await self._release()
        await self._next(message)

    async def _next(self, message: Message) -> None:
        if self._pack is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), bool(message.get("more_body"))
        if len(body) > _IN_A_THREAD:
            packed = await run_in_threadpool(self._pack.compress, body)
        else:
            packed = self._pack.compress(body)
        if not more:
            packed += self._pack.flush()
        if packed or not more:
            await self._send({"type": "http.response.body", "body": packed, "more_body": more})


def _is_packable(head: Message) -> bool:
    """Known to be JSON, not to be small, and not packed or cut already."""
    headers = Headers(raw=head["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES or "content-encoding" in headers or "content-range" in headers:
        return False
    return int(headers.get("content-length", _LEAST)) >= _LEAST

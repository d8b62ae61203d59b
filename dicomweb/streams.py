"""Answers too large for memory: a synchronous iterator of bytes, pulled by threads, sent by the loop.

Two batches at a time are in memory. Files and cursors behind the iterator are closed when the answer
ends, however it ends.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from dicomweb import problems

BATCH: Final = 1 << 20
_SMALL: Final = 1 << 14


class Source:
    """The bytes of an answer and what must be closed after them."""

    def __init__(self, pieces: Iterator[bytes], held: ExitStack | None = None) -> None:
        self._pieces = pieces
        self._held = held or ExitStack()
        self._lock = threading.Lock()
        self._first: list[bytes] = []
        self._ended = False

    def begin(self) -> None:
        """Take the first batch now, in the handler's own thread: small answers need no other, and
        what fails at once still has a status to fail with."""
        try:
            self._first = self._pull()
        except BaseException:
            self.close()
            raise

    @property
    def whole(self) -> int | None:
        """The length, when the first batch is all there is."""
        return sum(map(len, self._first)) if self._ended else None

    async def messages(self) -> AsyncIterator[Message]:
        """All of it; the last one says that it is the last. While a batch is sent the next is read."""
        batch, self._first = self._first, []
        while not self._ended:
            ahead = asyncio.ensure_future(run_in_threadpool(self._pull))
            ahead.add_done_callback(_seen)
            for piece in _packed(batch):
                yield {"type": "http.response.body", "body": piece, "more_body": True}
            batch = await ahead
        *pieces, last = _packed(batch) or [b""]
        for piece in pieces:
            yield {"type": "http.response.body", "body": piece, "more_body": True}
        yield {"type": "http.response.body", "body": last, "more_body": False}

    def _pull(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        with self._lock:
            while size < BATCH and not self._ended:
                piece = next(self._pieces, None)
                self._ended = piece is None
                if piece:
                    batch.append(piece)
                    size += len(piece)
        return batch

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def end(self) -> None:
        """The same for the loop, which cannot wait until a batch under way has come."""
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()
        else:
            asyncio.get_running_loop().run_in_executor(None, self.close)

    def _let_go(self) -> None:
        close = getattr(self._pieces, "close", None)
        with self._held:
            if close is not None:
                close()


class Streamed(StreamingResponse):
    """`length` None is sent chunked, unless the answer turns out to be small."""

    def __init__(
        self,
        source: Source,
        *,
        media_type: str,
        length: int | None = None,
        status: int = problems.OK,
        headers: Mapping[str, str] | None = None,
        only_head: bool = False,
    ) -> None:
        super().__init__((), status, headers)
        self._source = source
        self._only_head = only_head
        if not only_head:
            source.begin()
        length = source.whole if length is None else length
        self.headers["Content-Type"] = media_type  # set here, as starlette would add a charset to text
        if length is not None:
            self.headers["Content-Length"] = str(length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._source.whole is not None or self._only_head:
                await self.stream_response(send)  # nobody has to watch whether the client is still there
            else:
                await super().__call__(scope, receive, send)
        finally:
            self._source.end()

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._only_head:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        try:
            async for message in self._source.messages():
                await send(message)
        except Exception as error:  # noqa: BLE001 - logged; returning without an end cuts the connection
            problems.cut_short(error)


def _seen(ahead: "asyncio.Future[list[bytes]]") -> None:
    """What nobody waits for any more may fail in silence."""
    if not ahead.cancelled():
        ahead.exception()


def _packed(pieces: Iterable[bytes]) -> list[bytes]:
    """The same bytes: what is small goes with its neighbours, as each message has its price."""
    packed: list[bytes] = []
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < _SMALL:
            small.append(piece)
            continue
        if small:
            packed.append(b"".join(small))
            small.clear()
        packed.append(piece)
    if small:
        packed.append(b"".join(small))
    return packed

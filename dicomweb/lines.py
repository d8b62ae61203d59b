"""The connection itself: nobody may hold one, or its memory, by saying too little or too much.

The head of a request has a size and a time to be complete in; a body that is received, and an answer
that is sent, have to move on.
"""

from asyncio import TimerHandle, Transport
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from pacs.crowd import Place

MOST_HEAD_BYTES: Final = 1 << 16
MOST_HEADERS: Final = 200
HEAD_SECONDS: Final = 20.0
STALL_SECONDS: Final = 120.0
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class Line(HttpToolsProtocol):
    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS

    def __init__(self, place: Place, **options: Any) -> None:
        """`place` is left when the connection ends, or is no more than a WebSocket."""
        super().__init__(**options)
        self._place: Place | None = place
        self._head_timer: TimerHandle | None = None
        self._watch_timer: TimerHandle | None = None
        self._head_bytes = 0
        self._heads = 0
        self._refused = False
        self._received = False
        self._unsent = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()
        self._watch_timer = self.loop.call_later(self.stall_seconds, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self.leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        if self._refused:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer under way would never hear of this connection again.
            self._hang_up()
            return
        self._stop_timers()
        self.leave()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        self._received = True
        heads, between = self._heads, not self._is_receiving()
        super().data_received(data)
        if between and self._heads == heads and self.parser is not None:
            self._wait_for_more(len(data))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            self._refuse()

    def on_headers_complete(self) -> None:
        self._heads += 1
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refuse()
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def _wait_for_more(self, size: int) -> None:
        """A head has begun and is not complete: the parser holds what came of it."""
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse()
        elif self._head_timer is None:
            self._expect_head()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._hang_up)

    def _refuse(self) -> None:
        if self._refused:
            return
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _watch(self) -> None:
        """Hang up when nothing has moved for a whole interval although something should have."""
        unsent = self.transport.get_write_buffer_size()
        stuck = self.flow.write_paused and unsent >= self._unsent > 0
        silent = self._is_receiving() and not self.flow.read_paused and not self._received
        if stuck or silent:
            self._hang_up()
            return
        self._received, self._unsent = False, unsent
        self._watch_timer = self.loop.call_later(self.stall_seconds, self._watch)

    def _is_receiving(self) -> bool:
        cycle = self.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _hang_up(self) -> None:
        self._stop_timers()
        if not self.transport.is_closing():
            self.transport.abort()

    def leave(self) -> None:
        """Give the place back, once."""
        if self._place is not None:
            self._place.go()
            self._place = None

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._watch_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._watch_timer = None


class Channel(WebSocketsSansIOProtocol):
    async def send(self, message: Any) -> None:
        """A refusal in plain HTTP ends the handshake, too; otherwise each would be logged as an error."""
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True

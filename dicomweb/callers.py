"""Callers of a port that several processes share: taken one by one, each by who has the fewest."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from pacs import log
from pacs.crowd import DEFERENCE_S, Place

_SHORTAGE_PAUSE: Final = 0.1
_log = log.get(__name__)


class Line(Protocol):
    """The protocol of a connection, in whose name its place was taken."""

    def leave(self) -> None: ...


class Callers:
    """For one event loop. `make` gives the protocol of a connection, which leaves its place by itself when
    it has begun and is over."""

    def __init__(self, sock: socket.socket, place: Place, make: Callable[[], Line]) -> None:
        self._sock = sock
        self._place = place
        self._make = make
        self._beginning: set[asyncio.Task[None]] = set()
        self._closed = False

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock.setblocking(False)
        self._place.begin()
        self._listen()

    async def close(self) -> None:
        """Nobody comes any more, and who came has begun."""
        self._closed = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        await asyncio.gather(*self._beginning)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._sock, self._knocked)

    def _knocked(self) -> None:
        if self._place.defers:
            self._loop.remove_reader(self._sock)
            self._loop.call_later(DEFERENCE_S, self._take_late)
        else:
            self._take()

    def _take_late(self) -> None:
        if not self._closed:
            self._listen()
            self._take()

    def _take(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except BlockingIOError:  # another process was quicker
            return
        except OSError as error:  # out of descriptors, or the caller has gone again
            _log.warning("connection not accepted reason=%s", error.strerror)
            self._loop.remove_reader(self._sock)
            self._loop.call_later(_SHORTAGE_PAUSE, self._listen)
            return
        self._place.come()
        task = self._loop.create_task(self._begin(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        line: Any = self._make()
        try:
            connection.setblocking(False)
            await self._loop.connect_accepted_socket(lambda: line, connection)
        except Exception as error:  # noqa: BLE001 - it concerns this caller only
            _log.warning("connection not begun reason=%s", type(error).__name__)
            connection.close()
            line.leave()

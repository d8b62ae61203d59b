"""The web role: serve the application on a socket that already listens, until told to stop."""

import contextlib
import socket
import threading
from collections.abc import Generator

import uvicorn

from dicomweb.app import make_app
from dicomweb.callers import Callers
from dicomweb.lines import Channel, Line
from pacs import log
from pacs.crowd import Place, alone
from pacs.runtime import Archive

_log = log.get(__name__)

_KEEP_ALIVE_SECONDS = 65  # longer than the 60 s after which common proxies let go
_GRACE_SECONDS = 6  # less than the supervisor waits
_LONGEST_MESSAGE = 4096  # what a subscriber may send us, which is not read
_PING_SECONDS = 20.0


class _Server(uvicorn.Server):
    """Signals belong to the role's process, not to the server in it, and so does the listening socket."""

    def __init__(self, config: uvicorn.Config, sock: socket.socket, place: Place) -> None:
        super().__init__(config)
        self._callers = Callers(sock, place, lambda: self._line(place))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._callers.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._callers.close()
        await super().shutdown(sockets)

    def _line(self, place: Place) -> Line:
        return Line(place, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def serve(
    archive: Archive, sock: socket.socket, stop_event: threading.Event, place: Place | None = None
) -> None:
    """Returns when the answers under way have ended, at the latest after a grace time. `place` is ours
    among the processes that share the socket."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(
        uvicorn.Config(
            make_app(archive, stop_event),
            loop="uvloop",
            http=Line,
            ws=Channel,
            ws_max_size=_LONGEST_MESSAGE,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        sock,
        place or alone(),
    )
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, stop_event, ended), name="web-stop", daemon=True)
    watcher.start()
    host, port = sock.getsockname()[:2]
    _log.info("listening host=%s port=%d", host, port)
    try:
        server.run(sockets=[])
    finally:
        ended.set()
        watcher.join()
    _log.info("stopped")


def _watch(server: uvicorn.Server, stop_event: threading.Event, ended: threading.Event) -> None:
    while not ended.is_set():
        if stop_event.wait(0.1):
            server.should_exit = True
            return

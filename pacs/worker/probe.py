"""Whether the broker answers, for whoever reports on the archive's health."""

import threading
from functools import cache
from typing import Final

from kombu import Connection

from pacs import clock
from pacs.worker.link import address, troubles

_KNOWN_S: Final = 5.0
_WAIT_S: Final = 1.0


def answers(url: str) -> bool:
    """As it was a few seconds ago at most; one caller asks, the others get what was known."""
    return _probe(url).answers()


@cache
def _probe(url: str) -> "_Probe":
    return _Probe(url)


class _Probe:
    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._until = 0.0
        self._known = True

    def answers(self) -> bool:
        if clock.monotonic() >= self._until and self._lock.acquire(blocking=False):
            try:
                self._known = self._ask()
                self._until = clock.monotonic() + _KNOWN_S
            finally:
                self._lock.release()
        return self._known

    def _ask(self) -> bool:
        waits = {"socket_connect_timeout": _WAIT_S, "socket_timeout": _WAIT_S, "max_retries": 0}
        connection = Connection(address(self._url), connect_timeout=_WAIT_S, transport_options=waits)
        try:
            with connection:
                connection.default_channel.client.ping()
        except troubles(connection):
            return False
        return True

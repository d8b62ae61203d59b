"""The worker role: what nobody waits for. The crew does it; this keeps the crew at work."""

import threading
from typing import Final, Protocol

from pacs import log
from pacs.errors import PacsError

_AGAIN_SECONDS: Final = 2.0
_log = log.get(__name__)


class _Crew(Protocol):
    def start(self) -> None: ...

    def stop(self, grace_s: float = 5.0) -> bool: ...


class _Archive(Protocol):
    def crew(self) -> _Crew: ...


def serve(archive: _Archive, stop: threading.Event) -> None:
    """Work until told to stop. While the index is away the crew waits for it."""
    crew = archive.crew()
    while not stop.is_set():
        try:
            crew.start()
            break
        except PacsError as error:
            _log.warning("not started yet reason=%s", error)
            stop.wait(_AGAIN_SECONDS)
    stop.wait()
    if not crew.stop():
        _log.warning("something was still at work when the role stopped")

"""The worker role: upkeep that nobody waits for."""

import threading
import traceback
from typing import Final, Protocol

from pacs import log
from pacs.errors import PacsError

EVERY_SECONDS: Final = 10.0
_log = log.get(__name__)


class _Archive(Protocol):
    def recover(self) -> object:
        """Finish or discard what dead processes left in the spool."""


def serve(archive: _Archive, stop: threading.Event) -> None:
    """Do the rounds until told to stop. A round that fails is logged and tried again."""
    while True:
        _round(archive)
        if stop.wait(EVERY_SECONDS):
            return


def _round(archive: _Archive) -> None:
    try:
        archive.recover()
    except PacsError as error:
        _log.warning("recovery postponed reason=%s", error)
    except Exception as error:  # noqa: BLE001 - one bad leftover must not end the upkeep of the rest
        # Kind and place only: a message or a trace can hold what stood in the object.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("recovery failed kind=%s at=%s:%s", type(error).__name__, place.name, place.lineno)

"""A Celery worker in this process, which performs errands on messages."""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from celery import Celery
from celery.worker import WorkController, state

from pacs import log
from pacs.config import BrokerConfig
from pacs.errors import PacsError, Unavailable
from pacs.outbox.deliveries import Note
from pacs.outbox.subscriber import Errand
from pacs.worker.app import make_app, task_name
from pacs.worker.lanes import LONGEST_LINE, pool_of

_SPARE: Final = 16
"""More messages than all lines together can hold, so that full ones never keep others from coming."""
_log = log.get(__name__)
Obey = Callable[[str, Note], bool]


class Consumer:
    """One a process: Celery keeps its state in modules."""

    def __init__(self, settings: BrokerConfig, errands: Mapping[str, Errand], obey: Obey) -> None:
        lease_s = max(errand.lease_s for errand in errands.values())
        app = make_app(settings, errands, lease_s=lease_s)
        for name in errands:
            _register(app, name, obey)
        app.set_default()
        self._worker = WorkController(
            app=app,
            pool=pool_of({task_name(name): errand.workers for name, errand in errands.items()}),
            concurrency=LONGEST_LINE * len(errands) + _SPARE,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        self._errands = ",".join(sorted(errands))

    def is_listening(self) -> bool:
        """Whether the broker is connected, as far as is known."""
        consumer = getattr(self._worker, "consumer", None)
        return getattr(consumer, "connection", None) is not None

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Raises Unavailable when Celery ends by itself."""

        def wait() -> None:
            stop.wait()
            state.should_stop = 0

        threading.Thread(target=wait, name="celery-stop", daemon=True).start()
        _log.info("listening errands=%s", self._errands)
        self._worker.start()
        if not stop.is_set():
            raise Unavailable("the Celery worker has ended by itself", hint="it is started again")


def _register(app: Celery, errand: str, obey: Obey) -> None:
    def perform(*words: object) -> None:
        note = _note(words)
        if note is None:
            _log.warning("not understood errand=%s", errand)
            return
        try:
            obey(errand, note)
        except PacsError as error:
            _log.warning("postponed errand=%s reason=%s", errand, error)

    app.task(name=task_name(errand), shared=False)(perform)


def _note(words: tuple[object, ...]) -> Note | None:
    """None for what is none of ours; numbers are such as the index can hold."""
    match words:
        case (int(number), int(attempts)) if 0 < number < 2**63 and 0 <= attempts < 2**31:
            return Note(number, attempts)
        case _:
            return None

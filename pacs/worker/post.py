"""Sends messages to the broker, and knows when it is better not to wait for it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pacs import clock, log
from pacs.config import BrokerConfig
from pacs.errors import Unavailable
from pacs.outbox.deliveries import Note
from pacs.worker.app import make_app, queue_name, task_name
from pacs.worker.link import troubles

_REST_S: Final = 2.0
"""After a failure the broker is left alone for so long."""
_QUEUED_AT_MOST: Final = 200
"""More messages than this wait only when nobody takes them."""
_log = log.get(__name__)


class Post:
    """Thread-safe. `is_listening` says whether this process would get a message."""

    def __init__(
        self, settings: BrokerConfig, errands: Iterable[str], is_listening: Callable[[], bool]
    ) -> None:
        self._app = make_app(settings, errands)
        self._troubles = troubles(self._app.connection())
        self._is_listening = is_listening
        self._lock = threading.Lock()
        self._away = False
        self._again = 0.0
        self._stuck: set[str] = set()

    def is_away(self, errand: str) -> bool:
        return self._away or errand in self._stuck or not self._is_listening()

    def ask(self, errand: str) -> bool:
        if not self._is_listening() or clock.monotonic() < self._again:
            return False
        try:
            waiting = self._with_producer(lambda producer: _waiting(producer.channel, errand))
        except Unavailable:
            return False
        stuck = int(waiting) >= _QUEUED_AT_MOST
        self._note_stuck(errand, stuck=stuck)
        return not stuck

    def send(self, errand: str, notes: Sequence[Note]) -> None:
        def publish(producer: Any) -> None:
            for note in notes:
                self._app.send_task(task_name(errand), (note.id, note.attempts), producer=producer)

        self._with_producer(publish)

    def _with_producer(self, work: Callable[[Any], Any]) -> Any:
        try:
            with self._app.producer_pool.acquire(block=True, timeout=1.0) as producer:
                done = work(producer)
        except self._troubles as error:
            self._note_away(away=True)
            raise Unavailable("the broker is away", hint="work goes on without it") from error
        self._note_away(away=False)
        return done

    def _note_away(self, *, away: bool) -> None:
        with self._lock:
            if away:
                self._again = clock.monotonic() + _REST_S
            changed, self._away = self._away is not away, away
        if changed:
            _log.warning("broker %s", "away: its work is done here" if away else "there again")

    def _note_stuck(self, errand: str, *, stuck: bool) -> None:
        with self._lock:
            changed = stuck is not (errand in self._stuck)
            (self._stuck.add if stuck else self._stuck.discard)(errand)
        if changed:
            _log.warning("queue %s errand=%s", "not emptied" if stuck else "emptied again", errand)


def _waiting(channel: Any, errand: str) -> int:
    """How many messages wait in the broker for anybody to take them."""
    return int(channel.queue_declare(queue=queue_name(errand), durable=True).message_count)

"""The worker role: what nobody waits for. The crew does it; this keeps the crew at work.

With a broker, the same process is a Celery worker: any number of them, on any number of hosts, take
what any of them sends.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from pacs import log
from pacs.config import BrokerConfig, Config
from pacs.errors import PacsError
from pacs.outbox.deliveries import Note
from pacs.outbox.handover import Broker
from pacs.outbox.subscriber import Errand

_AGAIN_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 4.0
"""With a broker it comes after Celery's own; together less than the supervisor waits."""
_log = log.get(__name__)


class _Crew(Protocol):
    @property
    def errands(self) -> Mapping[str, Errand]: ...

    def start(self, broker: Broker | None = None) -> None: ...

    def obey(self, errand: str, note: Note, /) -> bool: ...

    def stop(self, grace_s: float = 5.0) -> bool: ...


class _Archive(Protocol):
    @property
    def config(self) -> Config: ...

    def crew(self) -> _Crew: ...


def serve(archive: _Archive, stop: threading.Event) -> None:
    """Work until told to stop. While the index is away the crew waits for it."""
    crew = archive.crew()
    settings = archive.config.broker
    if settings.url and crew.errands:
        _serve_with_broker(settings, crew, stop)
    else:
        _start(crew.start, stop)
        stop.wait()
    if not crew.stop(_GRACE_SECONDS):
        _log.warning("something was still at work when the role stopped")


def _serve_with_broker(settings: BrokerConfig, crew: _Crew, stop: threading.Event) -> None:
    from pacs.worker.consumer import Consumer
    from pacs.worker.post import Post

    consumer = Consumer(settings, crew.errands, crew.obey)
    post = Post(settings, crew.errands, consumer.is_listening)

    def begin_no_more() -> None:
        stop.wait()
        crew.stop(0.0)

    threading.Thread(target=begin_no_more, name="crew-stop", daemon=True).start()
    if _start(lambda: crew.start(post), stop):
        consumer.run(stop)


def _start(start: Callable[[], None], stop: threading.Event) -> bool:
    """False when the role is to stop before it could start."""
    while not stop.is_set():
        try:
            start()
        except PacsError as error:
            _log.warning("not started yet reason=%s", error)
            stop.wait(_AGAIN_SECONDS)
        else:
            return True
    return False

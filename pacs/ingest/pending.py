"""What is acknowledged and durable in the spool, and in folders and index not yet.

An object costs its sender one wait for the disk, for its bytes. The names in the folders and the rows in
the index are made durable for many at once, a moment later, and only then do their spooled files go.
Whatever happens in between, a start finds these and finishes them (`pacs.ingest.recover`).
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final

from pacs import log
from pacs.errors import Unavailable
from pacs.store.spool import Spooled
from pacs.store.writer import Writer

_DELAY_S: Final = 0.25
_RETRY_S: Final = 2.0
_MANY: Final = 256  # then without the delay
_MOST: Final = 2048  # whoever brings more waits: this bounds what a start has to read again
_log = log.get(__name__)


class Pending:
    """Thread-safe; one per process. `flush_index` makes every committed row durable, `drop` removes the
    file of a key unless that is recorded: then it is False."""

    def __init__(self, writer: Writer, flush_index: Callable[[], None], drop: Callable[[str], bool]) -> None:
        self._writer = writer
        self._flush_index = flush_index
        self._drop = drop
        self._waiting: list[tuple[str, str]] = []
        self._doubtful: list[tuple[str, str]] = []
        self._changing = threading.Lock()
        self._flushing = threading.Lock()
        self._many = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, spooled: Spooled, key: str) -> None:
        """The object is placed at `key` and recorded; its spooled file is kept as long as it is needed."""
        spooled.retain()
        with self._changing:
            self._waiting.append((spooled.place, key))
            count = len(self._waiting)
            self._start()
        if count >= _MANY:
            self._many.set()
        if count >= _MOST:
            self.flush()

    def doubt(self, spooled: Spooled, key: str) -> None:
        """The object is placed at `key`, and the index cannot say just now whether it is recorded."""
        spooled.retain()
        with self._changing:
            self._doubtful.append((spooled.place, key))
            self._start()

    def flush(self) -> None:
        """Returns when all that was added before is durable, and no doubt is left. Raises Unavailable."""
        with self._flushing:
            self._decide()
            with self._changing:
                waiting, self._waiting = self._waiting, []
            try:
                self.make_durable(key for _, key in waiting)
            except BaseException:
                with self._changing:
                    self._waiting[:0] = waiting
                raise
            self._writer.release(path for path, _ in waiting)

    def _decide(self) -> None:
        """One after the other, so that those that are decided stay so when the index goes away again."""
        while self._doubtful:
            path, key = self._doubtful[0]
            if self._drop(key):
                self._writer.release([path])
            else:
                with self._changing:
                    self._waiting.append((path, key))
            with self._changing:
                del self._doubtful[0]

    def make_durable(self, keys: Iterable[str]) -> None:
        """Names in the hot tier first, so that no durable row names a file that is not there."""
        self._writer.sync(keys)
        self._flush_index()

    def close(self) -> None:
        """What cannot be flushed now is finished by the next start."""
        self._closed.set()
        self._many.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.flush()
        except Unavailable as error:
            _log.warning("left for the next start: %s", error)

    def _run(self) -> None:
        """Ends when nothing is waiting any more."""
        delay = _DELAY_S
        while not self._closed.is_set():
            self._many.wait(delay)
            self._many.clear()
            delay = _DELAY_S if self._flushed() else _RETRY_S
            with self._changing:
                if not self._waiting and not self._doubtful:
                    self._thread = None
                    return

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pending", daemon=True)
            self._thread.start()

    def _flushed(self) -> bool:
        try:
            self.flush()
        except Unavailable as error:
            _log.warning("not durable yet: %s", error)
            return False
        return True

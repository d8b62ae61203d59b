"""Thumbnails: kept, or made now and kept; and made beforehand when a study has settled."""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from pacs import log
from pacs.errors import NotAcceptable
from pacs.outbox.crew import Chore
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Errand
from pacs.renditions.shelf import Held, Shelf

NAME: Final = "thumbnails"
_EDITION: Final = 1
"""Counted up when pictures come out differently, so that no old one is served for a new one."""
_EVICT_EVERY_S: Final = 60.0
_log = log.get(__name__)


class Subject(Protocol):
    """A frame of a stored object. Its digest is that of the object's bytes."""

    @property
    def digest(self) -> str: ...
    @property
    def number(self) -> int: ...
    def thumbnail(self, edge: int) -> bytes:
        """A JPEG that fits `edge` x `edge`. Raises NotAcceptable when there is no picture in it."""


class Source(Protocol):
    """Where the pictures come from."""

    def representatives(self, study: str) -> Iterable[Subject]:
        """One of each series of a study. Raises NotAcceptable, NotFound, Unavailable while iterated."""

    def studies(self) -> Iterable[str]: ...


class Thumbnails:
    """`edge`: the longer side, in pixels. Thread-safe."""

    def __init__(self, shelf: Shelf, edge: int) -> None:
        self._shelf = shelf
        self.edge = edge

    def of(self, subject: Subject) -> bytes:
        """Raises what making it raises; a kept one needs nothing but itself."""
        name = self._name(subject)
        kept = self._shelf.get(name)
        if kept is None:
            kept = subject.thumbnail(self.edge)
            self._shelf.put(name, kept)
        return kept

    def produce(self, source: Source, study: str) -> int:
        """What stands for each series of a study, unless it is there; returns how many were made.

        Raises Unavailable."""
        made = 0
        for subject in source.representatives(study):
            name = self._name(subject)
            if self._shelf.has(name):
                continue
            try:
                made += self._shelf.put(name, subject.thumbnail(self.edge))
            except NotAcceptable as error:
                _log.info("no thumbnail study=%s reason=%s", study, error)
        return made

    def _name(self, subject: Subject) -> str:
        return f"{subject.digest}.{subject.number}.{self.edge}.{_EDITION}"


class Renditions:
    """What the worker and the command line do with them. Thread-safe."""

    def __init__(self, thumbnails: Thumbnails, shelf: Shelf, source: Source) -> None:
        self._thumbnails = thumbnails
        self._shelf = shelf
        self._source = source

    def errand(self) -> Errand:
        """A study that has settled gets its thumbnails; until then they are made when asked for."""
        return Errand(NAME, frozenset({Kind.SETTLED}), self._settled, lease_s=600.0)

    def chore(self) -> Chore:
        return Chore("evict-thumbnails", self._evict, every_s=_EVICT_EVERY_S)

    def status(self) -> tuple[Held, int]:
        """What is kept, and the budget in bytes."""
        return self._shelf.held(), self._shelf.budget

    def rebuild(self, count: Callable[[int], None]) -> int:
        """Make the thumbnails of every study anew; `count` is told how many are made."""
        self._shelf.clear()
        made = 0
        for study in self._source.studies():
            made += self._thumbnails.produce(self._source, study)
            count(made)
        return made

    def _settled(self, told: Told) -> None:
        self._thumbnails.produce(self._source, told.study_uid)

    def _evict(self) -> bool:
        self._shelf.evict()
        return False

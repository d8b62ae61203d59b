"""One store request at work: events of the multipart parser become spooled objects and receipts."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Final

from dicomweb.multipart import Event, Parser, PartBegin, PartData, PartEnd, Whole
from dicomweb.outcome import Outcome
from pacs.auth.actor import Actor
from pacs.errors import Invalid
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt

_MOST: Final = 100_000
_MOST_FAILED: Final = 1_000


class Intake:
    """Used by one thread at a time. A refused part does not keep the others out; what concerns all
    (Forbidden, Unavailable, a broken envelope) is raised, and the parts before it stay stored."""

    def __init__(self, ingest: Ingest, actor: Actor, study: str, parser: Parser | Whole) -> None:
        self._ingest = ingest
        self._actor = actor
        self._expected = Expected(study=study)
        self._parser = parser
        self._held = ExitStack()
        self._write: Callable[[memoryview], None]
        self._accept: Callable[[], Receipt]
        self._outcomes: list[Outcome] = []
        self._failed = 0

    def feed(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            for event in self._parser.feed(piece):
                self._on(event)

    def finish(self) -> tuple[Outcome, ...]:
        """The body is over. Raises Invalid when it was cut off."""
        for event in self._parser.close():
            self._on(event)
        return tuple(self._outcomes)

    def close(self) -> None:
        """Discard the object that never came to its end."""
        self._held.close()

    def _on(self, event: Event) -> None:
        match event:
            case PartBegin():
                spooled = self._held.enter_context(self._ingest.spool(self._actor))
                self._write = spooled.write
                self._accept = partial(self._ingest.accept, self._actor, spooled, self._expected)
            case PartData(data):
                self._write(data)
            case PartEnd():
                self._outcomes.append(Outcome.of(self._accept()))
                self._held.close()
                self._failed += bool(self._outcomes[-1].failure)
                self._check()

    def _check(self) -> None:
        """A sender of rubbish without end is stopped; what it has stored stays."""
        if len(self._outcomes) >= _MOST or self._failed >= _MOST_FAILED:
            raise Invalid(
                f"a request may hold at most {_MOST} instances, and {_MOST_FAILED} that cannot be stored",
                hint="send several requests",
            )

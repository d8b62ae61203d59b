"""Objects to one station: associations with it, opened as they are needed."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from dimse import requestor
from dimse.channel import Item
from dimse.contexts import MAX_CONTEXTS
from dimse.dialogue import Dialogue
from dimse.errors import AssociationEnded, ProtocolError, Unreached
from dimse.requestor import Target
from dimse.scu import StoreScu
from dimse.status import Status
from pacs import log

_ATTEMPTS: Final = 3  # how often in a row an association that broke is opened again
_log = log.get(__name__)

Syntaxes = tuple[str, ...]


class Mover:
    """A `channel.Courier` for one destination. `proposed` are the contexts for each SOP class, as lists
    of transfer syntaxes; more of them than fit into one association are spread over several."""

    def __init__(
        self,
        target: Target,
        proposed: Mapping[str, Iterable[Syntaxes]],
        originator: tuple[str, int] | None = None,
    ) -> None:
        self._lines: list[_Line] = []
        self._line_of: dict[str, _Line] = {}
        for batch in _batches({sop_class: tuple(lists) for sop_class, lists in proposed.items()}):
            line = _Line(target, batch, originator)
            self._lines.append(line)
            self._line_of |= dict.fromkeys((sop_class for sop_class, _ in batch), line)

    def accepts(self, sop_class: str) -> frozenset[str]:
        line = self._line_of.get(sop_class)
        return frozenset() if line is None else line.accepts(sop_class)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        return self._line_of[item.sop_class].store(item, dataset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.close()


def _batches(proposed: Mapping[str, tuple[Syntaxes, ...]]) -> Iterator[list[tuple[str, Syntaxes]]]:
    """Contexts for one association each; those of a class stay together."""
    batch: list[tuple[str, Syntaxes]] = []
    for sop_class, lists in proposed.items():
        if len(batch) + len(lists) > MAX_CONTEXTS:
            yield batch
            batch = []
        batch += [(sop_class, syntaxes) for syntaxes in lists]
    if batch:
        yield batch


class _Line:
    """One association with the destination, for one batch of contexts."""

    def __init__(
        self,
        target: Target,
        batch: list[tuple[str, Syntaxes]],
        originator: tuple[str, int] | None,
    ) -> None:
        self._batch = batch
        self._target = target
        self._originator = originator
        self._attempts = 0
        self._reason = ""  # why there is no association
        self._dialogue: Dialogue | None = None
        self._scu: StoreScu | None = None

    def accepts(self, sop_class: str) -> frozenset[str]:
        return self._opened().accepts(sop_class)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        scu = self._opened()
        try:
            answer = scu.store(item, dataset)
        except (AssociationEnded, ProtocolError) as error:
            _log.warning("association lost to=%s reason=%s", self._target.called_aet, error)
            self._reason = str(error)
            self._abort()
            raise Unreached(self._reason) from error
        self._attempts = 1  # one object that a station cannot bear does not use up the others' attempts
        return answer

    def close(self) -> None:
        if self._dialogue is None:
            return
        try:
            self._dialogue.association.release()
        except (AssociationEnded, ProtocolError) as error:
            _log.info("association not released to=%s reason=%s", self._target.called_aet, error)
            self._abort()

    def _abort(self) -> None:
        if self._dialogue is not None:
            self._dialogue.association.abort()
        self._dialogue = self._scu = None

    def _opened(self) -> StoreScu:
        if self._scu is None and self._attempts < _ATTEMPTS:
            self._attempts += 1
            self._open()
        if self._scu is None:
            raise Unreached(self._reason)
        return self._scu

    def _open(self) -> None:
        try:
            association = requestor.request(self._target, requestor.proposals(self._batch))
        except AssociationEnded as error:
            _log.warning("no association to=%s reason=%s", self._target.called_aet, error)
            self._reason = str(error)
            self._attempts = _ATTEMPTS  # it would cost every object another time-out
            return
        self._dialogue = Dialogue(association)
        self._scu = StoreScu(self._dialogue, association.contexts.values(), self._originator)

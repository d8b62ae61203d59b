"""C-MOVE sub-operations: associations with the destination, opened as they are needed."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from dimse import requestor, status
from dimse.channel import Item
from dimse.contexts import MAX_CONTEXTS
from dimse.dialogue import Dialogue
from dimse.errors import AssociationEnded, ProtocolError
from dimse.requestor import Target
from dimse.scu import StoreScu
from dimse.status import Status
from pacs import log

_ATTEMPTS: Final = 3  # how often an association that broke is opened again
_log = log.get(__name__)

Pair = tuple[str, str]  # SOP class, transfer syntax


class Mover:
    """A `channel.Courier` for one destination. Each pair of SOP class and transfer syntax is proposed
    in a context of its own, so that the destination cannot choose a syntax that is not the stored one;
    more pairs than fit into one association are spread over several."""

    def __init__(
        self, target: Target, pairs: Iterable[Pair], originator: tuple[str, int], tick: Callable[[], None]
    ) -> None:
        ordered = tuple(dict.fromkeys(pairs))
        batches = [ordered[i : i + MAX_CONTEXTS] for i in range(0, len(ordered), MAX_CONTEXTS)]
        self._lines = [_Line(target, batch, originator, tick) for batch in batches]
        self._line_of = {pair: line for line in self._lines for pair in line.pairs}

    def takes(self, item: Item) -> bool:
        line = self._line_of.get((item.sop_class, item.transfer_syntax))
        return line is not None and line.takes(item)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        return self._line_of[item.sop_class, item.transfer_syntax].store(item, dataset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.close()


class _Line:
    """One association with the destination, for one batch of contexts."""

    def __init__(
        self, target: Target, pairs: tuple[Pair, ...], originator: tuple[str, int], tick: Callable[[], None]
    ) -> None:
        self.pairs = pairs
        self._target = target
        self._originator = originator
        self._tick = tick
        self._attempts = 0
        self._dialogue: Dialogue | None = None
        self._scu: StoreScu | None = None

    def takes(self, item: Item) -> bool:
        """True also when there is no association: then `store` says what went wrong."""
        scu = self._opened()
        return scu is None or scu.takes(item)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        scu = self._opened()
        if scu is None or self._dialogue is None:
            return status.NOT_SENT
        try:
            return scu.store(item, dataset)
        except (AssociationEnded, ProtocolError) as error:
            _log.warning("move association lost to=%s reason=%s", self._target.called_aet, error)
            self._dialogue.association.abort()
            self._dialogue = self._scu = None
            return status.NOT_SENT

    def close(self) -> None:
        if self._dialogue is None:
            return
        try:
            self._dialogue.association.release()
        except (AssociationEnded, ProtocolError) as error:
            _log.info("move association not released to=%s reason=%s", self._target.called_aet, error)
            self._dialogue.association.abort()

    def _opened(self) -> StoreScu | None:
        if self._scu is None and self._attempts < _ATTEMPTS:
            self._attempts += 1
            self._open()
        return self._scu

    def _open(self) -> None:
        proposed = requestor.proposals((sop_class, (syntax,)) for sop_class, syntax in self.pairs)
        try:
            association = requestor.request(self._target, proposed)
        except AssociationEnded as error:
            _log.warning("no association for a move to=%s reason=%s", self._target.called_aet, error)
            self._attempts = _ATTEMPTS  # it would cost every object another time-out
            return
        association.wire.on_wait = self._tick
        self._dialogue = Dialogue(association)
        self._scu = StoreScu(self._dialogue, association.contexts.values(), self._originator)

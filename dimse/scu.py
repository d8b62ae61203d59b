"""Requests of our own over an established association: C-ECHO and C-STORE."""

from collections.abc import Iterable, Iterator

from dimse.channel import Item
from dimse.command import HAS_DATASET, Command, Operation
from dimse.contexts import VERIFICATION, Context
from dimse.dialogue import Dialogue
from dimse.errors import ProtocolError
from dimse.status import Status
from pacs.errors import PacsError

MEDIUM = 0  # Priority (PS3.7 E.1)


class StoreScu:
    """C-STORE over whichever association has the contexts for it; a `channel.Courier`."""

    def __init__(
        self, dialogue: Dialogue, contexts: Iterable[Context], originator: tuple[str, int] | None = None
    ) -> None:
        self._dialogue = dialogue
        self._originator = originator
        self._contexts: dict[tuple[str, str], Context] = {}
        for context in contexts:
            self._contexts.setdefault((context.abstract_syntax, context.transfer_syntax), context)

    def accepts(self, sop_class: str) -> frozenset[str]:
        return frozenset(syntax for known, syntax in self._contexts if known == sop_class)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        """Send one object. Raises AssociationEnded or ProtocolError."""
        aet, message = self._originator or ("", None)
        request = Command(
            Operation.C_STORE,
            message_id=self._dialogue.new_message_id(),
            sop_class=item.sop_class,
            sop_instance=item.sop_instance,
            priority=MEDIUM,
            dataset_type=HAS_DATASET,
            originator_aet=aet,
            originator_message_id=message,
        )
        context = self._contexts[item.sop_class, item.transfer_syntax]
        return status_of(ask(self._dialogue, context, request, _unbroken(dataset)))


def _unbroken(dataset: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Half of an object cannot be taken back: the association ends with it."""
    try:
        yield from dataset
    except PacsError as error:
        raise ProtocolError(f"an object broke off while it was sent: {error}") from error


def echo(dialogue: Dialogue) -> Status:
    """C-ECHO. Raises AssociationEnded or ProtocolError."""
    context = next(c for c in dialogue.association.contexts.values() if c.abstract_syntax == VERIFICATION)
    message_id = dialogue.new_message_id()
    request = Command(Operation.C_ECHO, message_id=message_id, sop_class=VERIFICATION)
    return status_of(ask(dialogue, context, request, None))


def ask(
    dialogue: Dialogue, context: Context, request: Command, dataset: Iterable[bytes | memoryview] | None
) -> Command:
    """A request with one response. Raises AssociationEnded or ProtocolError."""
    dialogue.send(context, request, dataset)
    return dialogue.response(request.message_id or 0)


def status_of(response: Command) -> Status:
    if response.status is None:
        raise ProtocolError("a response without a status")
    return Status(response.status, response.error_comment)

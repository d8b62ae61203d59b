"""One accepted association, request after request, until the peer has enough."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dimse import command, commitment, contexts, echo, find, mpps, retrieve, status, store, worklist
from dimse.asides import Asides
from dimse.channel import Aside, Channel, Counts, Request
from dimse.command import RESPONSE, Command, Operation
from dimse.dialogue import Dialogue, Incoming
from dimse.errors import AbortReason, AssociationEnded, ProtocolError
from dimse.ports import Archive
from dimse.scu import StoreScu
from dimse.status import Status
from dimse.upper_layer import Association
from pacs import log
from pacs.auth.actor import Actor
from pacs.errors import PacsError

_log = log.get(__name__)

Handler = Callable[[Archive, Actor, Request, Channel], None]

# Every DIMSE service there is; handlers check rights through the use case they call.
SERVICES: Final[Mapping[int, Handler]] = MappingProxyType(
    {
        Operation.C_ECHO: echo.handle,
        Operation.C_STORE: store.handle,
        Operation.C_FIND: find.handle,
        Operation.C_MOVE: retrieve.handle_move,
        Operation.C_GET: retrieve.handle_get,
    }
)

# Those of one class only: several classes share an operation.
NORMALIZED: Final[Mapping[tuple[str, int], Handler]] = MappingProxyType(
    {
        (contexts.STORAGE_COMMITMENT, Operation.N_ACTION): commitment.handle,
        (contexts.MODALITY_WORKLIST, Operation.C_FIND): worklist.handle,
        (contexts.PERFORMED_STEP, Operation.N_CREATE): mpps.handle_create,
        (contexts.PERFORMED_STEP, Operation.N_SET): mpps.handle_set,
    }
)


def run(archive: Archive, actor: Actor, association: Association) -> None:
    """Serve until released. Raises ProtocolError or AssociationEnded."""
    dialogue = Dialogue(association)
    with Asides(dialogue, archive.config.dimse.idle_timeout) as asides:
        association.rest(idle=True)
        while (incoming := asides.next()) is not None:
            association.rest(idle=False)
            _serve(archive, actor, asides, incoming)
            association.rest(idle=True)


def _serve(archive: Archive, actor: Actor, asides: Asides, incoming: Incoming) -> None:
    asked = incoming.command
    if asked.field == Operation.C_CANCEL:
        return  # what it wanted to stop is over (PS3.7 9.3.2.3)
    if asked.is_response:
        raise ProtocolError("a response to nothing", AbortReason.UNEXPECTED_PARAMETER)
    dialogue = asides.dialogue
    parties = dialogue.association.parties
    request = Request(asked, incoming.context, parties.calling_aet, parties.called_aet)
    channel = _Channel(dialogue, asides, incoming)
    handler = _handler(incoming.context.abstract_syntax, asked.field)
    if handler is None:
        channel.reply(status.UNRECOGNIZED_OPERATION)
    elif asked.message_id is None:
        channel.reply(status.MISTYPED_ARGUMENT)
    else:
        channel.reply_unless_done(_outcome(handler, archive, actor, request, channel))


def _handler(abstract_syntax: str, field: int) -> Handler | None:
    if field not in contexts.operations_of(abstract_syntax):
        return None
    return NORMALIZED.get((abstract_syntax, field)) or SERVICES.get(field)


def _outcome(
    handler: Handler, archive: Archive, actor: Actor, request: Request, channel: "_Channel"
) -> Status | None:
    """None when the handler has answered by itself."""
    try:
        handler(archive, actor, request, channel)
    except PacsError as error:
        _log.info("refused operation=%04X kind=%s", request.command.field, type(error).__name__)
        return status.of_error(request.command.field, error)
    except (AssociationEnded, ProtocolError):
        raise
    except Exception as error:  # noqa: BLE001 - one request's failure must not end the others; it is logged
        _log.error("failed operation=%04X error=%s", request.command.field, _where(error))
        return status.PROCESSING_FAILURE
    return None


def _where(error: Exception) -> str:
    """Kind and place; the message could hold a patient's data."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames[-5:]))


@dataclass(slots=True)
class _Channel:
    """`channel.Channel` over a dialogue."""

    _dialogue: Dialogue
    _asides: Asides
    _incoming: Incoming
    _done: bool = False

    def fragments(self) -> Iterator[memoryview]:
        return self._dialogue.fragments()

    def cancelled(self) -> bool:
        return self._dialogue.cancelled(self._incoming.command.message_id or 0)

    def later(self, aside: Aside) -> None:
        self._asides.add(aside)

    def courier(self) -> StoreScu:
        offered = self._dialogue.association.contexts.values()
        return StoreScu(self._dialogue, (c for c in offered if c.requestor_scp))

    def reply(self, answer: Status, *, identifier: bytes | None = None, counts: Counts | None = None) -> None:
        self._dialogue.skip_data()
        asked = self._incoming.command
        response = Command(
            asked.field | RESPONSE,
            responded_to=asked.message_id,
            sop_class=asked.sop_class or asked.requested_sop_class,
            sop_instance=asked.sop_instance or asked.requested_sop_instance,
            dataset_type=command.NO_DATASET if identifier is None else command.HAS_DATASET,
            status=answer.code,
            error_comment=status.comment(answer),
            error_id=answer.error_id,
            attributes=answer.attributes,
            event_type=asked.event_type,
            action_type=asked.action_type,
            remaining=counts.remaining if counts else None,
            completed=counts.completed if counts else None,
            failed=counts.failed if counts else None,
            warning=counts.warning if counts else None,
        )
        self._dialogue.send(self._incoming.context, response, None if identifier is None else (identifier,))
        self._done = not answer.is_pending

    def reply_unless_done(self, answer: Status | None) -> None:
        if answer is not None and not self._done:
            self.reply(answer)

"""C-FIND, C-MOVE and C-GET of our own (PS3.4 C.4): answers as they come, one at a time.

Whoever stops listening before the end has the rest cancelled.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dimse import dataset, identifier
from dimse.channel import Counts
from dimse.command import HAS_DATASET, RESPONSE, Command, Operation
from dimse.contexts import Context
from dimse.dataset import Element
from dimse.dialogue import Dialogue, Incoming
from dimse.errors import AbortReason, ProtocolError
from dimse.identifier import Identifier
from dimse.scu import MEDIUM, status_of
from dimse.status import Status
from pacs.dicom.attributes import tag_of

_FAILED_LIST: Final = tag_of("FailedSOPInstanceUIDList")

Elements = Mapping[int, Element]


@dataclass(frozen=True, slots=True)
class Response:
    """One response; the last is not pending. `identifier` is a match of C-FIND."""

    status: Status
    identifier: Identifier | None
    counts: Counts

    @property
    def failed_instances(self) -> tuple[str, ...]:
        """Those of C-MOVE and C-GET that could not be sent (PS3.4 C.4.2.1.4.2)."""
        return self.identifier.text(_FAILED_LIST) if self.identifier else ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """An object that C-GET brings; `fragments` holds each piece until the next is asked for."""

    command: Command
    context: Context
    fragments: Iterator[memoryview]


Answers = Generator[Response, None, None]
Keep = Callable[[Delivery], Status]


def find(dialogue: Dialogue, context: Context, keys: Elements) -> Answers:
    """Raises AssociationEnded, ProtocolError."""
    return _answers(dialogue, context, _request(dialogue, context, Operation.C_FIND), keys, _unasked)


def move(dialogue: Dialogue, context: Context, keys: Elements, destination: str) -> Answers:
    """Raises AssociationEnded, ProtocolError."""
    request = _request(dialogue, context, Operation.C_MOVE, destination)
    return _answers(dialogue, context, request, keys, _unasked)


def get(dialogue: Dialogue, context: Context, keys: Elements, keep: Keep) -> Answers:
    """`keep` is given every object, and its status goes back. Raises AssociationEnded, ProtocolError,
    and what `keep` raises."""
    return _answers(dialogue, context, _request(dialogue, context, Operation.C_GET), keys, keep)


def _request(dialogue: Dialogue, context: Context, operation: Operation, destination: str = "") -> Command:
    return Command(
        operation,
        message_id=dialogue.new_message_id(),
        sop_class=context.abstract_syntax,
        priority=MEDIUM,
        dataset_type=HAS_DATASET,
        move_destination=destination,
    )


def _answers(dialogue: Dialogue, context: Context, request: Command, keys: Elements, keep: Keep) -> Answers:
    message_id = request.message_id or 0
    dialogue.send(context, request, (dataset.encode(keys, context.transfer_syntax),))
    done = False
    try:
        while not done:
            response = _next(dialogue, message_id, keep)
            done = not response.status.is_pending
            yield response
    except GeneratorExit:
        if not done:
            _cancel(dialogue, context, message_id, keep)
        raise


def _cancel(dialogue: Dialogue, context: Context, message_id: int, keep: Keep) -> None:
    """What is under way still comes, and is taken (PS3.7 9.3.2.3)."""
    dialogue.send(context, Command(Operation.C_CANCEL, responded_to=message_id))
    while _next(dialogue, message_id, keep).status.is_pending:
        pass


def _next(dialogue: Dialogue, message_id: int, keep: Keep) -> Response:
    while True:
        incoming = dialogue.incoming()
        if incoming.command.is_response and incoming.command.responded_to == message_id:
            return _response(dialogue, incoming)
        if incoming.command.field != Operation.C_STORE:
            raise ProtocolError("another message instead of a response", AbortReason.UNEXPECTED_PARAMETER)
        _keep(dialogue, incoming, keep)


def _response(dialogue: Dialogue, incoming: Incoming) -> Response:
    raw = bytearray()
    for fragment in dialogue.fragments():
        raw += fragment
        if len(raw) > identifier.MAX_SIZE:
            raise ProtocolError("an answer is too large")
    said = incoming.command
    found = identifier.decode(bytes(raw), incoming.context.transfer_syntax) if raw else None
    counts = Counts(said.remaining, said.completed or 0, said.failed or 0, said.warning or 0)
    return Response(status_of(said), found, counts)


def _keep(dialogue: Dialogue, incoming: Incoming, keep: Keep) -> None:
    asked = incoming.command
    answer = keep(Delivery(asked, incoming.context, dialogue.fragments()))
    dialogue.skip_data()
    response = Command(
        Operation.C_STORE | RESPONSE,
        responded_to=asked.message_id,
        sop_class=asked.sop_class,
        sop_instance=asked.sop_instance,
        status=answer.code,
        error_comment=answer.comment,
    )
    dialogue.send(incoming.context, response)


def _unasked(_: Delivery) -> Status:
    raise ProtocolError("an object that nobody asked for", AbortReason.UNEXPECTED_PARAMETER)

"""DIMSE messages over an association (PS3.7 6.3.1): whole commands, data sets as they arrive."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from dimse import command
from dimse.command import Command, Operation
from dimse.contexts import Context
from dimse.errors import AbortReason, ProtocolError, Released
from dimse.pdu import Value
from dimse.upper_layer import Association


@dataclass(frozen=True, slots=True)
class Incoming:
    context: Context
    command: Command


class Dialogue:
    """One at a time: a message's data set is read, or skipped, before the next message is."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self._data_of: Context | None = None  # whose data set is still under way
        self._held: Incoming | None = None
        self._cancelled: set[int] = set()
        self._ids = count(1)
        self._awaited: dict[int, Callable[[Command], None]] = {}

    def next(self) -> Incoming | None:
        """The next message; None when the peer has released the association."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        self.skip_data()
        self._cancelled.clear()
        return self._read()

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing has come that `next` would give; waits for it at most so long."""
        return self._held is None and not self.association.readable(seconds)

    def fragments(self) -> Iterator[memoryview]:
        """The data set of the current message, piece by piece; each holds until the next is asked for."""
        while self._data_of is not None:
            value = self._value()
            if value.is_command or value.context_id != self._data_of.id:
                raise ProtocolError(
                    "a data set is interrupted by another message", AbortReason.UNEXPECTED_PARAMETER
                )
            if value.is_last:
                self._data_of = None
            yield value.data

    def skip_data(self) -> None:
        """Read past what is left of the current message."""
        if self._held is None:  # what is under way else belongs to the message held
            for _ in self.fragments():
                pass

    def send(
        self, context: Context, message: Command, dataset: Iterable[bytes | memoryview] | None = None
    ) -> None:
        self.association.send(context, command.encode(message), dataset)

    def new_message_id(self) -> int:
        return (next(self._ids) - 1) % 0xFFFF + 1

    def cancelled(self, message_id: int) -> bool:
        """Whether a C-CANCEL-RQ for this message has arrived (PS3.7 9.3.2.3). A request that came
        instead is kept for `next`."""
        self.skip_data()
        while self._held is None and message_id not in self._cancelled and self.association.readable():
            incoming = self._must(self._read())
            if self.settles(incoming):
                continue
            if incoming.command.field == Operation.C_CANCEL:
                self._note(incoming)
            else:
                self._held = incoming
        return message_id in self._cancelled

    def response(self, message_id: int) -> Command:
        """Wait for the response to a request of ours."""
        incoming = self.incoming()
        if not incoming.command.is_response or incoming.command.responded_to != message_id:
            # Nothing but this response can come: asynchronous operations were not negotiated.
            raise ProtocolError("another message instead of a response", AbortReason.UNEXPECTED_PARAMETER)
        self.skip_data()
        return incoming.command

    def incoming(self) -> Incoming:
        """Wait for the next message while a request of ours is under way."""
        self.skip_data()
        while True:
            incoming = self._must(self._read())
            if incoming.command.field == Operation.C_CANCEL:
                self._note(incoming)
            elif not self.settles(incoming):
                return incoming

    def ask(
        self,
        message: Command,
        dataset: Callable[[str], bytes],
        answered: Callable[[Command], None],
    ) -> None:
        """A request whose response is not waited for: `answered` gets it when it comes, between
        whatever else comes (PS3.7 9.3, 10.3: either side may ask). Raises ProtocolError where no
        context was accepted for its class."""
        wanted = message.requested_sop_class or message.sop_class
        context = next((c for c in self.association.contexts.values() if c.abstract_syntax == wanted), None)
        if context is None:
            raise ProtocolError("a request over a context that was not accepted")
        self._awaited[message.message_id or 0] = answered
        self.send(context, message, (dataset(context.transfer_syntax),))

    def settles(self, incoming: Incoming) -> bool:
        """Whether it is the response to such a request, which is then passed on."""
        known = incoming.command.is_response and incoming.command.responded_to in self._awaited
        if known:
            answered = self._awaited.pop(incoming.command.responded_to or 0)
            self.skip_data()
            answered(incoming.command)
        return known

    def _note(self, incoming: Incoming) -> None:
        if incoming.command.responded_to is not None:
            self._cancelled.add(incoming.command.responded_to)
        self.skip_data()

    def _read(self) -> Incoming | None:
        first = self.association.next_value()
        if first is None:
            return None
        gathered = bytearray()
        value = first
        while True:
            if not value.is_command or value.context_id != first.context_id:
                raise ProtocolError("expected a command set", AbortReason.UNEXPECTED_PARAMETER)
            gathered += value.data
            if len(gathered) > command.MAX_SIZE:
                raise ProtocolError("command set is too long")
            if value.is_last:
                break
            value = self._value()
        incoming = Incoming(self.association.contexts[first.context_id], command.decode(gathered))
        self._data_of = incoming.context if incoming.command.has_dataset else None
        return incoming

    def _value(self) -> Value:
        value = self.association.next_value()
        if value is None:
            raise ProtocolError("released in the middle of a message", AbortReason.UNEXPECTED_PDU)
        return value

    def _must(self, incoming: Incoming | None) -> Incoming:
        if incoming is None:
            raise Released("released while an operation was under way")
        return incoming

"""What a handler sees of the wire: a request as a value, and a channel for its answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dimse.command import Command
from dimse.contexts import Context
from dimse.status import Status


@dataclass(frozen=True, slots=True)
class Request:
    """A request, without its data set. `aet` is our title as the peer called it."""

    command: Command
    context: Context
    calling_aet: str
    called_aet: str

    @property
    def message_id(self) -> int:
        return self.command.message_id or 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Sub-operations of C-MOVE and C-GET (PS3.7 9.1.4.1.6-9)."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True, slots=True)
class Item:
    """An object on its way out: what C-STORE-RQ says of it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str


class Courier(Protocol):
    """Brings objects to a peer by C-STORE."""

    def accepts(self, sop_class: str) -> frozenset[str]:
        """Transfer syntaxes in which the peer accepts this class. Raises Unreached."""

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        """Send one object, in a transfer syntax that is accepted, and give the peer's status.

        Raises Unreached."""


class Line(Protocol):
    """An association at a quiet moment, for a request of our own."""

    def new_message_id(self) -> int: ...

    def ask(
        self,
        message: Command,
        dataset: Callable[[str], bytes],
        answered: Callable[[Command], None],
    ) -> None:
        """Send a request over the context of its class, with the data set for the transfer syntax of
        that; `answered` is called with the response, whenever it comes."""


class Aside(Protocol):
    """Something that waits for its moment on an association."""

    def look(self, line: Line) -> bool:
        """Called now and then while nothing else happens; False once there is nothing left to do."""

    def end(self) -> None:
        """There will be no other moment."""


class Channel(Protocol):
    """Answers to one request. Everything raises AssociationEnded when the peer is gone."""

    def fragments(self) -> Iterator[memoryview]:
        """The request's data set as it arrives; a fragment holds until the next one is asked for."""

    def reply(self, status: Status, *, identifier: bytes | None = None, counts: Counts | None = None) -> None:
        """Send a response; what is left of the request's data set is skipped first."""

    def cancelled(self) -> bool:
        """Whether the peer has asked to stop."""

    def later(self, aside: "Aside") -> None:
        """What is to be done over the same association, once it is quiet."""

    def courier(self) -> Courier:
        """Sub-operations over the same association, as C-GET has them (PS3.4 C.4.3.3)."""

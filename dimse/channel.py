"""What a handler sees of the wire: a request as a value, and a channel for its answers."""

from collections.abc import Iterable, Iterator
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

    def accepts(self, sop_class: str) -> frozenset[str] | None:
        """Transfer syntaxes in which the peer accepts this class; None when the peer is not there."""

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        """Send one object, in a transfer syntax that is accepted, and give the peer's status."""


class Channel(Protocol):
    """Answers to one request. Everything raises AssociationEnded when the peer is gone."""

    def fragments(self) -> Iterator[memoryview]:
        """The request's data set as it arrives; a fragment holds until the next one is asked for."""

    def reply(self, status: Status, *, identifier: bytes | None = None, counts: Counts | None = None) -> None:
        """Send a response; what is left of the request's data set is skipped first."""

    def cancelled(self) -> bool:
        """Whether the peer has asked to stop."""

    def courier(self) -> Courier:
        """Sub-operations over the same association, as C-GET has them (PS3.4 C.4.3.3)."""

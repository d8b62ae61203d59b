"""What the handlers need of the archive; `pacs.runtime.Archive` is one."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pacs.auth.actor import Actor
from pacs.commitment import model as commitment
from pacs.commitment.model import Result
from pacs.config import Config
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt
from pacs.orders.model import DataSet, Declined, Taken
from pacs.orders.schedule import Asked
from pacs.query.model import Match, Query
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject, Wanted


class Spooled(Protocol):
    def begin(self, prefix: bytes) -> None: ...

    def write(self, data: bytes | bytearray | memoryview) -> None: ...


class Ingest(Protocol):
    def spool(self, actor: Actor) -> AbstractContextManager[Any]: ...

    def accept(self, actor: Actor, spooled: Any, expected: Expected) -> Receipt: ...


class Search(Protocol):
    def stream(self, actor: Actor, query: Query, stop: Callable[[], bool]) -> Iterator[Match]: ...


class Given(Protocol):
    transfer_syntax: str

    def dataset(self, working: Callable[[], None]) -> Iterator[bytes]: ...


class Chosen(Protocol):
    @property
    def count(self) -> int: ...

    @property
    def contexts(self) -> tuple[tuple[str, str], ...]: ...

    def __iter__(self) -> Iterator[StoredObject]: ...


class Retrieve(Protocol):
    def choose(self, actor: Actor, wanted: Wanted) -> Chosen: ...

    @property
    def abilities(self) -> Abilities: ...

    def give(self, stored: StoredObject, accepted: Collection[str]) -> AbstractContextManager[Given]: ...


class Visitor(Protocol):
    @property
    def actor(self) -> Actor: ...

    @property
    def proved(self) -> bool: ...


class Commitments(Protocol):
    def ask(self, actor: Actor, asked: commitment.Asked, *, holder: str = "") -> int: ...

    def result(self, actor: Actor, id_: int, holder: str) -> Result | None: ...

    def told(self, actor: Actor, id_: int) -> None: ...

    def let_go(self, actor: Actor, id_: int, holder: str) -> None: ...


class Schedule(Protocol):
    def stream(self, actor: Actor, asked: Asked, cancelled: Callable[[], bool]) -> Iterator[DataSet]: ...


class Performing(Protocol):
    def create(self, actor: Actor, uid: str, dataset: DataSet) -> Taken | Declined: ...

    def set(self, actor: Actor, uid: str, change: DataSet) -> Taken | Declined: ...


class Door(Protocol):
    def visitor(self, calling_aet: str, address: str, token: str | None) -> Visitor | None: ...


class Archive(Protocol):
    @property
    def config(self) -> Config: ...

    @property
    def ingest(self) -> Ingest: ...

    @property
    def search(self) -> Search: ...

    @property
    def retrieve(self) -> Retrieve: ...

    @property
    def commitments(self) -> Commitments: ...

    @property
    def schedule(self) -> Schedule: ...

    @property
    def performing(self) -> Performing: ...

    @property
    def door(self) -> Door: ...

    def turned_away(self, channel: str, name: str, origin: str, reason: str) -> None: ...

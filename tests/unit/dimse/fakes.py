# ruff: noqa: ARG002, ARG005 - a fake takes what the real one takes
"""An archive in memory for the mechanics of the wire, and a peer that speaks raw PDUs."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Self

from dimse import associate, command, pdu
from dimse.associate import AssociateAccept, AssociateReject, AssociateRequest, Proposed, Role
from dimse.command import Command, Operation
from dimse.contexts import STORAGE_COMMITMENT
from dimse.pdu import Kind, PduBuffer
from dimse.report import INSTANCE
from dimse.service import serve
from pacs.auth.actor import Actor
from pacs.auth.actor import Role as Right
from pacs.auth.door import Visitor
from pacs.config import Config, DimseConfig
from pacs.dicom import uids
from pacs.dicom.uids import InstanceKey
from pacs.errors import NotAcceptable, NotFound
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt, Stored
from pacs.query.model import Match, Query
from pacs.retrieve import negotiate
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject, Wanted

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"


@dataclass(slots=True)
class Spooled:
    data: bytearray = field(default_factory=bytearray)
    closed: bool = False

    def begin(self, prefix: bytes) -> None:
        self.data += prefix

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


@dataclass(slots=True)
class FakeArchive:
    """Answers as it is told; `trouble` is raised by the next use of anything."""

    config: Config
    spools: list[Spooled] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    trouble: Exception | None = None
    matches: list[Match] = field(default_factory=list)
    objects: dict[str, tuple[StoredObject, Callable[[], Iterator[bytes]]]] = field(default_factory=dict)
    queries: list[Query] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    known: frozenset[str] | None = None
    pulled: int = 0
    strangers: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def ingest(self) -> "FakeArchive":
        return self

    @property
    def search(self) -> "FakeArchive":
        return self

    @property
    def retrieve(self) -> "FakeArchive":
        return self

    @property
    def schedule(self) -> Any:
        raise NotImplementedError

    @property
    def performing(self) -> Any:
        raise NotImplementedError

    @property
    def door(self) -> "FakeArchive":
        return self

    def visitor(self, calling_aet: str, address: str, token: str | None) -> Visitor | None:
        if self.known is not None and (token or calling_aet) not in self.known:
            return None
        return Visitor(Actor(calling_aet, frozenset(Right), address, "dimse"), proved=token is not None)

    def turned_away(self, channel: str, name: str, origin: str, reason: str) -> None:
        self.strangers.append((channel, name, origin, reason))

    def spool(self, actor: Actor) -> Spooled:
        self._fail()
        self.spools.append(Spooled())
        return self.spools[-1]

    def accept(self, actor: Actor, spooled: Spooled, expected: Expected) -> Receipt:
        self._fail()
        self.kept.append(bytes(spooled.data))
        return Stored(InstanceKey("", "", expected.sop_instance), expected.sop_class, "")

    def stream(self, actor: Actor, query: Query, stop: Callable[[], bool]) -> Iterator[Match]:
        self._fail()
        self.queries.append(query)
        for match in self.matches:
            self.pulled += 1
            yield match

    def choose(self, actor: Actor, wanted: Wanted) -> Any:
        self._fail()
        self.wanted.append(wanted)
        stored = [one for one, _ in self.objects.values()]
        pairs = tuple(dict.fromkeys((one.sop_class, one.transfer_syntax) for one in stored))
        return _Chosen(stored, pairs)

    @property
    def abilities(self) -> Abilities:
        native = frozenset({uids.EXPLICIT_LE, uids.IMPLICIT_LE})
        return Abilities(native, native)

    @contextlib.contextmanager
    def give(self, stored: StoredObject, accepted: Collection[str]) -> Iterator[Any]:
        """The same bytes whatever the transfer syntax."""
        self._fail()
        possible = negotiate.choices(stored.transfer_syntax, accepted, self.abilities)
        if not possible:
            raise NotAcceptable("nothing fits")
        chunks = self.objects[stored.key.instance][1]
        yield SimpleNamespace(transfer_syntax=possible[0], dataset=lambda working: chunks())

    def put(self, instance: str, dataset: bytes, sop_class: str = CT, syntax: str = uids.EXPLICIT_LE) -> None:
        self.put_stream(instance, lambda: iter([dataset]), sop_class, syntax)

    def put_stream(
        self,
        instance: str,
        chunks: Callable[[], Iterator[bytes]],
        sop_class: str = CT,
        syntax: str = uids.EXPLICIT_LE,
    ) -> None:
        stored = StoredObject(InstanceKey("1.2", "1.3", instance), sop_class, syntax, 0, 0, "", 0, 0)
        self.objects[instance] = (stored, chunks)

    def _fail(self) -> None:
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble


@dataclass(frozen=True, slots=True)
class _Chosen:
    stored: list[StoredObject]
    contexts: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[StoredObject]:
        return iter(self.stored)


def missing() -> Iterator[bytes]:
    raise NotFound("gone")
    yield b""


@dataclass(slots=True)
class Running:
    """A DIMSE service in this process."""

    archive: FakeArchive
    port: int
    stop: threading.Event
    thread: threading.Thread

    def peer(self, **more: Any) -> "Peer":
        return Peer(socket.create_connection(("127.0.0.1", self.port), timeout=10), **more)


@contextlib.contextmanager
def service(**dimse: Any) -> Iterator[Running]:
    settings = replace(DimseConfig(), **({"acse_timeout": 2.0, "idle_timeout": 5.0} | dimse))
    archive = FakeArchive(Config(dimse=settings))
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        thread = threading.Thread(target=serve, args=(archive, sock, stop))
        thread.start()
        try:
            yield Running(archive, sock.getsockname()[1], stop, thread)
        finally:
            stop.set()
            thread.join(15)
            assert not thread.is_alive()


class Rejected(AssertionError):
    """An association that was to be accepted was not."""

    def __init__(self, reject: AssociateReject) -> None:
        super().__init__(reject)
        self.reject = reject


@dataclass(slots=True)
class Peer:
    """The other side of a connection, as rude as a test needs it to be."""

    sock: socket.socket
    max_length: int = 65_536
    buffer: PduBuffer = field(default_factory=lambda: PduBuffer(1 << 20))
    longest: int = 0

    def send(self, raw: bytes) -> None:
        self.sock.sendall(raw)

    def read(self) -> tuple[Kind, bytes] | None:
        """The next PDU, None at the end of the connection."""
        while (found := self.buffer.take()) is None:
            raw = self.sock.recv(65_536)
            if not raw:
                return None
            self.buffer.feed(raw)
        if found.kind is Kind.P_DATA:
            self.longest = max(self.longest, len(found.body))
        return found.kind, bytes(found.body)

    def ask(
        self, *proposed: tuple[str, str], roles: tuple[Role, ...] = (), **more: Any
    ) -> tuple[Kind, bytes]:
        contexts = tuple(Proposed(2 * i + 1, a, (t,)) for i, (a, t) in enumerate(proposed))
        request = AssociateRequest("HILUM", "PEER", contexts, self.max_length, roles)
        self.send(associate.encode_request(replace(request, **more)))
        answer = self.read()
        assert answer is not None
        return answer

    def associate(self, *proposed: tuple[str, str], **more: Any) -> AssociateAccept:
        kind, body = self.ask(
            *(proposed or ((VERIFICATION, uids.IMPLICIT_LE), (CT, uids.EXPLICIT_LE))), **more
        )
        if kind is Kind.ASSOCIATE_RJ:
            raise Rejected(associate.decode_reject(memoryview(body)))
        assert kind is Kind.ASSOCIATE_AC, (kind, body)
        return associate.decode_accept(memoryview(body))

    def rejected(self, **more: Any) -> tuple[int, int, int]:
        kind, body = self.ask((VERIFICATION, uids.IMPLICIT_LE), **more)
        assert kind is Kind.ASSOCIATE_RJ
        found: AssociateReject = associate.decode_reject(memoryview(body))
        return found.result, found.source, found.reason

    def request(
        self, context_id: int, message: Command, dataset: bytes | None = None, *, step: int = 65_536
    ) -> None:
        self.send(value(context_id, command.encode(message), is_command=True, is_last=True))
        if dataset is not None:
            pieces = [dataset[i : i + step] for i in range(0, len(dataset), step)] or [b""]
            for piece in pieces[:-1]:
                self.send(value(context_id, piece))
            self.send(value(context_id, pieces[-1], is_last=True))

    def message(self) -> tuple[Command, bytes]:
        """The next message, whole."""
        raw, data, wanted = b"", b"", None
        while True:
            kind, body = self.read() or (None, b"")
            assert kind is Kind.P_DATA, kind
            for one in pdu.values(memoryview(body)):
                if one.is_command:
                    raw += one.data
                    wanted = command.decode(raw) if one.is_last else None
                else:
                    data += one.data
                if wanted is not None and one.is_last and (not wanted.has_dataset or not one.is_command):
                    return wanted, data

    def echo(self, message_id: int = 1) -> int | None:
        self.request(1, Command(Operation.C_ECHO, message_id=message_id, sop_class=VERIFICATION))
        answer, _ = self.message()
        assert answer.responded_to == message_id
        return answer.status

    def store(
        self, dataset: bytes, *, message_id: int = 1, instance: str = "1.2.3", step: int = 65_536
    ) -> Command:
        self.request(3, store_rq(message_id, instance), dataset, step=step)
        return self.message()[0]

    def aborted(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that must come next, and then the end."""
        kind, body = self.read() or (None, b"")
        assert kind is Kind.ABORT, kind
        assert self.at_end()
        return body[2], body[3]

    def at_end(self) -> bool:
        self.sock.shutdown(socket.SHUT_WR)
        return self.read() is None

    def release(self) -> None:
        self.send(pdu.release_rq())
        assert self.read() == (Kind.RELEASE_RP, bytes(4))
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def store_rq(message_id: int = 1, instance: str = "1.2.3", sop_class: str = CT) -> Command:
    return Command(
        Operation.C_STORE,
        message_id=message_id,
        sop_class=sop_class,
        sop_instance=instance,
        priority=0,
        dataset_type=1,
    )


def commitment_rq() -> Command:
    return Command(
        Operation.N_ACTION,
        message_id=1,
        requested_sop_class=STORAGE_COMMITMENT,
        requested_sop_instance=INSTANCE,
        action_type=1,
        dataset_type=1,
    )


def value(context_id: int, data: bytes, *, is_command: bool = False, is_last: bool = False) -> bytes:
    """A P-DATA-TF of one value."""
    return wrap(bare(context_id, data, is_command=is_command, is_last=is_last))


def bare(context_id: int, data: bytes, *, is_command: bool = False, is_last: bool = False) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, is_command | is_last << 1) + data


def wrap(values: bytes) -> bytes:
    return struct.pack(">BBI", Kind.P_DATA, 0, len(values)) + values

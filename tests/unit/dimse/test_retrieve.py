"""C-GET and C-MOVE: sub-operations, their counts, and everything that can go wrong on the way."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest

from dimse import associate, command, pdu
from dimse.associate import Answered, AssociateAccept, AssociateReject, Proposed, Role
from dimse.command import Command, Operation
from dimse.pdu import Kind
from pacs.config import Peer as Known
from pacs.dicom import uids
from pacs.errors import Unavailable
from tests.unit.dimse.fakes import CT, GET, MOVE, FakeArchive, Peer, Running, missing, service

MR = "1.2.840.10008.5.1.4.1.1.4"
JPEG = "1.2.840.10008.1.2.4.50"


def key(tag: str, vr: bytes, text: str) -> bytes:
    raw = text.encode() + (b"\0" if vr == b"UI" else b" ") * (len(text) % 2)
    return bytes.fromhex(tag) + vr + len(raw).to_bytes(2, "little") + raw


def wanted(level: str, *keys: bytes) -> bytes:
    return key("0800 5200", b"CS", level) + b"".join(keys)


STUDY = wanted("STUDY", key("2000 0D00", b"UI", "1.2"))


def rq(operation: Operation, destination: str = "", message_id: int = 5) -> Command:
    model = GET if operation is Operation.C_GET else MOVE
    return Command(
        operation,
        message_id=message_id,
        sop_class=model,
        priority=0,
        dataset_type=1,
        move_destination=destination,
    )


@dataclass(slots=True)
class Outcome:
    pending: list[Command] = field(default_factory=list)
    final: Command = field(default_factory=lambda: Command(0))
    identifier: bytes = b""
    received: dict[str, bytes] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[int | None, ...]:
        return self.final.remaining, self.final.completed, self.final.failed, self.final.warning


def follow(peer: Peer, *, status: int = 0, cancel_after: int = 0) -> Outcome:
    """Take what comes on the association, sub-operations too, until the last response."""
    out = Outcome()
    while True:
        message, data = peer.message()
        if message.field == Operation.C_STORE:
            out.received[message.sop_instance] = data
            if cancel_after and len(out.received) == cancel_after:
                peer.request(1, Command(Operation.C_CANCEL, responded_to=5))
            answer = Command(0x8001, responded_to=message.message_id, sop_class=CT, status=status)
            peer.request(3, answer)
        elif message.status == 0xFF00:
            out.pending.append(message)
        else:
            out.final, out.identifier = message, data
            return out


def get(
    running: Running, identifier: bytes = STUDY, *, pairs: tuple[tuple[str, str], ...] = (), **more: int
) -> Outcome:
    offered = pairs or ((CT, uids.EXPLICIT_LE),)
    roles = tuple(Role(name, scu=False, scp=True) for name in dict.fromkeys(p[0] for p in offered))
    with running.peer() as peer:
        accept = peer.associate((GET, uids.EXPLICIT_LE), *offered, roles=roles)
        assert accept.roles == roles
        peer.request(1, rq(Operation.C_GET), identifier)
        out = follow(peer, **more)
        peer.release()
        return out


def test_get_brings_every_byte() -> None:
    with service() as running:
        data = {f"1.2.{n}": bytes([n]) * (100_000 * n) for n in range(1, 4)}
        for instance, dataset in data.items():
            running.archive.put(instance, dataset)
        out = get(running)
        assert out.received == data
        assert (out.final.status, out.counts, out.identifier) == (0, (None, 3, 0, 0), b"")
        assert [p.remaining for p in out.pending] == [2, 1, 0]


def test_nothing_found_is_success() -> None:
    with service() as running:
        out = get(running)
        assert (out.final.status, out.counts) == (0, (None, 0, 0, 0))


def test_what_the_peer_does_not_take_is_counted_and_listed() -> None:
    with service() as running:
        running.archive.put("1.2.1", b"one1")
        running.archive.put("1.2.2", b"two2", syntax=JPEG)
        running.archive.put("1.2.3", b"three3", sop_class=MR)
        running.archive.put_stream("1.2.4", missing)
        running.archive.put("1.2.5", b"five")
        out = get(running)
        assert set(out.received) == {"1.2.1", "1.2.5"}
        assert (out.final.status, out.counts) == (0xB000, (None, 2, 3, 0))
        assert b"1.2.2\\1.2.3\\1.2.4" in out.identifier
        assert out.final.error_comment == "nothing fits"


def test_all_failed() -> None:
    with service() as running:
        running.archive.put("1.2.2", b"two2", syntax=JPEG)
        out = get(running)
        assert (out.final.status, out.counts) == (0xA702, (None, 0, 1, 0))
        assert b"1.2.2" in out.identifier


@pytest.mark.parametrize(
    ("status", "final", "counts"), [(0xB007, 0xB000, (None, 0, 0, 1)), (0xA700, 0xA702, (None, 0, 1, 0))]
)
def test_the_peers_status_is_counted(status: int, final: int, counts: tuple[int | None, ...]) -> None:
    with service() as running:
        running.archive.put("1.2.1", b"one1")
        out = get(running, status=status)
        assert (out.final.status, out.counts) == (final, counts)


def test_without_the_role_nothing_is_sent() -> None:
    with service() as running, running.peer() as peer:
        running.archive.put("1.2.1", b"one1")
        peer.associate((GET, uids.EXPLICIT_LE), (CT, uids.EXPLICIT_LE))
        peer.request(1, rq(Operation.C_GET), STUDY)
        assert follow(peer).final.status == 0xA702


def test_get_is_cancelled() -> None:
    with service() as running:
        for n in range(1, 50):
            running.archive.put(f"1.2.{n}", b"data")
        out = get(running, cancel_after=3)
        assert out.final.status == 0xFE00
        assert 3 <= len(out.received) < 49
        assert out.final.remaining == 49 - len(out.received)


def test_an_object_that_breaks_off_ends_the_association() -> None:
    """Half a data set is on its way; nothing else can be said after it."""

    def breaking() -> Iterator[bytes]:
        yield bytes(10)
        yield bytes(10)
        raise Unavailable("disk")

    with service() as running, running.peer() as peer:
        running.archive.put_stream("1.2.1", breaking)
        peer.associate(
            (GET, uids.EXPLICIT_LE), (CT, uids.EXPLICIT_LE), roles=(Role(CT, scu=False, scp=True),)
        )
        peer.request(1, rq(Operation.C_GET), STUDY)
        kinds = []
        while (one := peer.read()) is not None:
            kinds.append(one[0])
        assert kinds[-1] is Kind.ABORT


@pytest.mark.parametrize(
    ("identifier", "model"),
    [
        (key("2000 0D00", b"UI", "1.2"), GET),
        (wanted("FRAME", key("2000 0D00", b"UI", "1.2")), GET),
        (wanted("STUDY"), GET),
        (wanted("STUDY", key("2000 0D00", b"UI", "")), GET),
        (wanted("SERIES", key("2000 0D00", b"UI", "1.2")), GET),
        (wanted("IMAGE", key("2000 0E00", b"UI", "1.2")), GET),
        (wanted("PATIENT", key("1000 2000", b"LO", "P1")), GET),
        (wanted("STUDY", key("2000 0D00", b"UI", "*")), GET),
    ],
    ids=[
        "no level",
        "unknown level",
        "no key",
        "empty key",
        "series",
        "image",
        "patient in study root",
        "wild card",
    ],
)
def test_identifiers_that_do_not_match_the_class(identifier: bytes, model: str) -> None:
    with service() as running:
        running.archive.put("1.2.1", b"one1")
        out = get(running, identifier)
        assert out.final.status == 0xA900
        assert out.final.error_comment
        assert not running.archive.wanted


def test_unique_keys() -> None:
    series = wanted("SERIES", key("2000 0D00", b"UI", "1.2"), key("2000 0E00", b"UI", "1.3\\1.4"))
    with service() as running:
        get(running, series)
        get(running, wanted("IMAGE", key("0800 1800", b"UI", "1.5")))
        assert [(w.studies, w.series, w.instances) for w in running.archive.wanted] == [
            (("1.2",), ("1.3", "1.4"), ()),
            ((), (), ("1.5",)),
        ]


def test_garbage_for_an_identifier() -> None:
    with service() as running:
        assert (get(running, b"\xff" * 33).final.status or 0) >> 12 == 0xC


@dataclass(slots=True)
class Destination:
    """A C-MOVE destination that behaves as it is told."""

    accepts: int = 128
    syntaxes: frozenset[str] = frozenset({uids.EXPLICIT_LE, JPEG, uids.DEFLATED_LE})
    reject: AssociateReject | None = None
    status: int = 0
    hang_up_after: int = 0
    hangs_up_on: frozenset[str] = frozenset()
    collide: bool = False
    max_length: int = 16_384
    associations: list[int] = field(default_factory=list)
    silent_before_accepting: float = 0.0
    silent_before_answering: float = 0.0
    received: dict[str, bytes] = field(default_factory=dict)
    requests: list[Command] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def serve(self, sock: socket.socket) -> None:
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(Peer(connection),), daemon=True).start()

    def _guarded(self, peer: Peer) -> None:
        try:
            self._talk(peer)
        except BaseException as error:  # noqa: BLE001 - given to the test
            self.errors.append(error)
        finally:
            peer.sock.close()

    def _talk(self, peer: Peer) -> None:
        _, body = peer.read() or (None, b"")
        asked = associate.decode_request(memoryview(body))
        if self.reject is not None:
            peer.send(associate.encode_reject(self.reject))
            return
        time.sleep(self.silent_before_accepting)
        self.associations.append(len(asked.contexts))
        answers = tuple(self._answer(one) for one in asked.contexts)
        peer.send(associate.encode_accept(AssociateAccept("D", "H", answers, self.max_length)))
        self._objects(peer)

    def _answer(self, proposed: Proposed) -> Answered:
        liked = [syntax for syntax in proposed.transfer_syntaxes if syntax in self.syntaxes]
        return Answered(proposed.id, 0, liked[0]) if liked else Answered(proposed.id, 4, "")

    def _objects(self, peer: Peer) -> None:
        raw, data, asked = b"", b"", Command(0)
        while True:
            kind, body = peer.read() or (None, b"")
            if kind is Kind.RELEASE_RQ:
                peer.send(pdu.release_rq() * self.collide + pdu.release_rp())
                assert not self.collide or peer.read() == (Kind.RELEASE_RP, bytes(4))
                return
            if kind is not Kind.P_DATA:
                return
            assert not self.max_length or len(body) <= self.max_length
            for one in pdu.values(memoryview(body)):
                if one.is_command:
                    raw += one.data
                    asked = command.decode(raw) if one.is_last else asked
                else:
                    data += one.data
                    if one.is_last:
                        self.received[asked.sop_instance] = data
                        self.requests.append(asked)
                        if len(self.received) == self.hang_up_after:
                            return
                        if asked.sop_instance in self.hangs_up_on:
                            return
                        time.sleep(self.silent_before_answering)
                        answer = Command(0x8001, responded_to=asked.message_id, status=self.status)
                        peer.request(one.context_id, answer)
                        raw = data = b""


@contextlib.contextmanager
def moving(destination: Destination, **dimse: float) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as sock:
        port = sock.getsockname()[1]
        threading.Thread(target=destination.serve, args=(sock,), daemon=True).start()
        peers = MappingProxyType(
            {"DEST": Known("DEST", "127.0.0.1", port), "NOBODY": Known("NOBODY", "127.0.0.1", 1)}
        )
        with service(peers=peers, **dimse) as running:
            yield running
    assert not destination.errors


def move(
    running: Running, destination: str = "DEST", identifier: bytes = STUDY, *, cancel: bool = False
) -> Outcome:
    with running.peer() as peer:
        peer.associate((MOVE, uids.EXPLICIT_LE))
        peer.request(1, rq(Operation.C_MOVE, destination), identifier)
        if cancel:
            peer.request(1, Command(Operation.C_CANCEL, responded_to=5))
        out = follow(peer)
        peer.release()
        return out


@pytest.mark.parametrize("limit", [0, 64, 4096, 1 << 20])
def test_move_brings_every_byte(limit: int) -> None:
    destination = Destination(max_length=limit)
    with moving(destination) as running:
        data = {f"1.2.{n}": bytes([n]) * (30_000 * n) for n in range(1, 4)}
        for instance, dataset in data.items():
            running.archive.put(instance, dataset)
        out = move(running)
    assert destination.received == data
    assert (out.final.status, out.counts) == (0, (None, 3, 0, 0))
    assert [(p.remaining, p.completed) for p in out.pending] == [(2, 1), (1, 2), (0, 3)]
    assert destination.associations == [2]
    assert {(r.originator_aet, r.originator_message_id) for r in destination.requests} == {("PEER", 5)}
    assert [r.message_id for r in destination.requests] == [1, 2, 3]


def test_a_release_collision_is_survived() -> None:
    destination = Destination(collide=True)
    with moving(destination) as running:
        running.archive.put("1.2.1", b"one1")
        assert move(running).final.status == 0


def test_each_class_has_its_contexts_and_each_128_an_association() -> None:
    """The stored syntax and the one to fall back on."""
    destination = Destination()
    with moving(destination) as running:
        for n in range(300):
            running.archive.put(f"1.2.{n}", b"data", sop_class=f"1.2.840.{n % 150}", syntax=uids.EXPLICIT_LE)
        out = move(running)
    assert sorted(destination.associations) == [44, 128, 128]
    assert out.counts == (None, 300, 0, 0)


def test_refused_contexts_fail_alone() -> None:
    destination = Destination(syntaxes=frozenset({uids.EXPLICIT_LE}))
    with moving(destination) as running:
        running.archive.put("1.2.1", b"one1")
        running.archive.put("1.2.2", b"two2", syntax=JPEG)
        out = move(running)
    assert set(destination.received) == {"1.2.1"}
    assert (out.final.status, out.counts) == (0xB000, (None, 1, 1, 0))
    assert b"1.2.2" in out.identifier


@pytest.mark.parametrize("name", ["NOBODY", "REJECTED"])
def test_a_destination_that_does_not_answer(name: str) -> None:
    destination = Destination(reject=AssociateReject(1, 1, 3))
    with moving(destination) as running:
        for n in range(5):
            running.archive.put(f"1.2.{n}", b"data")
        out = move(running, "NOBODY" if name == "NOBODY" else "DEST")
    assert (out.final.status, out.counts) == (0xA702, (None, 0, 5, 0))


def test_an_unknown_destination() -> None:
    with moving(Destination()) as running:
        running.archive.put("1.2.1", b"data")
        out = move(running, "ELSEWHERE")
        assert out.final.status == 0xA801
        assert not running.archive.wanted


def test_a_destination_that_hangs_up_is_called_again() -> None:
    destination = Destination(hang_up_after=2)
    with moving(destination) as running:
        for n in range(1, 6):
            running.archive.put(f"1.2.{n}", b"data")
        out = move(running)
    assert destination.associations == [2, 2]
    assert (out.final.status, out.counts) == (0xB000, (None, 4, 1, 0))


def test_move_is_cancelled() -> None:
    destination = Destination()
    with moving(destination) as running:
        for n in range(2000):
            running.archive.put(f"1.2.{n}", b"data")
        out = move(running, cancel=True)
    assert out.final.status == 0xFE00
    assert (out.final.remaining or 0) > 0


def test_trouble_while_choosing() -> None:
    archive: FakeArchive
    with moving(Destination()) as running:
        archive = running.archive
        archive.trouble = Unavailable("index is away")
        assert move(running).final.status == 0xA701


def test_objects_that_a_destination_cannot_bear_fail_alone() -> None:
    """It hangs up on every second one; each of the others gets another association."""
    destination = Destination(hangs_up_on=frozenset(f"1.2.{n}" for n in range(1, 13, 2)))
    with moving(destination) as running:
        for n in range(12):
            running.archive.put(f"1.2.{n}", b"data")
        out = move(running)
    assert (out.final.status, out.counts) == (0xB000, (None, 6, 6, 0))

"""Messages in any cut, and what is answered when something goes wrong."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimse import command, contexts
from dimse.command import Command, Operation
from dimse.session import NORMALIZED, SERVICES
from pacs.dicom import uids
from pacs.dicom.header import part10_prefix
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.errors import Forbidden, Unavailable
from pacs.query.model import Match
from tests.unit.dimse.fakes import CT, FIND, VERIFICATION, Running, bare, service, store_rq, value, wrap

PREFIX = part10_prefix(
    sop_class=CT,
    sop_instance="1.2.3",
    transfer_syntax=uids.EXPLICIT_LE,
    source_aet="PEER",
    receiving_aet="HILUM",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One service for every example."""
    with service() as running:
        yield running


@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=12))
@settings(deadline=None, max_examples=40)
def test_a_data_set_arrives_as_it_was_sent(
    shared: Running, data: bytes, cuts: list[tuple[int, bool]]
) -> None:
    """Any fragments, any number of them in one PDU, the command's own among them."""
    raw = command.encode(store_rq())
    values = [bare(3, raw[:10], is_command=True), bare(3, raw[10:], is_command=True, is_last=True)]
    rest = data
    joined = [False, False]
    for size, together in cuts:
        values.append(bare(3, rest[:size]))
        joined.append(together)
        rest = rest[size:]
    values.append(bare(3, rest, is_last=True))
    joined.append(True)
    pdus: list[bytes] = []
    for one, with_former in zip(values, joined, strict=True):
        if with_former and pdus:
            pdus[-1] += one
        else:
            pdus.append(one)
    with shared.peer() as peer:
        peer.associate()
        shared.archive.kept.clear()
        peer.send(b"".join(wrap(one) for one in pdus))
        assert peer.message()[0].status == 0
        assert shared.archive.kept == [PREFIX + data]


def test_requests_sent_ahead_are_answered_in_order() -> None:
    """Asynchronous operations were not negotiated, but what is sent ahead does no harm."""
    with service() as running, running.peer() as peer:
        peer.associate()
        for number in (1, 2, 3):
            peer.request(3, store_rq(number, f"1.2.{number}"), bytes(number * 1000))
        answers = [peer.message()[0] for _ in range(3)]
        assert [a.responded_to for a in answers] == [1, 2, 3]
        assert [a.sop_instance for a in answers] == ["1.2.1", "1.2.2", "1.2.3"]
        assert all(a.field == 0x8001 and a.sop_class == CT and a.status == 0 for a in answers)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(Unavailable("full"), 0xA700), (Forbidden("no"), 0x0124), (RuntimeError("oops"), 0x0110)],
    ids=str,
)
def test_trouble_is_answered_after_the_data_and_the_association_goes_on(
    trouble: Exception, status: int
) -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        running.archive.trouble = trouble
        assert peer.store(bytes(300_000)).status == status
        assert peer.store(bytes(300_000)).status == 0
        assert peer.echo() == 0


def test_a_failure_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        running.archive.trouble = ValueError("Doe^Jane")
        assert peer.store(b"").status == 0x0110
    assert "ValueError" in caplog.text
    assert "Doe" not in caplog.text


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (store_rq(instance="1.2.x"), 0x0117),
        (store_rq(instance=""), 0x0117),
        (store_rq(instance="../../x"), 0x0117),
        (store_rq(sop_class="1.2.840.10008.5.1.4.1.1.4"), 0x0122),
        (Command(0x0140, message_id=1, requested_sop_class=CT, dataset_type=1), 0x0211),
        (Command(Operation.C_FIND, message_id=1, sop_class=CT, dataset_type=1), 0x0211),
        (Command(Operation.C_STORE, sop_class=CT, sop_instance="1.2", dataset_type=1), 0x0212),
    ],
    ids=["no UID", "empty UID", "path", "other class", "N-CREATE", "C-FIND on CT", "no message ID"],
)
def test_requests_that_cannot_be_served(message: Command, status: int) -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        peer.request(3, message, bytes(70_000), step=10_000)
        answer = peer.message()[0]
        assert answer.status == status
        assert answer.field == message.field | 0x8000
        assert peer.echo() == 0
        assert not running.archive.kept


def test_a_cancel_of_nothing_is_no_request() -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        peer.request(1, Command(Operation.C_CANCEL, responded_to=5))
        assert peer.echo() == 0


def test_an_answer_to_nothing_ends_the_association() -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        peer.request(1, Command(0x8030, responded_to=5, status=0))
        assert peer.aborted() == (2, 5)


def test_every_service_is_for_one_kind_of_class() -> None:
    composite = {operation for operation in Operation if operation.name.startswith("C_")}
    assert set(SERVICES) == composite - {Operation.C_CANCEL}
    assert set(NORMALIZED) == {(uid, one) for uid, ones in contexts.NORMALIZED.items() for one in ones}


LEVEL_STUDY = bytes.fromhex("0800 5200") + b"CS\x06\0STUDY "


def find_rq(message_id: int = 1) -> Command:
    return Command(Operation.C_FIND, message_id=message_id, sop_class=FIND, priority=0, dataset_type=1)


def study(number: int, text: str = "x") -> Match:
    return Match(Level.STUDY, InstanceKey(f"1.{number}", "", ""), {"00081030": {"vr": "LO", "Value": [text]}})


@pytest.mark.parametrize("limit", [0, 8, 9, 16, 64, 4096, 1 << 20])
def test_answers_keep_to_the_peers_limit(limit: int) -> None:
    with service() as running, running.peer(max_length=limit) as peer:
        running.archive.matches = [study(1, "y" * 60)]
        peer.associate((FIND, uids.EXPLICIT_LE))
        peer.request(1, find_rq(), LEVEL_STUDY + bytes.fromhex("0800 3010") + b"LO\0\0")
        answer, data = peer.message()
        assert answer.status == 0xFF00
        assert b"y" * 60 in data
        assert peer.message()[0].status == 0
        assert not limit or peer.longest <= limit


@pytest.mark.parametrize("limit", [1, 7])
def test_a_limit_without_room_is_refused(limit: int) -> None:
    with service() as running, running.peer(max_length=limit) as peer:
        assert peer.ask((VERIFICATION, uids.IMPLICIT_LE))[0].name == "ABORT"


def test_a_search_is_cancelled_at_once() -> None:
    with service() as running, running.peer() as peer:
        running.archive.matches = [study(n) for n in range(20_000)]
        peer.associate((FIND, uids.EXPLICIT_LE))
        peer.request(1, find_rq(7), LEVEL_STUDY)
        assert peer.message()[0].status == 0xFF00
        peer.request(1, Command(Operation.C_CANCEL, responded_to=7))
        last = peer.message()[0]
        while last.status == 0xFF00:
            last = peer.message()[0]
        assert last.status == 0xFE00
        assert running.archive.pulled < 20_000


def test_a_cancel_of_another_message_cancels_nothing() -> None:
    with service() as running, running.peer() as peer:
        running.archive.matches = [study(n) for n in range(50)]
        peer.associate((FIND, uids.EXPLICIT_LE))
        peer.send(value(1, command.encode(find_rq(7)), is_command=True, is_last=True))
        peer.send(value(1, LEVEL_STUDY, is_last=True))
        peer.request(1, Command(Operation.C_CANCEL, responded_to=8))
        assert [peer.message()[0].status for _ in range(51)] == [0xFF00] * 50 + [0]


def test_a_request_sent_during_a_search_waits() -> None:
    with service() as running, running.peer() as peer:
        running.archive.matches = [study(n) for n in range(20)]
        peer.associate((FIND, uids.EXPLICIT_LE))
        for number in (1, 2):
            peer.request(1, find_rq(number), LEVEL_STUDY)
        answers = [peer.message()[0] for _ in range(42)]
        assert [a.responded_to for a in answers] == [1] * 21 + [2] * 21

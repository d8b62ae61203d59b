"""Getting in, staying in, and being put out."""

import struct
import time
from dataclasses import replace

import pytest

from dimse import associate, pdu
from dimse.pdu import Kind
from pacs.dicom import uids
from tests.unit.dimse.fakes import CT, VERIFICATION, Running, service, store_rq, value, wrap


def _request() -> associate.AssociateRequest:
    contexts = (associate.Proposed(1, VERIFICATION, (uids.IMPLICIT_LE,)),)
    return associate.AssociateRequest("HILUM", "PEER", contexts, 0)


def proposing(*ids: int) -> bytes:
    """A request with these presentation contexts."""
    contexts = tuple(associate.Proposed(number, VERIFICATION, (uids.IMPLICIT_LE,)) for number in ids)
    return associate.encode_request(replace(_request(), contexts=contexts))


def wait_until_free(running: Running) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with running.peer() as peer:
            if peer.ask((VERIFICATION, uids.IMPLICIT_LE))[0] is Kind.ASSOCIATE_AC:
                return
        time.sleep(0.02)
    raise AssertionError("no place was given back")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (b"\x16\x03\x01\x02\x00", 1),
        (value(1, b"x"), 2),
        (pdu.release_rq(), 2),
        (struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + bytes(1000), 6),
        (struct.pack(">BBI", 1, 0, 10) + bytes(10), 6),
        (struct.pack(">BBI", 1, 0, 0), 6),
        (struct.pack(">BBI", 4, 0, 0), 2),
        (proposing(*range(1, 256, 2), 1), 6),
        (proposing(*range(1, 256, 2), 0), 6),
        (proposing(1, 1), 6),
    ],
    ids=[
        "HTTP",
        "TLS",
        "P-DATA",
        "release",
        "4 GB",
        "short",
        "nothing",
        "no data",
        "129 contexts",
        "a 129th of another ID",
        "the same ID twice",
    ],
)
def test_what_is_no_request_is_aborted(raw: bytes, reason: int) -> None:
    with service() as running:
        with running.peer() as peer:
            peer.send(raw)
            assert peer.aborted() == (2, reason)
        with running.peer() as peer:
            peer.associate()
            assert peer.echo() == 0


def test_a_silent_caller_is_put_out() -> None:
    with service(acse_timeout=0.3) as running, running.peer() as peer:
        assert peer.read() == (Kind.ABORT, b"\0\0\2\0") or peer.read() is None


def test_a_caller_that_drips_is_put_out() -> None:
    """The time-out is for the whole request, not for each byte."""
    with service(acse_timeout=0.5) as running, running.peer() as peer:
        began = time.monotonic()
        request = b"\x01\x00\x00\x00\x01\x00" + bytes(200)
        with pytest.raises(OSError):  # noqa: PT011,PT012 - a reset or a broken pipe, as the kernel likes
            for byte in request:
                peer.send(bytes((byte,)))
                time.sleep(0.05)
        assert time.monotonic() - began < 5


def test_an_idle_association_is_aborted() -> None:
    with service(idle_timeout=0.3) as running, running.peer() as peer:
        peer.associate()
        assert peer.echo() == 0
        assert peer.aborted() == (0, 0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"application_context": "1.2.3"}, (1, 1, 2)),
        ({"called_aet": "OTHER"}, (1, 1, 7)),
        ({"called_aet": "hilum"}, (1, 1, 7)),
        ({"calling_aet": "STRANGER"}, (1, 1, 3)),
    ],
    ids=str,
)
def test_rejections(change: dict[str, str], expected: tuple[int, int, int]) -> None:
    with service(require_called_aet=True) as running:
        running.archive.known = frozenset({"PEER"})
        with running.peer() as peer:
            raw = bytearray(associate.encode_request(_request()))
            if "application_context" in change:
                raw = bytearray(bytes(raw).replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"))
                peer.send(bytes(raw))
                kind, body = peer.read() or (None, b"")
                assert (kind, tuple(body[1:])) == (Kind.ASSOCIATE_RJ, expected)
            else:
                assert peer.rejected(**change) == expected
            assert peer.at_end()
        with running.peer() as peer:
            peer.associate()


def test_another_protocol_version_is_rejected() -> None:
    with service() as running, running.peer() as peer:
        raw = bytearray(associate.encode_request(_request()))
        raw[6:8] = b"\x00\x02"
        peer.send(bytes(raw))
        kind, body = peer.read() or (None, b"")
        assert (kind, tuple(body[1:])) == (Kind.ASSOCIATE_RJ, (1, 2, 2))


def test_a_request_without_contexts_is_rejected() -> None:
    with service() as running, running.peer() as peer:
        peer.send(associate.encode_request(replace(_request(), contexts=())))
        assert (peer.read() or (None,))[0] is Kind.ASSOCIATE_RJ


def test_beyond_the_limit_a_caller_is_told_to_come_back() -> None:
    with service(max_associations=2) as running:
        with running.peer() as one, running.peer() as two, running.peer() as three:
            one.associate()
            two.associate()
            assert three.rejected() == (2, 3, 2)
            assert one.echo() == 0
            one.release()
        wait_until_free(running)


def test_nothing_accepted_is_still_an_association() -> None:
    with service() as running, running.peer() as peer:
        accept = peer.associate(("1.2.840.10008.5.1.1.9", uids.IMPLICIT_LE), (CT, "1.2.3"))
        assert [c.result for c in accept.contexts] == [3, 4]
        peer.release()


def test_the_answer_says_our_limit() -> None:
    with service(max_pdu=8192) as running, running.peer() as peer:
        assert peer.associate().max_length == 8192
        peer.send(value(3, bytes(9000)))
        assert peer.aborted() == (2, 6)


@pytest.mark.parametrize(
    "wrong",
    [
        value(9, b"x", is_command=True, is_last=True),
        value(1, b"x", is_last=True),
        value(1, b"nonsense", is_command=True, is_last=True),
        wrap(b""),
        wrap(b"\0\0\0\1\1\3"),
        wrap(b"\0\0\0\xff\1\3"),
        associate.encode_request(_request()),
        b"\x09\0\0\0\0\0",
        value(1, bytes(8), is_command=True) * 9000,
        pdu.release_rp(),
        struct.pack(">BBI", 5, 0, 0),
    ],
    ids=[
        "context",
        "data first",
        "no command",
        "empty",
        "short",
        "long",
        "request",
        "unknown",
        "endless command",
        "release confirmed",
        "release of nothing",
    ],
)
def test_what_breaks_the_protocol_ends_the_association_only(wrong: bytes) -> None:
    with service() as running:
        with running.peer() as peer, running.peer() as other:
            peer.associate()
            other.associate()
            peer.send(wrong)
            assert peer.aborted()[0] == 2
            assert other.echo() == 0
        wait_until_free(running)


@pytest.mark.parametrize("politely", [True, False])
def test_an_end_in_the_middle_of_an_object_leaves_nothing(politely: bool) -> None:  # noqa: FBT001
    with service(max_associations=1) as running:
        with running.peer() as peer:
            peer.associate()
            peer.request(3, store_rq())
            peer.send(value(3, bytes(5000)))
            if politely:
                peer.send(pdu.abort())
        wait_until_free(running)
        assert [spool.closed for spool in running.archive.spools] == [True]
        assert not running.archive.kept


def test_a_running_association_may_finish_when_the_service_stops() -> None:
    with service() as running, running.peer() as peer:
        peer.associate()
        running.stop.set()
        time.sleep(0.5)
        assert peer.store(b"x" * 1000).status == 0
        peer.release()
        running.thread.join(2)
        assert not running.thread.is_alive()


def test_who_goes_on_asking_is_served_for_a_while_when_the_service_stops() -> None:
    with service() as running, running.peer() as peer, running.peer() as idle:
        peer.associate()
        idle.associate()
        begin = time.monotonic()
        running.stop.set()
        while time.monotonic() < begin + 2.0:
            assert peer.echo() == 0
            time.sleep(0.2)
        assert idle.aborted() == (0, 0)
        assert peer.echo() == 0
        peer.release()
        running.thread.join(2)
        assert not running.thread.is_alive()


def test_one_that_stays_is_aborted_when_the_service_stops() -> None:
    with service(idle_timeout=60.0) as running, running.peer() as peer:
        peer.associate()
        running.stop.set()
        assert peer.aborted() == (0, 0)

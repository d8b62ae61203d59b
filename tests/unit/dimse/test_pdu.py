"""Any bytes in any pieces: the same PDUs, or our own error."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse import pdu
from dimse.errors import AbortReason, ProtocolError
from dimse.pdu import Kind, PduBuffer

MAX = 4096


def framed(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


FIXED = st.sampled_from((Kind.ASSOCIATE_RJ, Kind.RELEASE_RQ, Kind.RELEASE_RP, Kind.ABORT))
PDUS = st.one_of(
    st.tuples(FIXED, st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(Kind.P_DATA), st.binary(max_size=MAX)),
    st.tuples(st.sampled_from((Kind.ASSOCIATE_RQ, Kind.ASSOCIATE_AC)), st.binary(max_size=20_000)),
)


def taken(buffer: PduBuffer) -> list[tuple[Kind, bytes]]:
    out = []
    while (found := buffer.take()) is not None:
        out.append((found.kind, bytes(found.body)))
    return out


def fed(buffer: PduBuffer, data: bytes, sizes: list[int]) -> list[tuple[Kind, bytes]]:
    """Feed in pieces of these sizes, over and over, taking whatever is whole in between."""
    out: list[tuple[Kind, bytes]] = []
    pos = turn = 0
    while pos < len(data):
        size = sizes[turn % len(sizes)]
        buffer.feed(data[pos : pos + size])
        pos, turn = pos + size, turn + 1
        out += taken(buffer)
    return out


@given(st.lists(PDUS, max_size=6), st.lists(st.integers(1, 60_000), min_size=1, max_size=8))
def test_any_split_gives_the_same_pdus(pdus: list[tuple[Kind, bytes]], sizes: list[int]) -> None:
    stream = b"".join(framed(*one) for one in pdus)
    assert fed(PduBuffer(MAX), stream, sizes) == pdus


@given(st.binary(max_size=5000), st.lists(st.integers(1, 600), min_size=1, max_size=8))
def test_garbage_raises_our_own_error_or_waits_for_more(garbage: bytes, sizes: list[int]) -> None:
    buffer = PduBuffer(MAX)
    try:
        for _, body in fed(buffer, garbage, sizes):
            list(pdu.values(memoryview(body)))
    except ProtocolError:
        return
    assert not buffer.has_pdu()


@given(st.binary(max_size=300))
def test_values_of_garbage(garbage: bytes) -> None:
    try:
        found = list(pdu.values(memoryview(garbage)))
    except ProtocolError:
        return
    assert sum(len(value.data) + 6 for value in found) == len(garbage)


@given(
    st.binary(max_size=3000),
    st.integers(0, 127).map(lambda n: 2 * n + 1),
    st.booleans(),
    st.integers(7, 5000),
)
def test_fragments_fit_and_join(data: bytes, context_id: int, is_command: bool, limit: int) -> None:  # noqa: FBT001
    sent = b"".join(
        pdu.p_data(context_id, memoryview(data), is_command=is_command, is_last=True, max_length=limit)
    )
    buffer = PduBuffer(limit)
    buffer.feed(sent)
    found = []
    while (one := buffer.take()) is not None:
        assert len(one.body) <= max(limit, 8)
        found += [(v.context_id, v.is_command, v.is_last, bytes(v.data)) for v in pdu.values(one.body)]
    assert b"".join(value[3] for value in found) == data
    assert {value[:2] for value in found} == {(context_id, is_command)}
    assert [value[2] for value in found] == [False] * (len(found) - 1) + [True]
    assert all(len(value[3]) % 2 == 0 for value in found[:-1]) or limit < 8


@pytest.mark.parametrize(
    "start",
    [
        b"G",
        b"\x16",
        b"\x00",
        b"\x08",
        b"\x04\x00\xff\xff\xff\xff",
        b"\x01\x00\xff\xff\xff\xff",
        b"\x05\x00\0\0\0\x05",
    ],
    ids=["HTTP", "TLS", "zero", "beyond", "huge P-DATA", "huge request", "long release"],
)
def test_hopeless_beginnings_are_refused_at_once(start: bytes) -> None:
    buffer = PduBuffer(MAX)
    buffer.feed(start)
    with pytest.raises(ProtocolError):
        buffer.take()


def test_two_values_in_one_pdu() -> None:
    body = struct.pack(">IBB", 4, 1, 3) + b"ab" + struct.pack(">IBB", 6, 3, 0) + b"cdef"
    first, second = pdu.values(memoryview(body))
    assert (first.context_id, first.is_command, first.is_last, bytes(first.data)) == (1, True, True, b"ab")
    assert (second.context_id, second.is_command, second.is_last, bytes(second.data)) == (
        3,
        False,
        False,
        b"cdef",
    )


def test_the_buffer_stays_small() -> None:
    buffer = PduBuffer(MAX)
    one = framed(Kind.P_DATA, struct.pack(">IBB", MAX - 4, 1, 0) + bytes(MAX - 6))
    for _ in range(200):
        buffer.feed(one)
        assert buffer.take() is not None
    assert len(buffer.space()) <= 16_384


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (pdu.release_rq(), "05000000000400000000"),
        (pdu.release_rp(), "06000000000400000000"),
        (pdu.abort(), "07000000000400000000"),
        (pdu.abort(AbortReason.UNEXPECTED_PDU), "07000000000400000202"),
    ],
)
def test_fixed_pdus(made: bytes, expected: str) -> None:
    assert made.hex() == expected

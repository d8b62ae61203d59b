"""A-ASSOCIATE against pynetdicom's own encoding and decoding, both ways, and against garbage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ

from dimse import associate
from dimse.associate import Answered, AssociateAccept, AssociateReject, AssociateRequest, Proposed, Role
from dimse.errors import ProtocolError
from dimse.userinfo import Extension, Identity, IdentityKind, Window

UIDS = st.lists(st.integers(0, 9999), min_size=1, max_size=8).map(lambda p: "1.2." + ".".join(map(str, p)))
TITLES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", min_size=1, max_size=16)
IDS = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), min_size=1, max_size=8, unique=True)
SHORTS = st.integers(0, 0xFFFF)
IDENTITIES = st.builds(
    lambda kind, primary, secondary, wants: Identity(
        kind, primary, secondary if kind == IdentityKind.PASSCODE else b"", wants
    ),
    st.integers(1, 5),
    st.binary(min_size=1, max_size=60),
    st.binary(min_size=1, max_size=60),
    st.booleans(),
)


@st.composite
def requests(draw: Any) -> AssociateRequest:
    contexts = tuple(
        Proposed(number, draw(UIDS), tuple(draw(st.lists(UIDS, min_size=1, max_size=4, unique=True))))
        for number in draw(IDS)
    )
    classes = sorted({c.abstract_syntax for c in contexts})
    roles = tuple(Role(uid, draw(st.booleans()), draw(st.booleans())) for uid in classes[:2])
    return AssociateRequest(
        draw(TITLES),
        draw(TITLES),
        contexts,
        draw(st.integers(0, 2**32 - 1)),
        roles,
        window=draw(st.none() | st.builds(Window, SHORTS, SHORTS)),
        extended=tuple(Extension(uid, draw(st.binary(min_size=1, max_size=8))) for uid in classes[:2]),
        identity=draw(st.none() | IDENTITIES),
    )


@given(requests())
def test_what_we_ask_pynetdicom_reads(request: AssociateRequest) -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(associate.encode_request(request))
    assert (theirs.called_ae_title.strip(), theirs.calling_ae_title.strip()) == (
        request.called_aet,
        request.calling_aet,
    )
    found = tuple(
        Proposed(c.context_id, str(c.abstract_syntax), tuple(map(str, c.transfer_syntax)))
        for c in theirs.presentation_context
    )
    assert found == request.contexts
    assert theirs.user_information.maximum_length == request.max_length
    roles = {
        str(uid): (bool(r.scu), bool(r.scp)) for uid, r in theirs.user_information.role_selection.items()
    }
    assert roles == {r.sop_class: (r.scu, r.scp) for r in request.roles}
    window = theirs.user_information.async_ops_window
    shown_window = window and Window(window.max_operations_invoked, window.max_operations_performed)
    assert shown_window == request.window
    extended = {str(one.uid): one.app_info for one in theirs.user_information.ext_neg}
    assert extended == {one.sop_class: one.info for one in request.extended}
    identity = theirs.user_information.user_identity
    shown = identity and Identity(
        identity.id_type, identity.primary, identity.secondary, bool(identity.response_requested)
    )
    assert shown == request.identity


@given(requests())
def test_what_pynetdicom_asks_we_read(request: AssociateRequest) -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(associate.encode_request(request))
    assert associate.decode_request(memoryview(theirs.encode())[6:]) == request


@given(requests(), st.lists(st.integers(0, 4), min_size=8, max_size=8))
def test_answers_cross_both_ways(request: AssociateRequest, results: list[int]) -> None:
    answers = tuple(
        Answered(c.id, r, c.transfer_syntaxes[0]) for c, r in zip(request.contexts, results, strict=False)
    )
    accept = AssociateAccept(
        request.called_aet,
        request.calling_aet,
        answers,
        4096,
        request.roles,
        window=request.window,
        extended=request.extended,
        identity_answer=request.identity.primary if request.identity else None,
    )
    theirs = A_ASSOCIATE_AC()
    theirs.decode(associate.encode_accept(accept))
    found = [(c.context_id, c.result, str(c.transfer_syntax)) for c in theirs.presentation_context]
    assert found == [(a.id, a.result, a.transfer_syntax) for a in answers]
    assert associate.decode_accept(memoryview(theirs.encode())[6:]) == accept


@pytest.mark.parametrize("values", [(1, 1, 3), (2, 3, 2)])
def test_reject(values: tuple[int, int, int]) -> None:
    theirs = A_ASSOCIATE_RJ()
    raw = associate.encode_reject(AssociateReject(*values))
    theirs.decode(raw)
    assert (theirs.result, theirs.source, theirs.reason_diagnostic) == values
    assert associate.decode_reject(memoryview(raw)[6:]) == AssociateReject(*values)


@given(st.binary(max_size=400), st.booleans())
def test_garbage_raises_our_own_error(garbage: bytes, with_fixed_part: bool) -> None:  # noqa: FBT001
    body = memoryview(bytes(68) * with_fixed_part + garbage)
    for decode in (associate.decode_request, associate.decode_accept, associate.decode_reject):
        try:
            decode(body)
        except ProtocolError:
            continue


@given(requests(), st.data())
def test_one_wrong_byte_raises_our_own_error_or_nothing(
    request: AssociateRequest, data: st.DataObject
) -> None:
    raw = bytearray(associate.encode_request(request)[6:])
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        associate.decode_request(memoryview(raw))
    except ProtocolError:
        return


def item(kind: int, body: bytes) -> bytes:
    return bytes((kind, 0)) + len(body).to_bytes(2, "big") + body


def request_with(*extra: bytes, user: bytes = b"") -> bytes:
    title = b"X".ljust(16)
    context = item(
        0x20, b"\x01\0\0\0" + item(0x30, b"1.2") + item(0x7F, b"?") + item(0x40, b"1.2.840.10008.1.2\0")
    )
    head = b"\x00\x01\0\0" + title + title + bytes(32)
    return head + item(0x10, b"1.2.840.10008.3.1.1.1") + b"".join(extra) + context + item(0x50, user)


def test_unknown_items_are_stepped_over() -> None:
    user = (
        item(0x51, b"\0\0\x10\0")
        + item(0x5A, b"whatever")
        + item(0x53, b"\0\x05\0\x05")
        + item(0x58, b"\x01\x01\0\0")
    )
    found = associate.decode_request(memoryview(request_with(item(0x99, b"abc"), user=user)))
    assert found.max_length == 4096
    assert found.contexts == (Proposed(1, "1.2", ("1.2.840.10008.1.2",)),)


def test_titles_lose_their_padding_only() -> None:
    raw = bytearray(request_with())
    raw[4:20] = b"  low er\0\0      "
    raw[20:36] = b"SIXTEEN_LETTERS_"
    found = associate.decode_request(memoryview(raw))
    assert (found.called_aet, found.calling_aet) == ("low er", "SIXTEEN_LETTERS_")


@pytest.mark.parametrize("number", [0, 2, 254])
def test_even_context_ids_are_wrong(number: int) -> None:
    raw = request_with(item(0x20, bytes((number, 0, 0, 0)) + item(0x30, b"1.2") + item(0x40, b"1.2")))
    with pytest.raises(ProtocolError):
        associate.decode_request(memoryview(raw))


def test_the_same_context_id_twice_is_wrong() -> None:
    raw = request_with(item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.2")))
    with pytest.raises(ProtocolError):
        associate.decode_request(memoryview(raw))

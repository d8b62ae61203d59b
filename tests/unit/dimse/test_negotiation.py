"""What is agreed on beyond presentation contexts, by raw PDUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse import associate, contexts, credentials, extended, pdu, userinfo
from dimse.associate import Proposed
from dimse.command import Command, Operation
from dimse.extended import QueryOptions
from dimse.userinfo import Extension, Identity, IdentityKind, Role, Window
from pacs.dicom import uids
from tests.unit.dimse.fakes import CT, FIND, GET, MOVE, VERIFICATION, Peer, service

JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG = "1.2.840.10008.1.2.4.50"
LE = uids.IMPLICIT_LE


@pytest.mark.parametrize("window", [Window(1, 1), Window(0, 0), Window(500, 3)], ids=str)
def test_operations_go_one_at_a_time(window: Window) -> None:
    with service() as running, running.peer() as peer:
        assert peer.associate(window=window).window == Window(1, 1)
        assert peer.echo() == 0
    with service() as running, running.peer() as peer:
        assert peer.associate().window is None  # nobody asked


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        (FIND, b"\1\1\1\1\1", b"\1\1\1\0\0"),
        (FIND, b"\0\1", b"\0\1"),
        (FIND, b"\1", b"\1"),
        (FIND, b"\1\1\0\0\0\1\1", b"\1\1\0\0\0"),
        (FIND, b"", b"\0"),
        (FIND, b"\2\xff", b"\0\0"),
        (MOVE, b"\1\1", b"\1\0"),
        (GET, b"\1", b"\1"),
        (CT, b"\2\0\3\0\1\0", b"\2\0\3\0\0\0"),
        (VERIFICATION, b"\1", None),
    ],
)
def test_extended_negotiation(model: str, asked: bytes, said: bytes | None) -> None:
    with service() as running, running.peer() as peer:
        accept = peer.associate((model, LE), extended=(Extension(model, asked),))
        assert accept.extended == ((Extension(model, said),) if said is not None else ())
        peer.release()


def test_nothing_is_agreed_on_for_a_class_that_is_not_accepted() -> None:
    with service() as running, running.peer() as peer:
        accept = peer.associate(
            (FIND, "1.2.3"), (CT, LE), extended=(Extension(FIND, b"\1"), Extension("1.2.3", b"\1"))
        )
        assert accept.extended == ()


@given(st.builds(QueryOptions, *[st.booleans()] * 5))
def test_options_are_bytes(options: QueryOptions) -> None:
    assert extended.decode(extended.encode(options)) == options
    assert extended.decode(b"") == extended.NOTHING


def test_what_the_requestor_of_ours_gets_is_what_both_said() -> None:
    ours = contexts.granted(
        _request(Extension(FIND, b"\1\1\1")), _accept(Extension(FIND, b"\1\0\1"), Extension(CT, b"\1"))
    )
    assert ours[1].extended == QueryOptions(relational=True, fuzzy=True)
    nothing = contexts.granted(_request(Extension(FIND, b"\1\1\1")), _accept())
    assert nothing[1].extended == extended.NOTHING


def _request(*extensions: Extension) -> associate.AssociateRequest:
    return associate.AssociateRequest("A", "B", (Proposed(1, FIND, (LE,)),), 0, extended=extensions)


def _accept(*extensions: Extension) -> associate.AssociateAccept:
    return associate.AssociateAccept("A", "B", (associate.Answered(1, 0, LE),), 0, extended=extensions)


TOKEN = b"a token"


@pytest.mark.parametrize(
    ("identity", "token"),
    [
        (None, None),
        (Identity(IdentityKind.USERNAME, TOKEN), None),
        (Identity(IdentityKind.PASSCODE, b"anna", TOKEN), "a token"),
        (Identity(IdentityKind.PASSCODE, b"anna", b""), ""),
        (Identity(IdentityKind.JWT, TOKEN + b"\0"), "a token"),
        (Identity(IdentityKind.KERBEROS, TOKEN), None),
        (Identity(IdentityKind.SAML, TOKEN), None),
        (Identity(77, TOKEN, TOKEN), None),
        (Identity(IdentityKind.JWT, b"\xff\xfe"), "��"),
    ],
)
def test_what_is_taken_for_a_token(identity: Identity | None, token: str | None) -> None:
    assert credentials.token_of(identity) == token
    assert "a token" not in repr(identity)


@pytest.mark.parametrize("wants", [True, False])
def test_the_answer_to_an_identity(wants: bool) -> None:  # noqa: FBT001
    with service() as running:
        running.archive.known = frozenset({"a token", "PEER"})
        with running.peer() as peer:
            shown = Identity(IdentityKind.PASSCODE, b"anna", TOKEN, wants)
            assert peer.associate(calling_aet="X", identity=shown).identity_answer == (b"" if wants else None)
        with running.peer() as peer:
            shown = Identity(IdentityKind.KERBEROS, TOKEN, wants_answer=wants)
            assert peer.associate(identity=shown).identity_answer is None
        with running.peer() as peer:
            shown = Identity(IdentityKind.JWT, b"wrong", wants_answer=wants)
            assert peer.rejected(identity=shown) == (1, 1, 1)
        assert running.archive.strangers == [("dimse", "PEER", "127.0.0.1", "unknown token")]


@pytest.mark.parametrize("broken", [b"", b"\1", b"\1\0", b"\2\1\0\5abc", b"\2\1\0\1a\0\5b"])
def test_a_broken_identity_is_no_association(broken: bytes) -> None:
    with service() as running, running.peer() as peer:
        kind, _ = _ask_with_user_item(peer, broken)
        assert kind is pdu.Kind.ABORT


def _ask_with_user_item(peer: Peer, body: bytes) -> tuple[pdu.Kind, bytes]:
    """A request whose user information ends with this user identity sub-item."""
    raw = associate.encode_request(_request())
    extra = userinfo.item(0x58, body)
    begin = raw.rindex(b"\x50\x00", 0, raw.rindex(b"\x51\x00\x00\x04"))
    old = int.from_bytes(raw[begin + 2 : begin + 4], "big")
    grown = raw[:begin] + userinfo.item(0x50, raw[begin + 4 : begin + 4 + old] + extra)
    peer.send(grown[:2] + (len(grown) - 6).to_bytes(4, "big") + grown[6:])
    answer = peer.read()
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("wishes", "offered", "chosen"),
    [
        ((JPEG_LS, uids.EXPLICIT_LE), (JPEG, uids.EXPLICIT_LE, JPEG_LS), JPEG_LS),
        ((JPEG_LS, uids.EXPLICIT_LE), (JPEG, uids.EXPLICIT_LE), uids.EXPLICIT_LE),
        ((JPEG_LS,), (JPEG, uids.EXPLICIT_LE), JPEG),
        ((uids.IMPLICIT_LE,), (uids.EXPLICIT_LE, uids.IMPLICIT_LE), uids.IMPLICIT_LE),
        (("1.2.3",), ("1.2.3", uids.IMPLICIT_LE), uids.IMPLICIT_LE),
    ],
)
def test_the_priority_of_transfer_syntaxes(
    wishes: tuple[str, ...], offered: tuple[str, ...], chosen: str
) -> None:
    proposed = (Proposed(1, CT, offered), Proposed(3, FIND, (uids.EXPLICIT_LE, uids.IMPLICIT_LE)))
    with service(transfer_syntaxes=wishes) as running, running.peer() as peer:
        answers = peer.associate(contexts=proposed).contexts
        assert [one.transfer_syntax for one in answers] == [chosen, uids.EXPLICIT_LE]


def test_the_priority_does_not_rule_what_is_given() -> None:
    proposed = (Proposed(1, CT, (uids.EXPLICIT_LE, uids.IMPLICIT_LE)),)
    roles = (Role(CT, scu=False, scp=True),)
    with service(transfer_syntaxes=(uids.IMPLICIT_LE,)) as running, running.peer() as peer:
        assert peer.associate(contexts=proposed, roles=roles).contexts[0].transfer_syntax == uids.EXPLICIT_LE


def test_128_contexts() -> None:
    classes = sorted(contexts.STORAGE)[:127]
    proposed = tuple(
        Proposed(2 * i + 1, uid, tuple(sorted(contexts.TRANSFER_SYNTAXES))) for i, uid in enumerate(classes)
    )
    with service() as running, running.peer() as peer:
        accept = peer.associate(contexts=(*proposed, Proposed(255, VERIFICATION, (LE,))))
        assert [one.id for one in accept.contexts] == list(range(1, 256, 2))
        assert {one.result for one in accept.contexts} == {0}
        peer.request(255, Command(Operation.C_ECHO, message_id=9, sop_class=VERIFICATION))
        assert peer.message()[0].status == 0


@pytest.mark.parametrize("title", ["ct1", "SIXTEEN_LETTERS_", "A", "  CT 1"])
def test_titles_come_as_they_are(title: str) -> None:
    """PS3.8 9.3.2: sixteen characters, spaces around them do not count, and case does."""
    with service(require_called_aet=True, aet="HiLuM") as running:
        running.archive.known = frozenset({title.strip()})
        with running.peer() as peer:
            assert peer.associate(calling_aet=title, called_aet=" HiLuM").calling_aet == title.strip()
        with running.peer() as peer:
            assert peer.rejected(calling_aet=title, called_aet="HILUM") == (1, 1, 7)
        with running.peer() as peer:
            assert peer.rejected(calling_aet=title.swapcase() + "_", called_aet="HiLuM") == (1, 1, 3)

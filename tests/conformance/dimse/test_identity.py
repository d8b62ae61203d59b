"""Who proves by a token who it is (PS3.7 D.3.3.7), as pynetdicom and DCMTK ask."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from pacs.auth import tokens
from pacs.auth.actor import system
from pacs.config import Peer, TokenEntry
from tests.conformance.dimse.conftest import House, Open
from tests.support.dimse_client import STUDY_ROOT, Client, NotAssociatedError, identifier, paused, store_raw
from tests.support.factory import ct_series

KNOWN = Peer("TESTER", "127.0.0.1", 104, ("sender",))


def identity(kind: int, primary: str, secondary: str = "", *, answered: bool = True) -> Any:
    item = UserIdentityNegotiation()
    item.user_identity_type = kind
    item.positive_response_requested = answered
    item.primary_field = primary.encode()
    if secondary:
        item.secondary_field = secondary.encode()
    return item


@pytest.fixture
def token() -> str:
    return "GmzbJ0b0mDtzYQbeJ0kJ4pCw6Y2t3u5w8x0A1B2C3D4"


@pytest.fixture
def house(open_house: Open, token: str) -> House:
    entry = TokenEntry("reading room", tokens.hash_of(token), ("viewer",))
    return open_house(callers=(KNOWN,), tokens=(entry,))


@contextlib.contextmanager
def asked(house: House, item: Any, aet: str = "STRANGER") -> Iterator[Any]:
    client = Client(house.port, aet)
    with client.association([build_context(STUDY_ROOT)], [item] if item else []) as association:
        yield association


@pytest.mark.parametrize("kind", [2, 5], ids=["passcode", "JWT"])
def test_a_token_opens_the_door_to_a_stranger(house: House, token: str, kind: int) -> None:
    shown = identity(2, "anna", token) if kind == 2 else identity(5, token)
    with asked(house, shown) as association:
        assert association.acceptor.user_identity is not None
        found = list(association.send_c_find(identifier("STUDY", StudyInstanceUID=""), STUDY_ROOT))
        assert found[-1][0].Status == 0x0000
    trail = list(house.archive.audit_trail(system("test"), limit=5))
    assert "reading room" in {row.actor for row in trail}


def test_no_answer_where_none_is_wanted(house: House, token: str) -> None:
    with asked(house, identity(2, "anna", token, answered=False)) as association:
        assert association.acceptor.user_identity is None


@pytest.mark.parametrize("aet", ["STRANGER", "TESTER"])
def test_a_wrong_token_opens_nothing(house: House, aet: str) -> None:
    with pytest.raises(NotAssociatedError, match="rejected"), asked(house, identity(2, "anna", "wrong"), aet):
        pass


@pytest.mark.parametrize("kind", [1, 3, 4], ids=["name alone", "Kerberos", "SAML"])
def test_what_proves_nothing_changes_nothing(house: House, kind: int) -> None:
    with asked(house, identity(kind, "anna"), "TESTER") as association:
        assert association.acceptor.user_identity is None
    with pytest.raises(NotAssociatedError), asked(house, identity(kind, "anna")):
        pass


def test_the_token_says_what_its_holder_may(house: House, token: str) -> None:
    """The station may send; who shows the token of a reader there may not."""
    item = ct_series(1)[0]
    assert house.client.store([item]) == {item.instance: 0}
    other = ct_series(1)[0]
    contexts = [build_context(other.sop_class, other.transfer_syntax)]
    with (
        house.client.association(contexts, [identity(5, token)]) as association,
        paused(association),
    ):
        assert store_raw(association, other) == 0x0124


def test_required(open_house: Open, token: str) -> None:
    entry = TokenEntry("x", tokens.hash_of(token), ("viewer",))
    house = open_house(callers=(KNOWN,), tokens=(entry,), user_identity="required")
    for item in (None, identity(1, "anna")):
        with pytest.raises(NotAssociatedError), asked(house, item, "TESTER"):
            pass
    with asked(house, identity(5, token)) as association:
        assert association.is_established


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(("passcode", "code"), [("", 0), ("wrong", 1)])
def test_storescu(open_house: Open, tmp_path: Path, token: str, passcode: str, code: int) -> None:
    entry = TokenEntry("x", tokens.hash_of(token), ("sender",))
    house = open_house(callers=(KNOWN,), tokens=(entry,))
    path = tmp_path / "one.dcm"
    path.write_bytes(ct_series(1)[0].part10())
    words = ["-usr", "anna", "-pwd", passcode or token, "-rsp"]
    done = subprocess.run(
        ["storescu", "-v", *words, "127.0.0.1", str(house.port), str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert bool(done.returncode) == bool(code), done.stderr


def test_pynetdicom_hears_what_was_agreed_on(house: House) -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 7, 9
    extension = SOPClassExtendedNegotiation()
    extension.sop_class_uid = STUDY_ROOT
    extension.service_class_application_information = b"\1\1\1\1"
    with house.client.association([build_context(STUDY_ROOT)], [window, extension]) as association:
        assert association.acceptor.asynchronous_operations == (1, 1)
        assert association.acceptor.sop_class_extended == {STUDY_ROOT: b"\1\1\1\0"}

"""Who calls over DIMSE and what it shows of itself."""

from types import MappingProxyType

import pytest

from pacs.auth import tokens
from pacs.auth.actor import Actor, Role
from pacs.auth.door import Door, Visitor
from pacs.config import AuthConfig, Config, DimseConfig, Peer, TokenEntry, load
from pacs.errors import Invalid

TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"  # noqa: S105 - made up
PEERS = MappingProxyType({"CT1": Peer("CT1", "10.1.2.3", 104, ("sender",))})
AUTH = AuthConfig(tokens=(TokenEntry("reader", tokens.hash_of(TOKEN), ("viewer",)),))
STATION = Visitor(Actor("CT1", frozenset({Role.SENDER}), "10.1.2.3", "dimse"))
READER = Visitor(Actor("reader", frozenset({Role.VIEWER}), "10.1.2.3", "dimse"), proved=True)


def door(**dimse: object) -> Door:
    return Door(Config(dimse=DimseConfig(peers=PEERS, **dimse), auth=AUTH))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("title", "token", "expected"),
    [
        ("CT1", None, STATION),
        ("CT1", TOKEN, READER),
        ("CT1", "wrong", None),
        ("CT1", "", None),
        ("CT1", "hilum-run.abc", None),
        ("X", None, None),
        ("X", TOKEN, READER),
        ("X", TOKEN + "x", None),
    ],
)
def test_a_token_counts_before_the_title(title: str, token: str | None, expected: Visitor | None) -> None:
    assert door().visitor(title, "10.1.2.3", token) == expected


def test_where_everybody_must_prove_it() -> None:
    strict = door(user_identity="required")
    assert strict.visitor("CT1", "10.1.2.3", None) is None
    assert strict.visitor("CT1", "10.1.2.3", TOKEN) == READER


def test_an_open_door_checks_nothing() -> None:
    everybody = Door(Config())
    found = everybody.visitor("X", "127.0.0.1", "whatever")
    assert found == Visitor(Actor("X", frozenset(Role), "127.0.0.1", "dimse"))


def test_what_cannot_be_shown_cannot_be_required() -> None:
    with pytest.raises(Invalid, match="user_identity is required"):
        load('[dimse]\nuser_identity = "required"', {}, {})


def test_transfer_syntaxes_are_uids() -> None:
    config = load('[dimse]\ntransfer_syntaxes = ["1.2.840.10008.1.2.1"]', {}, {})
    assert config.dimse.transfer_syntaxes == ("1.2.840.10008.1.2.1",)
    with pytest.raises(Invalid, match=r"transfer_syntaxes\[0\] must be a transfer syntax"):
        load('[dimse]\ntransfer_syntaxes = ["JPEG"]', {}, {})

"""Tokens and the door they open."""

import base64
import hashlib

import pytest

from pacs.auth import tokens
from pacs.auth.actor import Actor, Role
from pacs.auth.door import Door
from pacs.config import AuthConfig, Config, DimseConfig, Peer, TokenEntry

TOKEN, OTHER = "dG9rZW4-" * 5 + "one", "dG9rZW4-" * 5 + "two"
HASH, OTHER_HASH = tokens.hash_of(TOKEN), tokens.hash_of(OTHER)
ENTRIES = (TokenEntry("room", HASH, ("viewer",)), TokenEntry("boss", OTHER_HASH, ("admin", "sender")))
CLOSED = Config(
    auth=AuthConfig(tokens=ENTRIES),
    dimse=DimseConfig(peers={"CT1": Peer("CT1", "10.1.2.3", roles=("sender",))}),
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_token_is_random_and_known_by_its_digest() -> None:
    made, digest = tokens.create()
    assert len(base64.urlsafe_b64decode(made + "=")) == 32
    assert made != tokens.create()[0]
    assert digest == "sha256:" + hashlib.sha256(made.encode()).hexdigest()
    assert tokens.find(TOKEN, ENTRIES) == ENTRIES[0]
    assert tokens.find(OTHER, ENTRIES) == ENTRIES[1]
    assert tokens.find(HASH, ENTRIES) is None
    assert tokens.find("", ENTRIES) is None


@pytest.mark.parametrize(
    "header",
    [f"Bearer {TOKEN}", f"bearer   {TOKEN} ", basic("anyone", TOKEN), basic("", TOKEN), basic("x", TOKEN)],
)
def test_callers_with_a_token_are_known(header: str) -> None:
    assert Door(CLOSED).caller(header, "1.2.3.4") == Actor(
        "room", frozenset({Role.VIEWER}), "1.2.3.4", "dicomweb"
    )


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {HASH}", TOKEN, f"Digest {TOKEN}",
        "Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), basic("x", ""),
        basic(TOKEN, ""),
        "Basic " + base64.b64encode(TOKEN.encode()).decode(), "Bearer \udcff\ud800", "Basic ä",
    ],
)  # fmt: skip
def test_callers_without_one_are_nobody(header: str | None) -> None:
    assert Door(CLOSED).caller(header, "1.2.3.4") is None


def test_without_tokens_everybody_is_let_in() -> None:
    door = Door(Config())
    assert door.open
    for header in (None, "Bearer nonsense"):
        actor = door.caller(header, "127.0.0.1")
        assert actor is not None
        assert actor.roles == frozenset(Role)
    assert door.station(" WHO EVER ", "127.0.0.1") == Actor("WHO EVER", frozenset(Role), "127.0.0.1", "dimse")


def test_stations_are_known_by_title_and_address() -> None:
    door = Door(CLOSED)
    assert not door.open
    assert door.station("CT1 ", "10.1.2.3") == Actor("CT1", frozenset({Role.SENDER}), "10.1.2.3", "dimse")
    assert door.station("CT1", "10.1.2.4") is None
    assert door.station("CT2", "10.1.2.3") is None

"""Binding, and what is said when it does not work."""

import socket

import pytest

from pacs.cli import sockets
from pacs.errors import Invalid, PacsError, Unavailable


def test_a_free_port() -> None:
    with sockets.listen("localhost", 0, "http") as sock:
        host, port = sock.getsockname()[:2]
        with socket.create_connection((host, port), timeout=5):
            pass


def test_a_port_in_use_is_told() -> None:
    with sockets.listen("127.0.0.1", 0, "dimse") as sock:
        port = sock.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} is in use") as caught:
            sockets.listen("127.0.0.1", port, "dimse")
    assert "--dimse HOST:PORT" in caught.value.hint
    sockets.listen("127.0.0.1", port, "dimse").close()  # free again at once


@pytest.mark.parametrize(
    ("host", "kind", "message"),
    [("192.0.2.1", Unavailable, "not an address of this"), ("a..b", Invalid, "cannot be resolved")],
)  # fmt: skip
def test_addresses_that_cannot_be_bound(host: str, kind: type[PacsError], message: str) -> None:
    with pytest.raises(kind, match=message):
        sockets.listen(host, 0, "http")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", "80"),
        ("name.example:0", "name.example", "0"),
        ("[::1]:8080", "::1", "8080"),
        ("8080", "", "8080"),
    ],
)
def test_places(text: str, host: str, port: str) -> None:
    assert sockets.parse(text, "http") == (host, port)


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "::1:80", "host:http", "[::1]", "a:b:80"])
def test_no_places(text: str) -> None:
    with pytest.raises(Invalid, match="--http must be HOST:PORT"):
        sockets.parse(text, "http")


def test_at() -> None:
    assert sockets.at("::1", 80) == "[::1]:80"
    assert sockets.at("h", 80) == "h:80"

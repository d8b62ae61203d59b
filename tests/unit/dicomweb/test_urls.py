"""Whose word counts about where we are."""

import pytest

from dicomweb.urls import Proxies
from pacs.errors import Invalid

PROXY, FURTHER, CLIENT, STRANGER = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"
PROXIES = Proxies(["10.0.0.0/24", "::1"])


def seen(headers: dict[str, str], peer: str = PROXY) -> tuple[str, str]:
    outside = PROXIES.outside({"host": "inner:8080"} | headers, peer, "http", ("127.0.0.1", 8080))
    return outside.base, outside.origin


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("http://inner:8080", PROXY)),
        (
            {"x-forwarded-for": CLIENT, "x-forwarded-proto": "https", "x-forwarded-host": "pacs.example"},
            ("https://pacs.example", CLIENT),
        ),
        ({"x-forwarded-proto": "https"}, ("https://inner:8080", PROXY)),
        ({"x-forwarded-prefix": "/hilum/"}, ("http://inner:8080/hilum", PROXY)),
        (
            {"forwarded": f'for={CLIENT};host="pacs.example:444";proto=https'},
            ("https://pacs.example:444", CLIENT),
        ),
        ({"forwarded": 'For="[2001:db8::7]:55"; Proto=HTTPS'}, ("https://inner:8080", "2001:db8::7")),
        (
            {"x-forwarded-for": f"{CLIENT}, {FURTHER}", "x-forwarded-proto": "https,http"},
            ("https://inner:8080", CLIENT),
        ),
        (
            {"x-forwarded-for": f"spoofed, {CLIENT}", "x-forwarded-host": "evil.example, pacs.example"},
            ("http://pacs.example", CLIENT),
        ),
        ({"x-forwarded-proto": "gopher"}, ("http://inner:8080", PROXY)),
    ],
)
def test_a_trusted_proxy_is_believed(headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert seen(headers) == expected


def test_nobody_else_is() -> None:
    headers = {
        "x-forwarded-for": CLIENT,
        "x-forwarded-proto": "https",
        "x-forwarded-prefix": "/x",
        "forwarded": "a",
    }
    assert seen(headers, STRANGER) == ("http://inner:8080", STRANGER)


@pytest.mark.parametrize(
    ("host", "address", "base"),
    [
        ("", "127.0.0.1", "http://127.0.0.1:8080"),
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:8080"),
        ("localhost", "127.0.0.1", "http://localhost:8080"),
        ("localhost", "::1", "http://localhost:8080"),
        ("[::1]", "::1", "http://[::1]:8080"),
        ("localhost", "192.0.2.1", "http://localhost"),
        ("pacs.example", "127.0.0.1", "http://pacs.example"),
        ("127.0.0.1:90", "127.0.0.1", "http://127.0.0.1:90"),
    ],
)
def test_a_host_without_its_port(host: str, address: str, base: str) -> None:
    assert PROXIES.outside({"host": host}, STRANGER, "http", (address, 8080)).base == base


@pytest.mark.parametrize("host", ["a b", "a/b", "<x>", "a:b", "[::1", "a@b", "a:999999"])
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(Invalid):
        seen({"host": host})


def test_a_prefix_that_is_no_path() -> None:
    with pytest.raises(Invalid):
        seen({"x-forwarded-prefix": "//evil.example/<x>"})

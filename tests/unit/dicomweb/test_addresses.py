"""Which path an address is."""

import pytest

from dicomweb.addresses import Addresses

PATHS = (
    "/",
    "/studies",
    "/studies/{study}",
    "/studies/{study}/metadata",
    "/studies/{study}/series/{series}",
    "/items/{item}/subscribers/{title}",
    "/items/global/subscribers/{title}/suspend",
    "/files/{path:path}",
    "/files/index",
)


@pytest.fixture
def addresses() -> Addresses[str]:
    made: Addresses[str] = Addresses()
    for path in PATHS:
        made.add(path, path)
    return made


@pytest.mark.parametrize(
    ("address", "path", "pieces"),
    [
        ("/", "/", {}),
        ("/studies", "/studies", {}),
        ("/studies/1.2", "/studies/{study}", {"study": "1.2"}),
        ("/studies/metadata", "/studies/{study}", {"study": "metadata"}),
        ("/studies/1.2/metadata", "/studies/{study}/metadata", {"study": "1.2"}),
        ("/studies/1/series/2", "/studies/{study}/series/{series}", {"study": "1", "series": "2"}),
        # Fixed words are tried first, and left again where they lead nowhere.
        (
            "/items/global/subscribers/A",
            "/items/{item}/subscribers/{title}",
            {"item": "global", "title": "A"},
        ),
        ("/items/global/subscribers/A/suspend", "/items/global/subscribers/{title}/suspend", {"title": "A"}),
        ("/files/index", "/files/index", {}),
        ("/files/a/b//c", "/files/{path:path}", {"path": "a/b//c"}),
        ("/files/", "/files/{path:path}", {"path": ""}),
    ],
)
def test_found(addresses: Addresses[str], address: str, path: str, pieces: dict[str, str]) -> None:
    assert addresses.find(address) == (path, pieces)


@pytest.mark.parametrize(
    "address", ["", "/studies/", "/studies//metadata", "/files", "/x", "/studies/1/2", "x"]
)
def test_unknown(addresses: Addresses[str], address: str) -> None:
    assert addresses.find(address) is None


@pytest.mark.parametrize("path", ["/studies/{other}", "/files/{rest:path}", "/x/{path:path}/more"])
def test_no_two_are_the_same(addresses: Addresses[str], path: str) -> None:
    with pytest.raises(ValueError, match="there already"):
        addresses.add(path, path)

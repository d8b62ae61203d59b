"""Known stations: title, address, and names that resolve."""

import pytest

from pacs.auth import stations
from pacs.auth.stations import REMEMBERED_SECONDS, Stations
from pacs.config import Peer

CT1 = Peer("CT1", "ct1.example")


class Names:
    """A name server to be told what to answer, and when to be away."""

    def __init__(self) -> None:
        self.answers = {"ct1.example": frozenset({"10.0.0.1", "fd00::1"})}
        self.asked = 0
        self.now = 100.0

    def resolve(self, host: str) -> frozenset[str]:
        self.asked += 1
        try:
            return self.answers[host]
        except KeyError:
            raise OSError("away") from None

    def stations(self) -> Stations:
        return Stations({"CT1": CT1}, resolver=self.resolve, now=lambda: self.now)


@pytest.mark.parametrize("title", ["CT1", " CT1", "CT1             "])
@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1", "FD00:0::1", "fd00::1%eth0"])
def test_known(title: str, address: str) -> None:
    assert Names().stations().find(title, address) == CT1


@pytest.mark.parametrize(
    ("title", "address"),
    [
        ("ct1", "10.0.0.1"), ("CT 1", "10.0.0.1"), ("", "10.0.0.1"), ("CT1\0", "10.0.0.1"),
        ("CT1", "10.0.0.2"), ("CT1", ""), ("CT1", "ct1.example"),
    ],
)  # fmt: skip
def test_unknown(title: str, address: str) -> None:
    assert Names().stations().find(title, address) is None


def test_names_are_remembered_a_minute_and_then_asked_again() -> None:
    names = Names()
    known = names.stations()
    for _ in range(3):
        assert known.find("CT1", "10.0.0.1")
    assert names.asked == 1
    names.answers["ct1.example"] = frozenset({"10.0.0.9"})
    names.now += REMEMBERED_SECONDS
    assert known.find("CT1", "10.0.0.1") is None
    assert known.find("CT1", "10.0.0.9")
    assert names.asked == 2


def test_a_name_server_that_is_away_shuts_out_nobody_known_before(caplog: pytest.LogCaptureFixture) -> None:
    names = Names()
    known = names.stations()
    assert known.find("CT1", "10.0.0.1")
    names.answers.clear()
    names.now += REMEMBERED_SECONDS
    assert known.find("CT1", "10.0.0.1")
    assert "not resolved" in caplog.text
    assert names.stations().find("CT1", "10.0.0.1") is None


def test_resolving() -> None:
    assert stations.resolve("::FFFF:127.0.0.1") == {"127.0.0.1"}
    assert "127.0.0.1" in stations.resolve("localhost")

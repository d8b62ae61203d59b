"""Beyond loopback only with authentication, unless told so in so many words."""

import pytest

from pacs.config import check_exposure, is_loopback, load
from pacs.errors import Invalid

TOKEN = f'[[auth.tokens]]\nname = "a"\nhash = "sha256:{"0" * 64}"\nroles = ["viewer"]\n'


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    check_exposure(load("", {"PACS_WEB_HOST": host, "PACS_DIMSE_HOST": host}, {}))


BEYOND = ["0.0.0.0", "::", "10.0.0.1", "archive.example", "127.0.0.1.example", "127.1"]  # noqa: S104 - refused


@pytest.mark.parametrize("host", BEYOND)
@pytest.mark.parametrize("wire", ["web", "dimse"])
def test_beyond_loopback(host: str, wire: str) -> None:
    overrides = {f"{wire}.host": host}
    with pytest.raises(Invalid) as caught:
        check_exposure(load("", {}, overrides))
    assert f"{wire}.host is {host}" in str(caught.value)
    assert "pacs token create" in caught.value.hint
    assert "--insecure" in caught.value.hint
    check_exposure(load(TOKEN, {}, overrides))
    check_exposure(load("", {}, {**overrides, "auth.insecure": "true"}))


def test_an_archive_that_refuses_unknown_stations_may_be_called_by_the_known_ones() -> None:
    overrides = {"dimse.host": "10.0.0.1", "dimse.unknown_stations": "refuse"}
    check_exposure(load("", {}, overrides))
    with pytest.raises(Invalid, match=r"web\.host is"):
        check_exposure(load("", {}, {**overrides, "web.host": "10.0.0.1"}))
    with pytest.raises(Invalid, match=r"dimse\.host is"):
        check_exposure(load("", {}, {**overrides, "dimse.unknown_stations": "admit"}))

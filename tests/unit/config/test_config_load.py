"""Defaults, file, environment and command line into one Config."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from pacs.auth.actor import Right, Role
from pacs.cli.settings import as_toml
from pacs.config import (
    RIGHTS,
    ROLES,
    Config,
    Peer,
    load,
    masked,
    settings,
)
from pacs.errors import Invalid

HASH = "sha256:" + "0f" * 32
FULL = f"""
data = "/srv/hilum"

[index]
url = "postgresql://hilum:s3cret@db.example/hilum?sslpassword=other"

[store]
durability = "process-crash"
conflict = "keep-first"

[dimse]
host = "::1"
port = 104
aet = "  MAIN "
processes = 2
idle_timeout = 90

[dimse.peers.CT1]
host = "10.1.2.3"
port = 11113
roles = ["sender"]

[dimse.peers."VIEW ER"]
host = "viewer.example"
rights = ["echo", "query"]
send_transfer_syntaxes = ["1.2.840.10008.1.2.5", "ExplicitVRLittleEndian"]
accept_transfer_syntaxes = ["JPEGLSLossless"]
character_set = "\\\\ISO 2022 IR 87"

[web]
trusted_proxies = ["10.0.0.0/8", "::1"]

[[auth.tokens]]
name = "reading room"
hash = "{HASH}"
roles = ["viewer"]
"""


def test_defaults_are_the_documented_ones() -> None:
    config = load("", {}, {})
    assert config == Config()
    assert config.data == Path("hilum-data")
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8080)
    assert (config.dimse.host, config.dimse.port, config.dimse.aet) == ("127.0.0.1", 11112, "HILUM")
    assert not config.auth.on


def test_a_file_sets_everything() -> None:
    config = load(FULL, {}, {})
    assert config.data == Path("/srv/hilum")
    assert config.dimse.aet == "MAIN"
    assert config.dimse.idle_timeout == 90.0
    assert config.dimse.peers["CT1"] == Peer("CT1", "10.1.2.3", 11113, ("sender",))
    assert config.dimse.peers["VIEW ER"] == Peer(
        "VIEW ER",
        "viewer.example",
        104,
        ("viewer", "sender"),
        ("echo", "query"),
        False,
        "same",
        ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"),
        ("1.2.840.10008.1.2.4.80",),
        "\\ISO 2022 IR 87",
    )
    assert config.dimse.peers["CT1"].rights == RIGHTS
    assert config.web.trusted_proxies == ("10.0.0.0/8", "::1")
    assert config.auth.on


def test_later_ones_win() -> None:
    text = "[web]\nport = 1\n[dimse]\nport = 1"
    environ = {"PACS_WEB_PORT": "2", "PACS_DIMSE_PORT": "2", "HOME": "/h", "UNRELATED": "x"}
    config = load(text, environ, {"web.port": "3"})
    assert (config.dimse.port, config.web.port) == (2, 3)


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("PACS_DATA", "/d", "", "data", Path("/d")),
        ("PACS_DATA", "~/d", "", "data", Path("/srv/me/d")),
        ("PACS_INDEX_URL", "postgresql://h/d", "index", "url", "postgresql://h/d"),
        ("PACS_DIMSE_UNKNOWN_SOP_CLASSES", "yes", "dimse", "unknown_sop_classes", True),
        ("PACS_DIMSE_ACSE_TIMEOUT", "1.5", "dimse", "acse_timeout", 1.5),
        ("PACS_WEB_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16", "web", "trusted_proxies",
         ("10.0.0.1", "10.1.0.0/16")),
        ("PACS_STORE_CONFLICT", "keep-first", "store", "conflict", "keep-first"),
        ("PACS_AUTH_INSECURE", "true", "auth", "insecure", True),
    ],
)  # fmt: skip
def test_environment(variable: str, text: str, section: str, key: str, value: object) -> None:
    config = load("", {variable: text, "HOME": "/srv/me", "PACS_CONFIG": "named by the command line"}, {})
    holder = getattr(config, section) if section else config
    assert getattr(holder, key) == value


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[web]\nprot = 1", "unknown setting web.prot", "did you mean port?"),
        ("[dimze]", "unknown setting dimze", "did you mean dimse?"),
        ("zzz = 1", "unknown setting zzz", "known are ai, auth, broker, changes, cold, data"),
        ("[dimse.peers.A]\nhost='a'\nhots='b'", "unknown setting dimse.peers.A.hots", "did you mean host?"),
        ("[dimse.peers.A]\nport=1", "dimse.peers.A.host is missing", "Address or name"),
        ("[dimse.peers]\nA=1", "dimse.peers.A must be a table", ""),
        ("[dimse.peers.A]\nhost='a'\n[dimse.peers.' A']\nhost='a'", "is there twice", "spaces"),
        ("[dimse.peers.A]\nhost='a'\nrights=[]", "dimse.peers.A.rights is empty", "services it may use"),
        ("[dimse.peers.A]\nhost='a'\nrights=['move']", "rights[0] must be one of echo, store, query", ""),
        ("[dimse.peers.A]\nhost='a'\nsend_transfer_syntaxes=['JPEGLSLosless']",
         "send_transfer_syntaxes[0] must be a transfer syntax, not", "did you mean JPEGLSLossless?"),
        ("[dimse.peers.A]\nhost='a'\naccept_transfer_syntaxes=['1.2.840.10008.1.1']",
         "accept_transfer_syntaxes[0] must be a transfer syntax, not '1.2.840.10008.1.1'", "did you mean"),
        ("[dimse.peers.A]\nhost='a'\ncharacter_set='latin-1'", "character_set must be a Specific Chara", ""),
        ("[dimse.peers.A]\nhost='a'\ncharacter_set='ISO_IR 100\\'", "must be a Specific Character Set", ""),
        ("[dimse.peers.A]\nhost='a'\ncharacter_set='ISO_IR 102'", "must be a Specific", "mean ISO_IR"),
        ("[dimse]\nunknown_stations = 'admitt'", "one of auto, refuse, admit, not", "did you mean admit?"),
        ("web = 1", "web must be a table of settings", ""),
        ("[web]\nport = '80'", "web.port must be a whole number from 0 to 65535, not '80'", "Port to listen"),
        ("[web]\nport = true", "web.port must be a whole number", ""),
        ("[web]\nport = 65536", "web.port must be a whole number from 0 to 65535", ""),
        ("[dimse]\nacse_timeout = nan", "dimse.acse_timeout must be a number", ""),
        ("[dimse]\nunknown_sop_classes = 1", "must be true or false, not 1", ""),
        ("[dimse]\nmax_pdu = 100", "dimse.max_pdu must be a whole number from 4096", ""),
        ("[web]\ntrusted_proxies = '10.0.0.0/8'", "web.trusted_proxies must be a list", ""),
        ("[web]\ntrusted_proxies = ['proxy']", "web.trusted_proxies[0] must be an address or a network", ""),
        ("[store]\ndurability = 'power'", "one of power-loss, process-crash, not", "did you mean power-l"),
        ("data = ''", "data must be a path", ""),
        ("data = 3", "data must be a path, not 3", ""),
        ("[auth]\ntokens = [1]", "auth.tokens[0] must be a table", ""),
        (f"[[auth.tokens]]\nname='a'\nhash='{HASH}'", "auth.tokens[0].roles is missing", ""),
        (f"[[auth.tokens]]\nname='a'\nhash='{HASH}'\nroles=[]", "auth.tokens[0].roles is empty", ""),
        (f"[[auth.tokens]]\nname='a'\nhash='{HASH}'\nroles=['boss']", "one of viewer, sender, admin", ""),
        ("[broker]\nurl = 'amqp://h'", "broker.url must be empty or begin with redis://", ""),
        ("x = ", "not valid TOML", ""),
    ],
)  # fmt: skip
def test_a_wrong_file_is_explained(text: str, message: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(text, {}, {})
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_wrong_file_is_refused_even_where_it_is_overridden() -> None:
    with pytest.raises(Invalid, match=r"web\.port"):
        load("[web]\nport = 'x'", {"PACS_WEB_PORT": "1"}, {})


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"PACS_WEB_PROT": "1"}, "unknown environment variable PACS_WEB_PROT", "did you mean PACS_WEB_PORT?"),
        ({"PACS_WEB_PORT": "x"}, "PACS_WEB_PORT must be a whole number from 0 to 65535, not 'x'", ""),
        ({"PACS_AUTH_INSECURE": "maybe"}, "PACS_AUTH_INSECURE must be true or false", ""),
        ({"PACS_DIMSE_PEERS": "A"}, "unknown environment variable PACS_DIMSE_PEERS", ""),
    ],
)
def test_a_wrong_variable_is_explained(environ: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(Invalid) as caught:
        load("", environ, {})
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("aet", ["", "   ", "A" * 17, "A\\B", "A\tB", "Ä", "A\n"])
def test_no_ae_title(aet: str) -> None:
    with pytest.raises(Invalid, match="must be an AE title"):
        load("", {"PACS_DIMSE_AET": aet}, {})


@pytest.mark.parametrize("aet", ["A", "A" * 16, "A B", "a.b-c_d!~", "[x]", " " * 5 + "A" * 16])
def test_ae_titles(aet: str) -> None:
    assert load("", {}, {"dimse.aet": aet}).dimse.aet == aet.strip()


@pytest.mark.parametrize("url", ["mysql://u:pw-hush@h/d", "pw-hush", "/x/pw-hush.db"])
def test_a_refused_index_url_is_not_repeated(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        load("", {"PACS_INDEX_URL": url}, {})
    assert "hush" not in str(caught.value) + caught.value.hint


def test_a_refused_token_hash_is_not_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        load("[[auth.tokens]]\nname='a'\nhash='the-token-itself'\nroles=['viewer']", {}, {})
    assert "itself" not in str(caught.value) + caught.value.hint


def test_tokens_are_distinct() -> None:
    one = f"[[auth.tokens]]\nname='%s'\nhash='{HASH}'\nroles=['viewer']\n"
    with pytest.raises(Invalid, match="share a name or a hash"):
        load(one % "a" + one % "b", {}, {})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:////srv/index.db", "sqlite:////srv/index.db"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@h:5432/d", "postgresql://u:********@h:5432/d"),
        ("postgresql+psycopg://u:p@ss:w/rd@h/d", "postgresql+psycopg://u:********@h/d"),
        ("postgresql:///d?host=/run&password=p&user=u", "postgresql:///d?host=/run&password=********&user=u"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(load("", {"PACS_INDEX_URL": url}, {}))["index"]["url"] == shown


def test_the_password_of_the_broker_is_masked() -> None:
    found = masked(load("", {"PACS_BROKER_URL": "redis://:p@h:6379/0"}, {}))
    assert found["broker"]["url"] == "redis://:********@h:6379/0"


def test_what_is_shown_is_a_file_without_secrets() -> None:
    shown = as_toml(load(FULL, {}, {}))
    assert "s3cret" not in shown
    assert "sslpassword=other" not in shown
    assert HASH not in shown
    again = load(shown.replace('"********"', f'"{HASH}"'), {}, {})
    assert dataclasses.replace(again, index=Config().index) == dataclasses.replace(
        load(FULL, {}, {}), index=Config().index
    )
    assert tomllib.loads(as_toml(Config()))["web"]["port"] == 8080


def test_every_setting_is_explained_and_has_its_variable() -> None:
    names = [setting.name for setting in settings()]
    assert len(names) == len(set(names)) > 15
    for setting in settings():
        assert len(setting.help) > 10, setting.name
        expected = "PACS_" + setting.name.replace(".", "_").upper()
        assert setting.variable in {expected, ""}
    assert {s.name for s in settings() if not s.variable} == {
        "dimse.peers",
        "dimse.tls",
        "auth.tokens",
        "ai.models",
        "ai.rules",
        "tier.rules",
    }
    assert {s.name for s in settings() if s.secret} == {
        "index.url",
        "broker.url",
        "cold.access_key",
        "cold.secret_key",
    }


def test_the_roles_are_those_of_the_policy() -> None:
    assert set(ROLES) == {str(role) for role in Role}
    assert set(RIGHTS) == {str(right) for right in Right}

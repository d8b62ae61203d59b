"""The commands as a person types them, as far as they need no running archive."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pacs import __version__
from pacs.cli.audit import since_ns
from pacs.config import load
from pacs.errors import Invalid, Unavailable
from pacs.services import SERVICES, lookup, missing
from tests.support import command_line

REPOSITORY = Path(__file__).parents[3]


def pacs(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return command_line.run(folder, words, {"HOME": str(folder), **environ})


def in_a_process(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "pacs", *words], cwd=folder, env=kept, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_version(tmp_path: Path) -> None:
    for done in (pacs(tmp_path, "--version"), in_a_process(tmp_path, "--version")):
        assert (done.returncode, done.stdout, done.stderr) == (0, f"hilum {__version__}\n", "")


def test_a_mistake_ends_a_process_with_its_code_and_no_traceback(tmp_path: Path) -> None:
    done = in_a_process(tmp_path, "import", "nothing-here")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nothing-here does not exist")


def test_help_teaches(tmp_path: Path) -> None:
    text = pacs(tmp_path, "--help").stdout
    for word in (
        "pacs serve",
        "pacs import",
        "pacs check",
        "pacs config show",
        "Exit codes",
        "audit",
        "token",
    ):
        assert word in text
    assert "role" not in [line.split()[1] for line in text.splitlines() if line.startswith("│ ")]


@pytest.mark.parametrize(
    "words", [("--help",), ("config", "show"), ("token", "create", "x", "--role", "viewer")]
)
def test_nothing_is_left_behind_by_looking(words: tuple[str, ...], tmp_path: Path) -> None:
    assert pacs(tmp_path, *words).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_config_show_is_a_configuration_file(tmp_path: Path) -> None:
    shown = pacs(tmp_path, "config", "show", PACS_WEB_PORT="1234")
    assert tomllib.loads(shown.stdout)["web"]["port"] == 1234
    assert load(shown.stdout, {}, {}).data == tmp_path / "hilum-data"


def test_config_show_json_masks_secrets(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[index]\nurl = "postgresql://u:hush@h/d"\n')
    by_option = pacs(tmp_path, "config", "show", "--json", "--config", "c.toml", "--data", "d")
    by_variable = pacs(tmp_path, "config", "show", "--json", PACS_CONFIG="c.toml", PACS_DATA="d")
    assert by_option.stdout == by_variable.stdout
    assert "hush" not in by_option.stdout
    assert json.loads(by_option.stdout)["data"] == str(tmp_path / "d")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("config", "show", "--config", "nowhere"), "nowhere cannot be read: No such file", "--config"),
        (("config", "show", "--config", "bad.toml"), "bad.toml: unknown setting wbe", "did you mean web?"),
        (("serve", "--http", "here"), "--http must be HOST:PORT", "127.0.0.1:8080"),
        (("serve", "--http", "127.0.0.1:99999"), "web.port must be a whole number from 0 to 65535", ""),
        (("serve", "--aet", "A" * 17), "dimse.aet must be an AE title", ""),
        (("serve", "--dimse", "0.0.0.0:0"), "no authentication is configured", "--insecure"),
        (("import", "nothing-here"), "nothing-here does not exist", ""),
        (("audit", "--since", "yesterday"), "is no moment", "2026"),
        (("token", "create", "", "--role", "viewer"), "1 to 64 printable characters", ""),
    ],
)
def test_mistakes_are_one_line_a_hint_and_exit_code_2(
    words: tuple[str, ...], message: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.toml").write_text("[wbe]\nport = 1\n")
    done = pacs(tmp_path, *words)
    assert done.returncode == 2, done.stderr
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert hint in "".join(rest)
    assert not (tmp_path / "hilum-data").exists()


@pytest.mark.parametrize(
    "words", [("nonsense",), ("serve", "nonsense"), ("import",), ("token", "create", "x")]
)
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...], tmp_path: Path) -> None:
    assert pacs(tmp_path, *words).returncode == 2


def test_a_created_token_can_be_configured(tmp_path: Path) -> None:
    made = pacs(tmp_path, "token", "create", 'the "room"', "--role", "viewer", "--role", "sender")
    token = made.stdout.strip()
    block = made.stderr[made.stderr.index("[[auth.tokens]]") :]
    (entry,) = load(block, {}, {}).auth.tokens
    assert (entry.name, entry.roles) == ('the "room"', ("sender", "viewer"))
    assert token not in made.stderr
    told = json.loads(pacs(tmp_path, "token", "create", "x", "--role", "admin", "--json").stdout)
    assert set(told) == {"name", "token", "hash", "roles"}


NOW = 1_800_000_000 * 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - 5400 * 10**9),
        ("12h", NOW - 43200 * 10**9),
        ("7d", NOW - 604800 * 10**9),
        ("2026-11-21", 1_795_219_200 * 10**9),
        ("2026-11-21T08:30", 1_795_249_800 * 10**9),
        ("2026-11-21T08:30+01:00", 1_795_246_200 * 10**9),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert since_ns(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "x", "7", "7y", "21.11.2026", "9999999d"])
def test_no_moments(text: str) -> None:
    with pytest.raises(Invalid, match="is no moment"):
        since_ns(text, NOW)


def test_services_are_found_by_name() -> None:
    assert set(SERVICES) == {"dimse", "web", "worker"}
    assert callable(lookup("worker"))
    assert not missing("worker")
    table = {"a": "no.such.module:serve", "b": "pacs.worker:no_such", "c": "pacs.no_such:x"}
    for name in ("a", "b", "c", "d"):
        with pytest.raises(Unavailable, match=f"the role {name} cannot start"):
            lookup(name, table)
    assert [missing(name, table) for name in "abcd"] == [True, False, True, True]

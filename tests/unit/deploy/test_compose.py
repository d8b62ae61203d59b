"""The compose file says only what the archive understands, and starts nothing without secrets."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pacs.cli import app
from pacs.config import FILE_VARIABLE, check_exposure, load, settings
from pacs.config.table import PREFIX
from pacs.errors import Invalid
from tests.support import yaml_file

REPOSITORY = Path(__file__).parents[3]
ROLES = {"web", "dimse", "worker"}
BEYOND = "0.0.0.0"  # noqa: S104 - never listened on
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml_file.load((REPOSITORY / "docker-compose.yml").read_text()))


def filled(value: str) -> str:
    """With its variables: those with a default have that, the others are given."""
    return VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "given", value)


def environment_of(compose: dict[str, Any], role: str) -> dict[str, str]:
    found = {name: filled(str(value)) for name, value in compose["services"][role]["environment"].items()}
    return {name: value for name, value in found.items() if name.startswith(PREFIX)}


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def test_docker_reads_it(tmp_path: Path, compose: dict[str, Any]) -> None:
    """By Docker itself where its compose is installed; its structure in any case."""
    assert set(compose["services"]) == ROLES | {"front", "database", "broker", "bucket"}
    for name, service in compose["services"].items():
        assert "image" in service, name
        assert service["restart"] == "unless-stopped", name
        for needed in service.get("depends_on", {}):
            assert needed in compose["services"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (REPOSITORY / source).is_file(), volume
        for config in service.get("configs", []):
            assert config["source"] in compose["configs"]
    if has_compose():
        (tmp_path / "empty.toml").touch()
        given = dict.fromkeys(required(compose), "x") | {"HILUM_CONFIG": str(tmp_path / "empty.toml")}
        asked = subprocess.run(
            ["docker", "compose", "-f", str(REPOSITORY / "docker-compose.yml"), "config", "-q"],
            env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert asked.returncode == 0, asked.stderr


def required(compose: dict[str, Any]) -> set[str]:
    return {found[1] for found in VARIABLE.finditer(str(compose)) if found[2] == "?"}


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    used = {found[1]: found[2] for found in VARIABLE.finditer(text)}
    secrets = {name for name in used if re.search("PASSWORD|KEY|SECRET|TOKEN", name)}
    assert secrets == required(compose) == {name for name, kind in used.items() if kind == "?"}
    example = (REPOSITORY / ".env.example").read_text()
    said = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert said.keys() == used.keys()
    assert {name for name, value in said.items() if not value} == secrets


def test_nothing_is_published_beyond_loopback_unless_said(compose: dict[str, Any]) -> None:
    published = {
        name: [filled(port) for port in service.get("ports", [])]
        for name, service in compose["services"].items()
    }
    assert {name for name, ports in published.items() if ports} == {"front", "dimse"}
    for port in [*published["front"], *published["dimse"]]:
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_variable_is_a_setting(compose: dict[str, Any], role: str) -> None:
    known = {setting.variable for setting in settings()} | {FILE_VARIABLE}
    given = environment_of(compose, role)
    assert given.keys() <= known
    config = load("", given, {})
    assert config.index.url.startswith("postgresql://")
    assert config.broker.url.startswith("redis://")
    assert str(config.data) == "/srv/hilum"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_command_is_a_real_one_and_refuses_to_serve_strangers(
    compose: dict[str, Any], role: str, tmp_path: Path
) -> None:
    command = compose["services"][role]["command"]
    assert command[:2] == ["serve", role]
    words = [*command, "--data", str(tmp_path / "data")]
    done = CliRunner().invoke(app, [*words, "--no-such-option"])
    assert "no-such-option" in done.output
    if role == "worker":
        return  # it listens nowhere
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, Invalid)
    assert "no authentication is configured" in str(done.exception)
    assert not (tmp_path / "data").exists()


def test_the_example_lets_nobody_in_yet() -> None:
    text = (REPOSITORY / "examples" / "cluster.toml").read_text()
    with pytest.raises(Invalid, match="no authentication"):
        check_exposure(load(text, {}, {"web.host": BEYOND}))
    opened = re.sub(r"^# (?=\[|name|hash|roles|host|port)", "", text, flags=re.MULTILINE)
    config = load(opened.replace("sha256:...", "sha256:" + "0" * 64), {}, {"web.host": BEYOND})
    check_exposure(config)
    assert config.auth.tokens[0].name == "reading room"
    assert set(config.dimse.peers) == {"CT1"}


def test_all_roles_share_the_hot_tier_and_the_settings(compose: dict[str, Any]) -> None:
    roles = [compose["services"][role] for role in sorted(ROLES)]
    for service in roles:
        assert "hot:/srv/hilum" in service["volumes"]
        assert service["configs"] == roles[0]["configs"]
        assert "ports" not in service or service is compose["services"]["dimse"]
        assert "container_name" not in service, "it could not be scaled"
        assert service["read_only"] is True
    proxies = compose["services"]["web"]["environment"]["PACS_WEB_TRUSTED_PROXIES"]
    assert compose["networks"]["default"]["ipam"]["config"] == [{"subnet": proxies}]


def test_the_image_is_made_of_pinned_packages_by_nobody_special() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 4
    assert any("--require-hashes -r constraints.txt" in line for line in lines)
    last_stage = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER hilum" in last_stage
    assert any(line.startswith("HEALTHCHECK ") for line in last_stage)
    for line in last_stage:
        if line.startswith("COPY ") and "--from=" not in line:
            source = [word for word in line.split()[1:-1] if not word.startswith("--")]
            assert all((REPOSITORY / name).is_file() for name in source)
    assert "COPY --from=viewer /viewer/ohif /opt/viewer" in last_stage
    assert any(line.strip() == "PACS_WEB_VIEWER=/opt/viewer" for line in last_stage)
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {".*", "hilum.toml", "hilum-data*"} <= set(ignored), "secrets and data stay outside"
    assert not {"scripts", "constraints.txt", "README.md", "pyproject.toml"} & set(ignored)

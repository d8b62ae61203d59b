"""What lies in the repository: nothing of the machine it was written on, no addresses in pins."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root)/")
LOCKS = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json"}
CONSTRAINTS = ("constraints.txt", "constraints-dev.txt")


def own_files() -> list[Path]:
    """What git keeps or would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [REPOSITORY / name for name in listed.splitlines() if (REPOSITORY / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_machine_paths() -> None:
    here = Path(__file__)
    found = [path for path in own_files() if path != here and MACHINE_PATH.search(text_of(path))]
    assert not found


def test_no_lock_files() -> None:
    assert not [path for path in own_files() if path.name in LOCKS]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_hold_no_address_and_every_pin_a_hash(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text, re.MULTILINE), "an option in a list of pins"
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def pinned(name: str) -> dict[str, str]:
    found = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE
    )
    return {package.lower(): version for package, version in found}


def test_tests_run_with_what_is_shipped() -> None:
    runtime, development = (pinned(name) for name in CONSTRAINTS)
    assert runtime.items() <= development.items()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=]", entry)[0].lower() for entry in project["dependencies"]}
    assert wanted <= pinned("constraints.txt").keys()
    extra = {re.split(r"[\[<>=]", e)[0].lower() for e in project["optional-dependencies"]["dev"]}
    assert extra <= pinned("constraints-dev.txt").keys()

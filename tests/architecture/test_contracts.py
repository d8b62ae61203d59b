"""The rooms' contracts hold, and each of them bites: a planted import is refused."""

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("pacs", "dimse", "dicomweb", "tiering", "ai_routing")
OUTSIDE_THE_LAYERS = {"__init__", "__main__"}


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache"], cwd=folder, env={"PYTHONPATH": str(folder), "NO_COLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_contracts_hold() -> None:
    done = lint(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Plant:
    """An import that must not be, and the contract that forbids it."""

    module: str
    line: str
    contract: str


PLANTS = (
    Plant("pacs/errors.py", "import pacs.dicom", "rooms"),
    Plant("pacs/dicom/level.py", "from pacs.db import schema", "rooms"),
    Plant("pacs/config/__init__.py", "import pacs.runtime", "rooms"),
    Plant("pacs/store/__init__.py", "import pacs.index", "rooms"),
    Plant("pacs/ingest/__init__.py", "import pacs.query", "rooms"),
    Plant("pacs/retrieve/__init__.py", "import dicomweb", "rooms"),
    Plant("dimse/__init__.py", "import dicomweb", "rooms"),
    Plant("dicomweb/__init__.py", "import pacs.cli", "rooms"),
    Plant("dimse/__init__.py", "import pacs.store", "edges"),
    Plant("dicomweb/__init__.py", "from pacs.db import connection", "edges"),
    Plant("pacs/retrieve/__init__.py", "import pacs.store.writer", "one way in"),
    Plant("pacs/ingest/__init__.py", "import pynetdicom", "pynetdicom"),
    Plant("dicomweb/__init__.py", "from pynetdicom import AE", "pynetdicom"),
    Plant("pacs/runtime/__init__.py", "import starlette", "web framework"),
    Plant("dimse/__init__.py", "import uvicorn", "web framework"),
    Plant("dicomweb/__init__.py", "import sqlalchemy", "SQL"),
    Plant("pacs/dicom/level.py", "import sqlalchemy", "SQL"),
    Plant("pacs/ingest/__init__.py", "import sqlalchemy.orm", "SQL"),
    Plant("pacs/config/__init__.py", "import rich", "command line"),
    Plant("tiering/__init__.py", "import dicomweb", "rooms"),
    Plant("tiering/__init__.py", "import pacs.store.reader", "tiering serves no bytes"),
    Plant("pacs/retrieve/__init__.py", "import tiering", "rooms"),
    Plant("pacs/store/__init__.py", "import boto3", "boto3"),
    Plant("pacs/outbox/__init__.py", "import celery", "Celery"),
    Plant("dicomweb/__init__.py", "from kombu import Connection", "Celery"),
    Plant("pacs/outbox/__init__.py", "import pacs.worker", "rooms"),
    Plant("ai_routing/plugin.py", "import onnxruntime", "onnxruntime"),
    Plant("ai_routing/model.py", "from pacs import errors", "process of a plugin"),
    Plant("ai_routing/__init__.py", "from pacs.reading.worklist import Worklist", "only by reprioritising"),
    Plant("ai_routing/__init__.py", "from pacs.reading import rows", "only by reprioritising"),
    Plant("ai_routing/__init__.py", "import pacs.workitems.workitems", "only by reprioritising"),
    Plant("pacs/reading/__init__.py", "import pacs.workitems", "rooms"),
    Plant("pacs/changes/__init__.py", "import pacs.workitems", "rooms"),
    Plant("ai_routing/__init__.py", "import dicomweb", "rooms"),
    Plant("pacs/runtime/__init__.py", "import ai_routing", "rooms"),
    Plant("pacs/query/__init__.py", "import pacs.orders", "rooms"),
    Plant("pacs/orders/__init__.py", "import pacs.runtime", "rooms"),
    Plant("pacs/orders/mpps.py", "import sqlalchemy", "SQL"),
    Plant("pacs/renditions/__init__.py", "import pacs.retrieve", "rooms"),
    Plant("pacs/store/__init__.py", "import pacs.renditions", "rooms"),
    Plant("pacs/renditions/__init__.py", "from PIL import Image", "codec libraries"),
    Plant("dicomweb/__init__.py", "import pacs.pixels.render", "edges"),
)


def module_file(folder: Path, module: str) -> Path:
    """A room is a package or, while it is small, a module."""
    path = folder / module
    return path if path.exists() else folder / (module.removesuffix("/__init__.py") + ".py")


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.module}: {plant.line}")
def test_a_wrong_import_is_refused(plant: Plant, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "ui")
        )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    path = module_file(tmp_path, plant.module)
    path.write_text(path.read_text() + f"\n{plant.line}\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    broken = [line for line in done.stdout.splitlines() if line.rstrip().endswith("BROKEN")]
    assert any(plant.contract in line for line in broken), done.stdout + done.stderr


def test_every_other_door_to_the_reading_list_is_closed_to_ai() -> None:
    """A new module of the room would be open to it otherwise."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == "ai-reprioritises")
    modules = {f"pacs.reading.{path.stem}" for path in (REPOSITORY / "pacs/reading").glob("[!_]*.py")}
    assert modules - set(contract["forbidden_modules"]) == {"pacs.reading.model", "pacs.reading.reprioritise"}


def test_every_room_stands_in_the_layers() -> None:
    """A new room without a place would be free to import anything."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    rooms = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == "rooms")
    placed = {name.strip() for layer in rooms["layers"] for name in layer.split("|")}
    found = {
        f"pacs.{path.stem}"
        for path in (REPOSITORY / "pacs").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
        if path.stem not in OUTSIDE_THE_LAYERS
    }
    assert found <= placed, f"rooms without a place: {sorted(found - placed)}"
    assert placed <= found | set(PACKAGES), "a layer names a room that is not there"

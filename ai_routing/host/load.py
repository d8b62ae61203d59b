"""Finds the function of a plugin that the configuration names."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from ai_routing.host.study import Study
from ai_routing.model import Answer

Read = Callable[[Study], Answer]

FUNCTION: Final = "read"


class Unloadable(Exception):
    """`str()` says why, `hint` what to do about it. Nothing of a patient is known when it is raised."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


def load(kind: str, path: str) -> Read:
    """Raises Unloadable. What the plugin's own code raises on import goes up as it is."""
    if kind == "onnx":
        from ai_routing.host.network import Network

        return Network.open(Path(path)).read
    place, _, name = path.partition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _installed(place)
    function: Any = module
    for part in (name or FUNCTION).split("."):
        function = getattr(function, part, None)
    if not callable(function):
        _refuse(f"the module of the plugin has no function {name or FUNCTION}")
    return function  # type: ignore[no-any-return]


def _from_file(file: Path) -> ModuleType:
    """Its folder is on the path, so that it can have companions."""
    if not file.is_file():
        _refuse("the file of the plugin is not there", "look at `path` of the model")
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        _refuse("the file of the plugin cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        _lacks(error)
    return module


def _installed(name: str) -> ModuleType:
    try:
        return importlib.import_module(name or " ")
    except ModuleNotFoundError as error:
        _lacks(error)


def _lacks(error: ModuleNotFoundError) -> NoReturn:
    raise Unloadable(
        f"the module {error.name} of the plugin is not installed",
        "install it in the environment of the worker, or look at `path` of the model",
    ) from error


def _refuse(reason: str, hint: str = "") -> NoReturn:
    raise Unloadable(reason, hint)

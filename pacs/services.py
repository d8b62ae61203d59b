"""Which function runs a role: the one place where the core names its neighbours.

They are names, looked up when a role starts, so nothing here imports upward.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pacs.errors import Unavailable

SERVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dimse": "dimse.service:serve",
        "web": "dicomweb.service:serve",
        "worker": "pacs.worker.service:serve",
    }
)
PROBES: Final[Mapping[str, str]] = MappingProxyType({"broker": "pacs.worker.probe:answers"})
"""What can be away without anybody being turned away; each is asked whether it answers."""


def lookup(name: str, table: Mapping[str, str] = SERVICES) -> Callable[..., Any]:
    """The function behind a name. Raises Unavailable when this installation does not have it."""
    target = table.get(name, "")
    module, _, function = target.partition(":")
    try:
        return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]
    except (ImportError, AttributeError, ValueError) as error:
        raise Unavailable(
            f"the role {name} cannot start: {target or 'nothing'} is not installed",
            hint=f"reinstall hilum with all its packages ({error})",
        ) from error


def missing(name: str, table: Mapping[str, str] = SERVICES) -> bool:
    """Whether this installation lacks the module of a role. Imports nothing of it."""
    module = table.get(name, "").partition(":")[0]
    try:
        return not module or importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        return True

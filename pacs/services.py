"""Which functions of its neighbours the core calls: the one place where it names them.

They are names, looked up when they are needed, so nothing here imports upward.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pacs import log
from pacs.errors import PacsError, Unavailable

_log = log.get(__name__)

SERVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dimse": "dimse.service:serve",
        "web": "dicomweb.service:serve",
        "worker": "pacs.worker.service:serve",
    }
)
PROBES: Final[Mapping[str, str]] = MappingProxyType({"broker": "pacs.worker.probe:answers"})
"""What can be away without anybody being turned away; each is asked whether it answers."""

# Each is called with the archive as `crew` and answers the subscribers and chores that it adds to the
# crew. It only builds them: it reads no index and asks no other machine.
CREW: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ai_routing": "ai_routing.service:contribute",
        "tiering": "tiering.service:contribute",
    }
)
# What an archive passes on to whom it may concern: an answer of a model, with whoever brings it; the
# result of a storage commitment, to the station that asked for it.
PASSED_ON: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model answer": "ai_routing.service:receive",
        "storage commitment": "dimse.report:call",
    }
)


def contributions(archive: Any, table: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """What the neighbours have to do in the background.

    One that cannot take part is told of in the log and left out: what the archive itself has to do,
    listing studies that have settled above all, never depends on a neighbour."""
    table = CREW if table is None else table
    found: list[Any] = []
    for name in table:
        try:
            found += lookup(name, table)(archive)
        except Exception as error:  # noqa: BLE001 - see above
            reason = str(error) if isinstance(error, PacsError) else type(error).__name__
            _log.error("left out of the crew name=%s reason=%s", name, reason)
    return tuple(found)


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

"""The one who asks. Edges make an Actor; every use case takes it first."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    SENDER = "sender"
    ADMIN = "admin"


class Right(StrEnum):
    """What a station may be limited to, whatever its roles: services in the words of the wire."""

    ECHO = "echo"
    STORE = "store"
    QUERY = "query"
    RETRIEVE = "retrieve"
    COMMITMENT = "commitment"
    WORKLIST = "worklist"
    MPPS = "mpps"


@dataclass(frozen=True, slots=True)
class Scope:
    """The one study that somebody may see and add results to, and the run of a model that it is for."""

    study: str
    run: str


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a token's name or an AE title; `origin` the address the request came from;
    `channel` the wire it came by (`dimse`, `dicomweb`, `cli`, `system`). Whoever has a `scope` has
    no roles: the scope says it all. `rights` limit what the roles allow; None does not."""

    name: str
    roles: frozenset[Role]
    origin: str
    channel: str
    scope: Scope | None = None
    rights: frozenset[Right] | None = None


def system(task: str) -> Actor:
    """The archive itself, at work on its own behalf."""
    return Actor(task, frozenset(Role), "local", "system")

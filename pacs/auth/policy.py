"""One pure function decides; use cases ask it and audit the answer."""

from enum import StrEnum

from pacs.auth.actor import Actor, Role
from pacs.errors import Forbidden


class Action(StrEnum):
    ECHO = "echo"
    STORE = "store"
    SEARCH = "search"
    READ = "read"
    INSPECT = "inspect"  # server facts, audit trail, configuration
    WORKLIST = "worklist"  # see what is to be read, claim it, finish it, judge its findings
    REPRIORITISE = "reprioritise"  # tell what a model found


_ALLOWED: dict[Action, frozenset[Role]] = {
    Action.ECHO: frozenset(Role),
    Action.STORE: frozenset({Role.SENDER, Role.ADMIN}),
    Action.SEARCH: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.READ: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.INSPECT: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.WORKLIST: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.REPRIORITISE: frozenset({Role.ADMIN}),
}


def allows(actor: Actor, action: Action) -> bool:
    return not actor.roles.isdisjoint(_ALLOWED[action])


def require(actor: Actor, action: Action) -> None:
    """Raise Forbidden unless the actor may do this."""
    if not allows(actor, action):
        needed = ", ".join(sorted(_ALLOWED[action]))
        raise Forbidden(
            f"{actor.name} may not {action}", hint=f"it takes one of the roles {needed}; ask an administrator"
        )

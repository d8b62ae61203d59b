"""One pure function decides; use cases ask it and audit the answer."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from pacs.auth.actor import Actor, Role
from pacs.errors import Forbidden


class Action(StrEnum):
    ECHO = "echo"
    STORE = "store"
    SEARCH = "search"
    READ = "read"
    INSPECT = "inspect"  # server facts, audit trail, configuration
    WORKLIST = "worklist"  # see what is to be read, claim it, finish it, judge its findings
    SCHEDULE = "schedule"  # make a workitem
    WORKITEM = "workitem"  # see workitems, do them, be told of them
    CHANGES = "changes"  # be told what changes in the archive, by UIDs
    REPRIORITISE = "reprioritise"  # let what a model found change the order of the list
    ANSWER = "answer"  # a model tells what it found: with the token of the run, and no other


_ALLOWED: dict[Action, frozenset[Role]] = {
    Action.ECHO: frozenset(Role),
    Action.STORE: frozenset({Role.SENDER, Role.ADMIN}),
    Action.SEARCH: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.READ: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.INSPECT: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.WORKLIST: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.SCHEDULE: frozenset({Role.SENDER, Role.ADMIN}),
    Action.WORKITEM: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.CHANGES: frozenset({Role.VIEWER, Role.ADMIN}),
    Action.REPRIORITISE: frozenset({Role.ADMIN}),
    Action.ANSWER: frozenset(),
}


_SCOPED: Final = frozenset({Action.SEARCH, Action.READ, Action.STORE, Action.ANSWER})


def allows(actor: Actor, action: Action, studies: Collection[str] = ()) -> bool:
    """`studies` are all those that will be seen or added to. Who is limited to one study must name
    it, and it alone; to others it makes no difference."""
    if actor.scope is not None:
        return action in _SCOPED and set(studies) == {actor.scope.study}
    return not actor.roles.isdisjoint(_ALLOWED[action])


def own(actor: Actor) -> tuple[str, ...]:
    """What an actor means who names no study: the one it is limited to, if it is."""
    return (actor.scope.study,) if actor.scope else ()


def require(actor: Actor, action: Action, studies: Collection[str] = ()) -> None:
    """Raise Forbidden unless the actor may do this."""
    if allows(actor, action, studies):
        return
    if actor.scope is not None:
        raise Forbidden(
            f"{actor.name} may not {action} this",
            hint="the token of a run is good for its own study and for its findings, and for nothing else",
        )
    needed = ", ".join(sorted(_ALLOWED[action])) or "none"
    raise Forbidden(
        f"{actor.name} may not {action}", hint=f"it takes one of the roles {needed}; ask an administrator"
    )

"""One pure function decides; use cases ask it and audit the answer."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from pacs.auth.actor import Actor, Right, Role
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
    COMMIT = "commit"  # ask that objects be kept, and hear whether they are
    ORDER = "order"  # say what is to be scanned, and take it back
    SCHEDULED = "scheduled"  # see what is to be scanned
    PERFORM = "perform"  # tell what was scanned
    DELETE = "delete"  # to the trash and back, and see what is in it
    PURGE = "purge"  # let go for good
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
    Action.COMMIT: frozenset({Role.SENDER, Role.ADMIN}),
    Action.ORDER: frozenset({Role.SENDER, Role.ADMIN}),
    Action.SCHEDULED: frozenset(Role),  # a modality that may only send needs its worklist, too
    Action.PERFORM: frozenset({Role.SENDER, Role.ADMIN}),
    Action.DELETE: frozenset({Role.ADMIN}),
    Action.PURGE: frozenset({Role.ADMIN}),
    Action.ANSWER: frozenset(),
}


# What somebody limited to rights needs beside a role; what is not here they may not do at all.
_RIGHT: Final[dict[Action, Right]] = {
    Action.ECHO: Right.ECHO,
    Action.STORE: Right.STORE,
    Action.SEARCH: Right.QUERY,
    Action.READ: Right.RETRIEVE,
    Action.COMMIT: Right.COMMITMENT,
    Action.SCHEDULED: Right.WORKLIST,
    Action.PERFORM: Right.MPPS,
}

_SCOPED: Final = frozenset({Action.SEARCH, Action.READ, Action.STORE, Action.ANSWER})


def allows(actor: Actor, action: Action, studies: Collection[str] = ()) -> bool:
    """`studies` are all those that will be seen or added to. Who is limited to one study must name
    it, and it alone; to others it makes no difference."""
    if actor.scope is not None:
        return action in _SCOPED and set(studies) == {actor.scope.study}
    if actor.rights is not None and _RIGHT.get(action) not in actor.rights:
        return False
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
    right = _RIGHT.get(action)
    if actor.rights is not None and right not in actor.rights:
        raise Forbidden(
            f"{actor.name} may not {action}",
            hint=f"it takes the right {right or action}; an administrator gives it in [dimse.peers]",
        )
    needed = ", ".join(sorted(_ALLOWED[action])) or "none"
    raise Forbidden(
        f"{actor.name} may not {action}", hint=f"it takes one of the roles {needed}; ask an administrator"
    )

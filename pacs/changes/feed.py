"""The change feed: the outbox as others may read it, by UIDs alone and in an order in which nothing is
ever skipped. Where a reader stands is a token of its own keeping; the archive remembers no reader."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pacs.audit.looks import Looks
from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db.connection import Database, Transaction
from pacs.errors import Gone, Invalid
from pacs.outbox import log
from pacs.outbox.events import Kind
from pacs.outbox.log import START, Position, Told

LONGEST_PAGE: Final = 1000
_INTERNAL: Final = frozenset({Kind.MODEL_RUN, Kind.CLAIM})
_TOKEN: Final = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})", re.ASCII)
_MOST_READ: Final = 10_000
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Change:
    """`token` is where a reader stands that has taken it; UIDs that do not belong to it are empty."""

    token: str
    at_ns: int
    kind: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    workitem_uid: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Go on from `next`, at once when there are `more`."""

    changes: tuple[Change, ...]
    next: str
    more: bool


class Feed:
    """Thread-safe."""

    def __init__(self, db: Database, looks: Looks) -> None:
        self._db = db
        self._looks = looks

    def page(self, actor: Actor, since: str = "", *, limit: int = 100) -> Changes:
        """What happened after `since`, a token; an empty one, or 0.0, begins with the oldest that is kept.

        Raises Forbidden (audited); Invalid for what is no token; Gone when what came after it may have
        been forgotten by now, so that the reader has to look at everything anew."""
        self._admit(actor)
        if limit < 1:
            raise Invalid("a page holds at least one change")
        at, limit = _position(since), min(limit, LONGEST_PAGE)
        with self._db.read() as tx:
            if at != START and not log.is_kept(tx, at):
                raise Gone(
                    "the changes after this token are kept no more",
                    hint="search for everything, and follow again without a token",
                )
            return _page(tx, at, limit)

    def latest(self, actor: Actor) -> str:
        """The token of the newest change, for whoever wants only what comes."""
        self._admit(actor)
        with self._db.read() as tx:
            return _token(log.newest(tx))

    def _admit(self, actor: Actor) -> None:
        def nobody(_: Transaction) -> Iterable[tuple[str, str]]:
            return (("", ""),)

        self._looks.admit(actor, Action.CHANGES, nobody, asked="feed", detail="feed", often=True)


def _page(tx: Transaction, at: Position, limit: int) -> Changes:
    """Events that nobody outside has a use for are passed, so more may be read than are told."""
    found: list[Change] = []
    for _ in range(_MOST_READ // LONGEST_PAGE):
        events = log.read(tx, at, limit)
        for event in events:
            at = event.position
            if event.kind not in _INTERNAL:
                found.append(_change(event))
            if len(found) == limit:
                return Changes(tuple(found), _token(at), more=True)
        if len(events) < limit:
            return Changes(tuple(found), _token(at), more=False)
    return Changes(tuple(found), _token(at), more=True)


def _change(event: Told) -> Change:
    return Change(
        _token(event.position),
        event.at_ns,
        event.kind,
        event.study_uid,
        event.series_uid,
        event.sop_instance_uid,
        str(event.payload.get("workitem", "")),
    )


def _token(at: Position) -> str:
    return f"{at.tx}.{at.seq}"


def _position(token: str) -> Position:
    if not token:
        return START
    found = _TOKEN.fullmatch(token)
    if found is None or max(map(int, found.groups())) > _HIGHEST:
        raise Invalid("this is no token of the change feed", hint="send the one that came as next")
    return Position(int(found[1]), int(found[2]))

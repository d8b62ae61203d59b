"""Where the pages of a list ended, so that the next one begins there.

An offset counts from the top, where new studies come in: whoever pages by it would be shown some rows
twice. So a page that begins where one to the same caller ended goes on behind that row, which costs the
same at any depth, too. Where nothing is remembered, rows are counted."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pacs import clock
from pacs.auth.actor import Actor
from pacs.query.compile import Position
from pacs.query.model import Query

_LISTS: Final = 1_000
_ENDS: Final = 16  # of one list: pages are asked for ahead, and again
_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a row: `position` in the order of the list, and the id of its match."""

    position: Position = ()
    match: int = 0


TOP: Final = Place()


@dataclass(slots=True)
class _List:
    until: float
    ends: OrderedDict[int, Place]


class Places:
    """Thread-safe; one per process, and bounded, so that it may forget."""

    def __init__(self) -> None:
        self._lists: OrderedDict[object, _List] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, actor: Actor, query: Query) -> Place | None:
        """Where the matches in front of the query's offset end; None when that is not known."""
        if not query.offset:
            return TOP
        with self._lock:
            found = self._lists.get(_name(actor, query))
            if found is None or found.until < clock.monotonic():
                return None
            return found.ends.get(query.offset)

    def keep(self, actor: Actor, query: Query, count: int, end: Place) -> None:
        """That `count` matches from the query's offset on end at `end`. Who begins at the top again has a
        list of its own day."""
        name = _name(actor, query)
        with self._lock:
            found = self._lists.get(name)
            if found is None or not query.offset:
                found = self._lists[name] = _List(0.0, OrderedDict())
            found.until = clock.monotonic() + _SECONDS
            found.ends[query.offset + count] = end
            found.ends.move_to_end(query.offset + count)
            while len(found.ends) > _ENDS:
                found.ends.popitem(last=False)
            self._lists.move_to_end(name)
            while len(self._lists) > _LISTS:
                self._lists.popitem(last=False)


def _name(actor: Actor, query: Query) -> object:
    return actor, query.level, query.conditions, query.order

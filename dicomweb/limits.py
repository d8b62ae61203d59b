"""How much of the expensive one caller gets at once: pictures, and studies and series as a whole.

Who asks for more waits for a while, so that a page full of thumbnails just fills more slowly; who asks for
far more is told to come back. Each caller waits for its own answers only.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dicomweb.calls import Call
from dicomweb.entries import Entry
from dicomweb.problems import TooMany
from dicomweb.urls import PREFIX

WAIT_SECONDS = 20.0
QUEUE: Final = 16
"""So many times the limit may wait."""
_DRAWN: Final = ("rendered", "thumbnail")
_WHOLE: Final = ("{study}", "{series}")


def is_expensive(entry: Entry) -> bool:
    last = entry.path.rpartition("/")[2]
    return (
        entry.method == "GET"
        and entry.path.startswith(f"{PREFIX}/studies/")
        and (last in _DRAWN or last in _WHOLE)
    )


@dataclass(slots=True)
class _Caller:
    """`waiting` counts those under way and those that wait."""

    free: asyncio.Semaphore
    waiting: int = 0


@dataclass(slots=True)
class Turnstile:
    """For one event loop."""

    at_once: int
    _callers: dict[tuple[str, str], _Caller] = field(default_factory=dict)

    async def enter(self, call: Call) -> "Turn":
        """Raises TooMany."""
        who = (call.actor.name, call.actor.origin)
        caller = self._callers.setdefault(who, _Caller(asyncio.Semaphore(self.at_once)))
        if caller.waiting >= self.at_once * (1 + QUEUE):
            raise _too_many(self.at_once)
        with self._counted(who, caller) as turn:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await caller.free.acquire()
            except TimeoutError:
                raise _too_many(self.at_once) from None
            return turn

    @contextmanager
    def _counted(self, who: tuple[str, str], caller: _Caller) -> Iterator["Turn"]:
        caller.waiting += 1
        try:
            yield Turn(self, who)
        except BaseException:
            self._forget(who, caller)
            raise

    def leave(self, who: tuple[str, str]) -> None:
        caller = self._callers[who]
        caller.free.release()
        self._forget(who, caller)

    def _forget(self, who: tuple[str, str], caller: _Caller) -> None:
        caller.waiting -= 1
        if not caller.waiting:
            self._callers.pop(who, None)


@dataclass(slots=True)
class Turn:
    turnstile: Turnstile
    who: tuple[str, str]

    def end(self) -> None:
        self.turnstile.leave(self.who)


class Held(Response):
    """An answer whose turn lasts until it has been sent, or nobody listens any more."""

    def __init__(self, response: Response, turn: Turn) -> None:
        super().__init__()
        self._response = response
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            self._turn.end()


def _too_many(at_once: int) -> TooMany:
    return TooMany(
        f"one caller gets {at_once} such answers at once",
        hint="ask for fewer at a time, or again in a while",
    )

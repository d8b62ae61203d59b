"""What a line of the route table is: an address, a method, and who answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from starlette.responses import Response

from dicomweb.calls import Call, Listener


@dataclass(frozen=True, slots=True)
class Get:
    """Answered by a synchronous function, in a thread. HEAD is answered likewise, without the body.

    `at_once` is asked before, in the loop: it waits for nothing and may say None."""

    path: str
    answer: Callable[[Call], Response]
    at_once: Callable[[Call], Response | None] | None = None
    method: ClassVar[str] = "GET"


@dataclass(frozen=True, slots=True)
class Post:
    """Answered by a coroutine, which reads the body as it comes."""

    path: str
    receive: Callable[[Call], Awaitable[Response]]
    method: ClassVar[str] = "POST"


@dataclass(frozen=True, slots=True)
class Put:
    """Answered by a coroutine, which reads the body as it comes."""

    path: str
    receive: Callable[[Call], Awaitable[Response]]
    method: ClassVar[str] = "PUT"


@dataclass(frozen=True, slots=True)
class Delete:
    """Answered by a synchronous function, in a thread."""

    path: str
    answer: Callable[[Call], Response]
    method: ClassVar[str] = "DELETE"


@dataclass(frozen=True, slots=True)
class Listen:
    """A WebSocket, served by a coroutine until either side closes it."""

    path: str
    serve: Callable[[Listener], Awaitable[None]]


Entry = Get | Post | Put | Delete

"""Server-sent events: what is new is looked for now and then, and told with an id to go on from."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import anyio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from dicomweb.calls import Call

_POLL_SECONDS: Final = 0.5
_LONGEST_STREAM_SECONDS: Final = 3600.0  # then the client asks again by itself
_SILENCE_SECONDS: Final = 15.0  # proxies cut what is silent for longer
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """Ids with what they stand for, the oldest first. Go on from `after`; at once when there are `more`."""

    events: Sequence[tuple[str | int, Any]]
    after: P
    more: bool


def stream(call: Call, pull: Callable[[P], Batch[P]], since: P) -> Response:
    """What `pull` finds from `since` on, and from then on, until the service stops. It may block."""
    stopping: threading.Event = call.request.app.stopping
    return StreamingResponse(_lines(pull, since, stopping), media_type="text/event-stream", headers=_HEADERS)


async def _lines(pull: Callable[[P], Batch[P]], since: P, stopping: threading.Event) -> AsyncIterator[bytes]:
    end, spoke = time.monotonic() + _LONGEST_STREAM_SECONDS, time.monotonic()
    yield b"retry: 1000\n\n"
    while time.monotonic() < end and not stopping.is_set():
        batch = await run_in_threadpool(pull, since)
        for name, event in batch.events:
            yield b"id: %s\ndata: %s\n\n" % (str(name).encode(), orjson.dumps(event))
        since = batch.after
        if batch.events:
            spoke = time.monotonic()
        elif time.monotonic() - spoke > _SILENCE_SECONDS:
            spoke = time.monotonic()
            yield b":\n\n"
        if not batch.more:
            await anyio.sleep(_POLL_SECONDS)

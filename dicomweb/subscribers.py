"""Subscriptions to workitems (PS3.18 11.10 to 11.12). Subscribers are named by AE titles; what they are
told, they are told by a WebSocket (`notifications`)."""

import re
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dicomweb import problems
from dicomweb.calls import Call
from pacs.errors import Invalid

_LONGEST_FILTER: Final = 8192
_KEY: Final = re.compile(r"(?:^|,)(?=[A-Za-z0-9.]+=)")


async def subscribe(call: Call) -> Response:
    """201; its Content-Location is where the WebSocket is to be opened."""
    asked = call.request.query_params
    lock = asked.get("deletionlock", "false").lower()
    if lock not in {"true", "false"}:
        raise Invalid("deletionlock expects true or false")
    keys = filter_keys(asked.get("filter", ""))
    aet = call.part("aetitle")

    def work() -> None:
        call.archive.subscriptions.subscribe(
            call.actor, aet, call.uid("workitem"), locks=lock == "true", keys=keys
        )

    await run_in_threadpool(work)
    return _done(problems.CREATED, {"Content-Location": call.outside.subscriber(aet)})


def unsubscribe(call: Call) -> Response:
    call.archive.subscriptions.unsubscribe(call.actor, call.part("aetitle"), call.uid("workitem"))
    return _done(problems.OK)


async def suspend(call: Call) -> Response:
    work = call.archive.subscriptions.suspend
    await run_in_threadpool(work, call.actor, call.part("aetitle"), call.uid("workitem"))
    return _done(problems.OK)


def filter_keys(text: str) -> tuple[tuple[str, str], ...]:
    """`attribute=value` pairs joined by commas (11.10.1.2); a comma in a value is one when no further
    `attribute=` follows it. Raises Invalid."""
    if len(text) > _LONGEST_FILTER:
        raise Invalid("the filter is too long")
    if text and not _KEY.match(text):
        raise Invalid("a filter is a list of attribute=value, joined by commas (PS3.18 11.10.1.2)")
    pairs = (piece.partition("=") for piece in _KEY.split(text) if piece)
    return tuple((name, value) for name, _, value in pairs)


def _done(status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(status_code=status, headers={"Cache-Control": "no-store"} | (headers or {}))

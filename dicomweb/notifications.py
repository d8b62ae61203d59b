"""Event reports over a WebSocket (PS3.18 8.10.4, 8.10.5 and 11.13).

What is sent is what stands in the outbox, so it survives every restart. How far a subscriber has been
told is written down after it was sent: after a break a report may come twice, never not at all.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect, WebSocketState

from dicomweb import problems
from dicomweb.calls import Listener
from pacs.errors import PacsError, Unavailable
from pacs.workitems.model import PUSH, Report

_POLL_SECONDS: Final = 0.25
_TROUBLE_SECONDS: Final = 2.0
_GOING_AWAY: Final = 1001


async def serve(listener: Listener) -> None:
    aet = str(listener.socket.path_params["aetitle"])
    try:
        position = await run_in_threadpool(listener.archive.subscriptions.open, listener.actor, aet)
    except PacsError as error:
        await listener.socket.send_denial_response(problems.of(error))
        return
    await listener.socket.accept()
    telling = asyncio.create_task(_tell(listener, aet.strip(" "), position))
    hearing = asyncio.create_task(_hear(listener))
    try:
        await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)
    if listener.socket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await listener.socket.close(_GOING_AWAY)


async def _hear(listener: Listener) -> None:
    """Subscribers say nothing; this ends when they are gone."""
    while (await listener.socket.receive())["type"] != "websocket.disconnect":
        pass


async def _tell(listener: Listener, aet: str, position: Any) -> None:
    subscriptions = listener.archive.subscriptions
    while True:
        try:
            found = await run_in_threadpool(subscriptions.waiting, aet, position)
            for report in found.reports:
                await listener.socket.send_text(_text(report))
            if found.reports:
                await run_in_threadpool(subscriptions.told, aet, found.position)
        except Unavailable:
            await asyncio.sleep(_TROUBLE_SECONDS)
            continue
        except (WebSocketDisconnect, RuntimeError):  # gone while it was being told
            return
        position = found.position
        if not found.more:
            await asyncio.sleep(_POLL_SECONDS)


def _text(report: Report) -> str:
    return orjson.dumps(dict(_elements(report))).decode()


def _elements(report: Report) -> Iterator[tuple[str, Any]]:
    """The command elements of an N-EVENT-REPORT, then those of its data set (11.13)."""
    yield "00000002", {"vr": "UI", "Value": [PUSH]}
    yield "00000110", {"vr": "US", "Value": [report.message_id]}
    yield "00001000", {"vr": "UI", "Value": [report.uid]}
    yield "00001002", {"vr": "US", "Value": [int(report.type)]}
    yield from sorted(report.dataset.items())

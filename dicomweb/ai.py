"""Findings that a model tells later (docs/ai-models.md), with the token of the run in the address."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dicomweb import problems
from dicomweb.calls import Call
from pacs.errors import Invalid

_MOST_BYTES: Final = 1 << 20


async def findings(call: Call) -> Response:
    """202: they are kept, and the same again would change nothing."""
    body = await _body(call)
    await run_in_threadpool(call.archive.answer, call.actor, call.part("run"), body)
    return Response(status_code=problems.ACCEPTED, headers={"Cache-Control": "no-store"})


async def _body(call: Call) -> bytes:
    pieces, size = [], 0
    try:
        async for piece in call.request.stream():
            size += len(piece)
            if size > _MOST_BYTES:
                raise Invalid(f"an answer has at most {_MOST_BYTES} bytes")
            pieces.append(piece)
    except ClientDisconnect:
        raise Invalid("the sender went away") from None
    return b"".join(pieces)

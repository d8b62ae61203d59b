"""Findings that a model tells later (docs/ai-models.md), with the token of the run in the address."""

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dicomweb import bodies, problems
from dicomweb.calls import Call


async def findings(call: Call) -> Response:
    """202: they are kept, and the same again would change nothing."""
    body = await bodies.whole(call)
    await run_in_threadpool(call.archive.answer, call.actor, call.part("run"), body)
    return Response(status_code=problems.ACCEPTED, headers={"Cache-Control": "no-store"})

"""The change feed over HTTP: pages, and server-sent events that are gone on with after a break."""

from typing import Any, Final

import orjson
from starlette.responses import Response

from dicomweb import events
from dicomweb.calls import Call
from dicomweb.events import Batch
from dicomweb.media import JSON
from dicomweb.numbers import whole
from pacs.changes.feed import LONGEST_PAGE, Change
from pacs.clock import from_ns

_LIMIT: Final = 100
_NOW: Final = "now"


def page(call: Call) -> Response:
    """What changed after the token `since`, the oldest first; without one, from the oldest on that is
    kept, and with `now` nothing but a token to go on from."""
    asked = call.request.query_params
    since, limit = (
        asked.get("since", ""),
        min(whole(asked.get("limit", str(_LIMIT)), "limit", 1), LONGEST_PAGE),
    )
    if since == _NOW:
        since = call.archive.changes.latest(call.actor)
        return _json({"changes": [], "next": since, "more": False})
    found = call.archive.changes.page(call.actor, since, limit=limit)
    told = [{"token": change.token, **_told(change)} for change in found.changes]
    return _json({"changes": told, "next": found.next, "more": found.more})


def watch(call: Call) -> Response:
    """Server-sent events, each with its token as its id: a client that comes back with Last-Event-ID
    misses nothing. Without that and `since`, from now on."""
    since = call.header("last-event-id") or call.request.query_params.get("since", _NOW)
    if since == _NOW:
        since = call.archive.changes.latest(call.actor)
    call.archive.changes.page(call.actor, since, limit=1)  # a refusal is an answer, not a broken stream

    def pull(since: str) -> Batch[str]:
        found = call.archive.changes.page(call.actor, since, limit=_LIMIT)
        return Batch([(change.token, _told(change)) for change in found.changes], found.next, found.more)

    return events.stream(call, pull, since)


def _told(change: Change) -> dict[str, Any]:
    uids = {
        "study": change.study_uid,
        "series": change.series_uid,
        "instance": change.sop_instance_uid,
        "workitem": change.workitem_uid,
    }
    at = from_ns(change.at_ns).isoformat(timespec="milliseconds")
    return {"kind": change.kind, "at": at} | {name: uid for name, uid in uids.items() if uid}


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type=JSON, headers={"Cache-Control": "no-store"})

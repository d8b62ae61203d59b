"""Delete, and what was deleted: a study, series or instance goes to the trash, whence it can come back.

The standard has no such transaction; the addresses are those of the retrieve resources.
"""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.calls import Call
from dicomweb.media import JSON
from dicomweb.numbers import whole
from pacs.dicom import uids
from pacs.errors import Gone, NotFound, Unavailable
from pacs.retention.trash import Asked, Deletion, Shown
from pacs.runtime import Archive

_LIMIT: Final = 100
_REASON: Final = "x-reason"
_LEVELS: Final = {"STUDY": "study", "SERIES": "series", "IMAGE": "instance"}
_OF: Final = ("study", "series", "instance")


def delete(call: Call) -> Response:
    """What was deleted, and the name under which it can be restored. The reason, percent-encoded UTF-8,
    is said in the header X-Reason: an address may end up in logs."""
    key = call.key
    reason = unquote(call.header(_REASON)).strip()
    asked = Asked(key.study, key.series, key.instance, reason)
    return _json(_deletion(call.archive.trash.delete(call.actor, asked)))


def page(call: Call) -> Response:
    """The latest first. `before` is the `next` of the page before."""
    asked = call.request.query_params
    limit, before = whole(asked.get("limit", str(_LIMIT)), "limit"), whole(asked.get("before", "0"), "before")
    found = call.archive.trash.page(call.actor, limit=limit, before_id=before)
    following = str(found[-1].deletion.id) if len(found) >= limit else None
    return _json({"items": [_shown(one) for one in found], "next": following})


def one(call: Call) -> Response:
    """One deletion, as it stands."""
    return _json(_shown(call.archive.trash.get(call.actor, call.part("deletion"))))


async def restore(call: Call) -> Response:
    """It is back when this is answered. 409 for what is being purged."""
    back = await run_in_threadpool(call.archive.trash.restore, call.actor, call.part("deletion"))
    return _json(_deletion(back))


def gone(archive: Archive, request: Request, error: NotFound) -> NotFound:
    """PS3.18 8.5: what is known to have been there is 410, not 404. Whoever comes here was allowed to
    look, or an error of another kind would have come first."""
    study, series, instance = (str(request.path_params.get(name, "")) for name in _OF)
    if not uids.is_valid(study):
        return error
    try:
        was_there = archive.trash.was_there(study, series, instance)
    except Unavailable:
        return error
    return Gone("this was deleted", hint="an administrator may be able to restore it") if was_there else error


def _shown(shown: Shown) -> dict[str, Any]:
    return _deletion(shown.deletion) | {"hold": shown.hold or None, "dead_bytes": shown.dead_bytes}


def _deletion(deleted: Deletion) -> dict[str, Any]:
    return {
        "id": deleted.name,
        "level": _LEVELS[deleted.level],
        "study": deleted.study_uid,
        "series": deleted.series_uid or None,
        "instance": deleted.sop_instance_uid or None,
        "deleted": datetime.fromtimestamp(deleted.at_ns / 1e9, tz=UTC).isoformat(timespec="milliseconds"),
        "by": deleted.actor,
        "reason": deleted.reason,
        "instances": deleted.n_instances,
        "bytes": deleted.bytes,
        "state": deleted.state.value,
    }


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type=JSON, headers={"Cache-Control": "no-store"})

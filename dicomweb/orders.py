"""What is to be scanned, over HTTP (docs/orders.md)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dicomweb import bodies, problems
from dicomweb.calls import Call
from dicomweb.media import DICOM, DICOM_JSON, JSON, parse_media_type
from dicomweb.numbers import whole
from pacs.orders import read
from pacs.orders.model import DataSet
from pacs.orders.shown import shown

_LIMIT: Final = 100
_FORMS: Final[Mapping[str, Callable[[bytes], DataSet]]] = MappingProxyType(
    {"": read.from_text, JSON: read.from_text, DICOM_JSON: read.from_dicom_json, DICOM: read.from_file}
)


async def place(call: Call) -> Response:
    """201 with the order as it stands; its number is in Location. 409 when it is there already."""
    given = call.header("content-type")
    form = _FORMS.get(parse_media_type(given).name if given else "")
    if form is None:
        raise problems.UnsupportedMediaType(
            "an order comes as JSON or as a worklist item",
            hint=f"send it as {', '.join(filter(None, _FORMS))}",
        )
    raw = await bodies.whole(call, read.MAX_BYTES)

    def work() -> Response:
        order = call.archive.orders.place(call.actor, form(raw))
        return _json(shown(order), problems.CREATED, {"Location": call.outside.order(order.number)})

    return await run_in_threadpool(work)


def order(call: Call) -> Response:
    """One order, with what was performed of it."""
    return _json(shown(call.archive.orders.get(call.actor, whole(call.part("order"), "order"))))


def page(call: Call) -> Response:
    """Newest first. `below` is the `next` of the page before, whose Link has the address of this one
    (RFC 8288); `open` leaves out what is over."""
    asked = call.request.query_params
    below = asked.get("below", "")
    found = call.archive.orders.page(
        call.actor,
        limit=whole(asked.get("limit", str(_LIMIT)), "limit"),
        below=whole(below, "below") if below else None,
        open_only=asked.get("open", "") in {"1", "true"},
    )
    following = {} if found.next is None else {"Link": f'<{_following(call, found.next)}>; rel="next"'}
    return _json({"orders": [shown(order) for order in found.orders], "next": found.next}, headers=following)


async def cancel(call: Call) -> Response:
    """409 once a modality has begun it."""
    number = whole(call.part("order"), "order")
    return _json(shown(await run_in_threadpool(call.archive.orders.cancel, call.actor, number)))


def _following(call: Call, below: int) -> str:
    asked = {
        name: call.request.query_params[name]
        for name in ("limit", "open")
        if name in call.request.query_params
    }
    return call.outside.orders(urlencode(asked | {"below": str(below)}))


def _json(value: Any, status: int = problems.OK, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(value), status, {"Cache-Control": "no-store", **(headers or {})}, media_type=JSON
    )

"""Bodies of requests that are small: read whole, up to a limit."""

from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from dicomweb import problems
from dicomweb.calls import Call
from dicomweb.media import DICOM_JSON, JSON, parse_media_type
from dicomweb.native import XML
from pacs.dicom import from_xml
from pacs.dicom.described import Malformed, as_json
from pacs.errors import Invalid

MOST_BYTES: Final = 1 << 20


async def whole(call: Call, limit: int = MOST_BYTES) -> bytes:
    """Raises TooLarge, and Invalid when the sender goes away."""
    pieces, size = [], 0
    try:
        async for piece in call.request.stream():
            size += len(piece)
            if size > limit:
                raise problems.TooLarge(f"the payload has more than {limit} bytes")
            pieces.append(piece)
    except ClientDisconnect:
        raise Invalid("the sender went away") from None
    return b"".join(pieces)


async def data_set(call: Call, *, optional: bool = False) -> Any:
    """The data set of the payload as DICOM JSON, not looked at yet; None for an empty one, if it may be.
    Raises Invalid, TooLarge, UnsupportedMediaType."""
    body = await whole(call)
    if optional and not body.strip():
        return None
    sent = call.header("content-type")
    try:
        name = parse_media_type(sent).name
    except Invalid:
        name = ""
    if name == XML:
        return await run_in_threadpool(_of_xml, body)
    if name not in {DICOM_JSON, JSON}:
        raise problems.UnsupportedMediaType(
            "workitems are taken as DICOM JSON or Native DICOM Model",
            hint=f"send Content-Type: {DICOM_JSON} or {XML}",
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the payload is no JSON") from None


def _of_xml(body: bytes) -> dict[str, Any]:
    try:
        return as_json(from_xml.data_set(body))
    except Malformed as error:
        raise Invalid(f"the payload describes no data set: {error}") from None

"""Bodies of requests that are small: read whole, up to a limit."""

from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect

from dicomweb import problems
from dicomweb.calls import Call
from dicomweb.media import DICOM_JSON, JSON, parse_media_type
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


async def dicom_json(call: Call, *, optional: bool = False) -> Any:
    """What the JSON of the payload says; None for an empty one, if it may be. Raises Invalid, TooLarge,
    UnsupportedMediaType."""
    body = await whole(call)
    if optional and not body.strip():
        return None
    sent = call.header("content-type")
    try:
        name = parse_media_type(sent).name
    except Invalid:
        name = ""
    if name not in {DICOM_JSON, JSON}:
        raise problems.UnsupportedMediaType(
            "workitems are taken as DICOM JSON only", hint=f"send Content-Type: {DICOM_JSON}"
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the payload is no JSON") from None

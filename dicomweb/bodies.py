"""Bodies of requests that are small: read whole, up to a limit."""

from typing import Final

from starlette.requests import ClientDisconnect

from dicomweb.calls import Call
from pacs.errors import Invalid

MOST_BYTES: Final = 1 << 20


async def whole(call: Call, limit: int = MOST_BYTES) -> bytes:
    """Raises Invalid for one that is longer, which is read no further."""
    pieces, size = [], 0
    try:
        async for piece in call.request.stream():
            size += len(piece)
            if size > limit:
                raise Invalid(f"the request has more than {limit} bytes")
            pieces.append(piece)
    except ClientDisconnect:
        raise Invalid("the sender went away") from None
    return b"".join(pieces)

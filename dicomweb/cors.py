"""Cross-origin requests (Fetch 3.2): pages of configured origins may use the archive, no others."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from dicomweb import problems

EXPOSED: Final = (
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Hilum-Columns",
    "Hilum-Photometric-Interpretation",
    "Hilum-Resolution",
    "Hilum-Rows",
    "Location",
    "Retry-After",
    "Warning",
)
_ASKED: Final = (
    "Accept",
    "Accept-Charset",
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
)
_METHODS: Final = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_REMEMBERED_SECONDS: Final = 600


class Cors:
    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def allows(self, origin: str) -> bool:
        return origin.lower() in self._origins

    def preflight(self, method: str, headers: Headers) -> Response | None:
        """The answer to a browser that asks before it sends (it shows no credentials yet); None for any
        other request."""
        if method != "OPTIONS" or not self.allows(headers.get("origin", "")):
            return None
        if "access-control-request-method" not in headers:
            return None
        return Response(
            status_code=problems.NO_CONTENT,
            headers={
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": ", ".join(_ASKED),
                "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
            },
        )

    def label(self, origin: str, headers: MutableHeaders) -> None:
        """On every answer, refusals too, so that the page can read why."""
        if not self._origins:
            return
        headers.add_vary_header("Origin")
        if self.allows(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"

"""The status codes of this wire: the one file that knows them (RFC 9110 15, RFC 9457)."""

from dataclasses import dataclass

import orjson
from starlette.responses import Response

from pacs import log
from pacs.errors import Conflict, Forbidden, Gone, Invalid, NotAcceptable, NotFound, PacsError, Unavailable

_log = log.get(__name__)

OK = 200
CREATED = 201
PARTIAL = 206
ACCEPTED = 202
NO_CONTENT = 204
NOT_MODIFIED = 304
_PERMANENT_REDIRECT = 308
ALL_FAILED = 409
RETRY_AFTER_SECONDS = 10


class UnsupportedMediaType(Invalid):
    """The request's payload is of a type that this resource does not take (PS3.18 8.7.7)."""


class UnsupportedCoding(UnsupportedMediaType):
    """The request's payload is in a content coding; none is taken (RFC 9110 15.5.16)."""


class TooLarge(Invalid):
    """The request's payload has more bytes than are taken."""


class TooMany(Unavailable):
    """The caller asks for more at once than it is given; later it gets it."""


class RangeNotSatisfiable(Invalid):
    """None of the byte ranges lies inside the representation. `length` is its size."""

    def __init__(self, length: int) -> None:
        super().__init__("the range lies outside the resource")
        self.length = length


@dataclass(frozen=True, slots=True)
class _Status:
    code: int
    title: str


_BY_KIND: dict[type[Exception], _Status] = {
    UnsupportedMediaType: _Status(415, "Unsupported Media Type"),
    TooLarge: _Status(413, "Content Too Large"),
    TooMany: _Status(429, "Too Many Requests"),
    RangeNotSatisfiable: _Status(416, "Range Not Satisfiable"),
    Invalid: _Status(400, "Bad Request"),
    Gone: _Status(410, "Gone"),
    NotFound: _Status(404, "Not Found"),
    Forbidden: _Status(403, "Forbidden"),
    Conflict: _Status(409, "Conflict"),
    NotAcceptable: _Status(406, "Not Acceptable"),
    Unavailable: _Status(503, "Service Unavailable"),
}
_UNKNOWN = _Status(500, "Internal Server Error")
_UNAUTHENTICATED = _Status(401, "Unauthorized")
_METHOD_NOT_ALLOWED = _Status(405, "Method Not Allowed")


def of(error: Exception) -> Response:
    """The answer to a request that ended in `error`. Only a PacsError's own words are shown."""
    if not isinstance(error, PacsError):
        _record(error)
        return _problem(_UNKNOWN, "The archive met an unexpected error.", "Its log says more.")
    status = next(_BY_KIND[kind] for kind in type(error).__mro__ if kind in _BY_KIND)
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, UnsupportedCoding):
        headers["Accept-Encoding"] = "identity"
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.length}"
    return _problem(status, str(error), error.hint, headers)


def unauthenticated() -> Response:
    """Basic beside Bearer, so that a browser asks for the token as a password."""
    response = _problem(
        _UNAUTHENTICATED,
        "Nobody known is asking.",
        "Send a token: Authorization: Bearer <token>, or Basic with the token as the password.",
    )
    response.headers.append("WWW-Authenticate", 'Bearer realm="Hilum"')
    response.headers.append("WWW-Authenticate", 'Basic realm="Hilum", charset="UTF-8"')
    return response


def no_such_route() -> Response:
    return _problem(_BY_KIND[NotFound], "There is nothing at this address.", "DICOMweb is under /dicom-web.")


def elsewhere(address: str) -> Response:
    """The same is found at another address, with the same method and payload."""
    return Response(status_code=_PERMANENT_REDIRECT, headers={"Location": address})


def method_not_allowed(allowed: str) -> Response:
    return _problem(_METHOD_NOT_ALLOWED, "This address does not take that method.", "", {"Allow": allowed})


def _problem(status: _Status, detail: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": status.title, "status": status.code, "detail": detail}
    content = orjson.dumps(body | ({"hint": hint} if hint else {}))
    return Response(content, status.code, headers, media_type="application/problem+json")


def cut_short(error: Exception) -> None:
    """An answer that had already begun can only be cut off, which the client sees as incomplete."""
    _log.error("answer cut short error=%s at=%s", type(error).__name__, "<".join(trail(error)))


def _record(error: Exception) -> None:
    """Where it happened, without the message: that may quote a value of the object."""
    _log.error("unexpected error=%s at=%s", type(error).__name__, "<".join(trail(error)))


def trail(error: BaseException) -> list[str]:
    """`file:line` of the innermost frames of a traceback, innermost first."""
    places, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{code.co_name}:{step.tb_lineno}")
        step = step.tb_next
    return places[::-1][:6]

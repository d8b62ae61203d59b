"""The one door of this edge: no request passes it without an Actor, whatever its route.

It wraps the whole application, so an address that does not exist is refused like one that does.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from dicomweb import problems
from dicomweb.calls import Call, Listener
from dicomweb.cors import Cors
from dicomweb.pages import FILES
from dicomweb.urls import Outside, Proxies
from pacs import log
from pacs.auth.actor import Actor
from pacs.errors import Forbidden, PacsError
from pacs.runtime import Archive

_log = log.get(__name__)

_SCHEMES: Final = {"http": "http", "ws": "http"}
_BEGINNINGS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
_ACTOR: Final = "hilum.actor"
_OUTSIDE: Final = "hilum.outside"

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CACHE_CONTROL: Final = "private, no-cache"  # a browser may keep it but must ask whether it still holds
_VARY: Final = b"vary"
_DEPENDS_ON: Final = "Accept, Authorization, Accept-Encoding"
_SAID_ALWAYS: Final = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Cache-Control": CACHE_CONTROL}).items()
]


class Guard:
    def __init__(self, app: ASGIApp, archive: Archive) -> None:
        self._app = app
        self._archive = archive
        web = archive.config.web
        self._prefix = web.prefix
        self._proxies = Proxies(web.trusted_proxies, web.prefix)
        self._cors = Cors(web.cors_origins)
        self._configured = (web.host, web.port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            return  # no lifespan to keep
        asked = Headers(scope=scope)
        origin = asked.get("origin", "")

        async def guarded_send(message: Message) -> None:
            if message["type"] in _BEGINNINGS:
                _add_headers(message["headers"])
                self._cors.label(origin, MutableHeaders(raw=message["headers"]))
            await send(message)

        answer = self._cors.preflight(scope.get("method", ""), asked) or await self._admitted(scope)
        if scope["type"] == "websocket" and isinstance(answer, Response):
            await WebSocket(scope, receive, guarded_send).send_denial_response(answer)
        else:
            await answer(scope, receive, guarded_send)

    async def _admitted(self, scope: Scope) -> ASGIApp:
        """The application for whoever is let in, else the refusal."""
        _strip(scope, self._prefix)
        _without_slash(scope)
        try:
            if not await self._admit(scope):
                await run_in_threadpool(self._turn_away, scope)
                return problems.unauthenticated()
            if scope["type"] == "websocket":
                self._check_origin(scope)
        except PacsError as error:
            return problems.of(error)
        return self._app

    def _check_origin(self, scope: Scope) -> None:
        """A browser lets any page open a WebSocket, with the credentials it remembers (RFC 6455 10.2)."""
        origin = Headers(scope=scope).get("origin", "")
        ours = urlsplit(scope[_OUTSIDE].base)
        if origin and urlsplit(origin).netloc != ours.netloc and not self._cors.allows(origin):
            raise Forbidden("pages of this origin may not listen", hint="see [web] cors_origins")

    async def _admit(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        host, port = tuple(scope.get("server") or self._configured)
        outside = self._proxies.outside(
            headers, peer, _SCHEMES.get(scope["scheme"], "https"), (host, port or 0)
        )
        door, shown = self._archive.door, headers.get("authorization")
        if door.asks_the_index(shown):
            actor = await run_in_threadpool(door.caller, shown, outside.origin)
        else:
            actor = door.caller(shown, outside.origin)
        scope[_OUTSIDE], scope[_ACTOR] = outside, actor
        return actor is not None

    def _turn_away(self, scope: Scope) -> None:
        showed = "unknown token" if Headers(scope=scope).get("authorization") else "no token"
        try:
            self._archive.turned_away("dicomweb", "", scope[_OUTSIDE].origin, showed)
        except PacsError as error:  # refused all the same
            _log.error("refused caller not written down kind=%s", type(error).__name__)


def call_of(archive: Archive, request: Request) -> Call:
    """The request with its actor. Only a request that passed the guard has one."""
    actor = request.scope[_ACTOR]
    if not isinstance(actor, Actor):
        raise TypeError("a request came past the guard")
    return Call(archive, actor, outside_of(request), request)


def outside_of(request: Request) -> Outside:
    """Where the caller sees the archive."""
    outside = request.scope[_OUTSIDE]
    if not isinstance(outside, Outside):
        raise TypeError("a request came past the guard")
    return outside


def listener_of(archive: Archive, socket: WebSocket) -> Listener:
    actor = socket.scope[_ACTOR]
    if not isinstance(actor, Actor):
        raise TypeError("a WebSocket came past the guard")
    return Listener(archive, actor, socket)


def _strip(scope: Scope, prefix: str) -> None:
    """A proxy may pass on the path as it was asked for, with the prefix under which we are seen."""
    path: str = scope["path"]
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        scope["path"] = path[len(prefix) :] or "/"
        scope["raw_path"] = scope["raw_path"][len(prefix) :] or b"/"


def _without_slash(scope: Scope) -> None:
    """Clients that join addresses put a slash at the end. Only pages have one of their own."""
    if scope["path"] not in FILES:
        scope["path"] = scope["path"].rstrip("/") or "/"
        scope["raw_path"] = scope["raw_path"].rstrip(b"/") or b"/"


def _add_headers(raw: list[tuple[bytes, bytes]]) -> None:
    """To what every answer says anyway; names are lower case in it."""
    said = dict(raw)
    raw += [one for one in _SAID_ALWAYS if one[0] not in said]
    if _VARY in said:
        MutableHeaders(raw=raw).add_vary_header(_DEPENDS_ON)
    else:
        raw.append((_VARY, _DEPENDS_ON.encode()))

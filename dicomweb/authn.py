"""The one door of this edge: no request passes it without an Actor, whatever its route.

It wraps the whole application, so an address that does not exist is refused like one that does.
"""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb import problems
from dicomweb.calls import Call
from dicomweb.urls import Outside, Proxies
from pacs import log
from pacs.auth.actor import Actor
from pacs.errors import PacsError
from pacs.runtime import Archive

_log = log.get(__name__)

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


class Guard:
    def __init__(self, app: ASGIApp, archive: Archive) -> None:
        self._app = app
        self._archive = archive
        self._proxies = Proxies(archive.config.web.trusted_proxies)
        self._configured = (archive.config.web.host, archive.config.web.port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no lifespan to keep, no websocket to open

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message))
            await send(message)

        answer: ASGIApp = self._app
        try:
            if not await self._admit(scope):
                await run_in_threadpool(self._turn_away, scope)
                answer = problems.unauthenticated()
        except PacsError as error:
            answer = problems.of(error)
        await answer(scope, receive, guarded_send)

    async def _admit(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        host, port = tuple(scope.get("server") or self._configured)
        outside = self._proxies.outside(headers, peer, scope["scheme"], (host, port or 0))
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
    actor, outside = request.scope[_ACTOR], request.scope[_OUTSIDE]
    if not isinstance(actor, Actor) or not isinstance(outside, Outside):
        raise TypeError("a request came past the guard")
    return Call(archive, actor, outside, request)


def _add_headers(headers: MutableHeaders) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", CACHE_CONTROL)
    headers.add_vary_header("Accept")
    headers.add_vary_header("Authorization")

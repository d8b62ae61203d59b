"""The application: the table of routes behind the guard. The skin is asynchronous, the rest is not."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from dicomweb import capabilities, problems
from dicomweb.addresses import Addresses
from dicomweb.authn import Guard, call_of, listener_of, outside_of
from dicomweb.calls import Call
from dicomweb.compression import Compressed
from dicomweb.entries import Entry, Get, Listen, Post, Put
from dicomweb.limits import Held, Turnstile, is_expensive
from dicomweb.pages import FILES
from dicomweb.routes import LISTENERS, ROUTES
from dicomweb.trash import gone
from pacs.errors import NotFound
from pacs.runtime import Archive

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(archive: Archive, stopping: threading.Event | None = None) -> ASGIApp:
    """`stopping` ends the answers that have no end of their own."""
    return Guard(Compressed(Site(archive, stopping or threading.Event())), archive)


class Site:
    """The table of routes as an ASGI application, for requests that have passed the guard."""

    def __init__(self, archive: Archive, stopping: threading.Event) -> None:
        self.table = ROUTES
        self.stopping = stopping
        self._endpoints: Addresses[dict[str, Endpoint]] = Addresses()
        self._listeners: Addresses[Listen] = Addresses()
        self._archive = archive
        for path, by_method in _endpoints(archive):
            self._endpoints.add(path, by_method)
        for entry in LISTENERS:
            self._listeners.add(entry.path, entry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if scope["type"] == "websocket":
            await self._listen(WebSocket(scope, receive, send))
        else:
            response = await self._answer(Request(scope, receive, send))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        found = self._endpoints.find(request.scope["path"])
        if found is None:
            return _unknown(request)
        by_method, request.scope["path_params"] = found
        endpoint = by_method.get(request.method)
        return await endpoint(request) if endpoint else problems.method_not_allowed(", ".join(by_method))

    async def _listen(self, socket: WebSocket) -> None:
        found = self._listeners.find(socket.scope["path"])
        if found is None:
            await socket.send_denial_response(problems.no_such_route())
            return
        entry, socket.scope["path_params"] = found
        await entry.serve(listener_of(self._archive, socket))


def _endpoints(archive: Archive) -> Iterator[tuple[str, dict[str, Endpoint]]]:
    """One a path, so that a method it does not take is 405 with all those that it does. OPTIONS is
    answered for every one (PS3.18 8.9), HEAD where GET is."""
    turnstile = Turnstile(archive.config.web.expensive_at_once)
    for path, entries in groupby(sorted(ROUTES, key=lambda e: e.path), key=lambda e: e.path):
        by_method = {entry.method: _endpoint(archive, entry, turnstile) for entry in entries}
        if "GET" in by_method:
            by_method["HEAD"] = by_method["GET"]
        by_method["OPTIONS"] = _endpoint(archive, capabilities.entry(path), turnstile)
        yield path, by_method
    for path in capabilities.ROOTS:
        yield path, {"OPTIONS": _endpoint(archive, capabilities.entry(path), turnstile)}


def _endpoint(archive: Archive, entry: Entry, turnstile: Turnstile) -> Endpoint:
    """Every kind of error has its answer; the unknown is logged there."""
    answer = _limited(entry, turnstile) if is_expensive(entry) else _plain(entry)

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(call_of(archive, request))
        except NotFound as error:
            return problems.of(await run_in_threadpool(gone, archive, request, error))
        except Exception as error:  # noqa: BLE001 - see above
            return problems.of(error)

    return endpoint


def _plain(entry: Entry) -> Callable[[Call], Awaitable[Response]]:
    async def answer(call: Call) -> Response:
        if isinstance(entry, Post | Put):
            _check_coding(call)
            return await entry.receive(call)
        response = entry.at_once(call) if isinstance(entry, Get) and entry.at_once else None
        return await run_in_threadpool(entry.answer, call) if response is None else response

    return answer


def _check_coding(call: Call) -> None:
    if call.header("content-encoding").strip().lower() not in {"", "identity"}:
        raise problems.UnsupportedCoding(
            "payloads are taken as they are, without a Content-Encoding", hint="send it uncompressed"
        )


def _limited(entry: Entry, turnstile: Turnstile) -> Callable[[Call], Awaitable[Response]]:
    plain = _plain(entry)

    async def answer(call: Call) -> Response:
        turn = await turnstile.enter(call)
        try:
            return Held(await plain(call), turn)
        except BaseException:
            turn.end()
            raise

    return answer


def _unknown(request: Request) -> Response:
    page = request.scope["path"] + "/"
    if page in FILES:
        query = f"?{request.url.query}" if request.url.query else ""
        return problems.elsewhere(outside_of(request).base + page + query)
    return problems.no_such_route()

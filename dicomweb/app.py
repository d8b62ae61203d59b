"""The application: the table of routes behind the guard. The skin is asynchronous, the rest is not."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dicomweb import capabilities, problems
from dicomweb.authn import Guard, call_of, listener_of, outside_of
from dicomweb.calls import Call
from dicomweb.compression import Compressed
from dicomweb.entries import Entry, Listen, Post, Put
from dicomweb.limits import Held, Turnstile, is_expensive
from dicomweb.pages import FILES
from dicomweb.routes import LISTENERS, ROUTES
from dicomweb.trash import gone
from pacs.errors import NotFound
from pacs.runtime import Archive

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(archive: Archive) -> Starlette:
    turnstile = Turnstile(archive.config.web.expensive_at_once)
    app = Starlette(
        routes=[*_routes(archive, turnstile), *_listeners(archive)],
        middleware=[Middleware(Guard, archive=archive), Middleware(Compressed)],
        exception_handlers={HTTPException: _unrouted},
    )
    app.state.table = ROUTES
    app.router.redirect_slashes = False  # to where a proxy's clients do not find us
    return app


def _routes(archive: Archive, turnstile: Turnstile) -> Iterator[Route]:
    """One route a path, so that a method it does not take is 405 with all those that it does. OPTIONS
    is answered for every one (PS3.18 8.9)."""
    for path, entries in groupby(sorted(ROUTES, key=lambda e: e.path), key=lambda e: e.path):
        by_method = {entry.method: _endpoint(archive, entry, turnstile) for entry in entries}
        by_method["OPTIONS"] = _endpoint(archive, capabilities.entry(path), turnstile)
        yield Route(path, _dispatch(by_method), methods=list(by_method))
    for path in capabilities.ROOTS:
        options = {"OPTIONS": _endpoint(archive, capabilities.entry(path), turnstile)}
        yield Route(path, _dispatch(options), methods=["OPTIONS"])


def _listeners(archive: Archive) -> Iterator[WebSocketRoute]:
    for entry in LISTENERS:
        yield WebSocketRoute(entry.path, _listening(archive, entry))
    yield WebSocketRoute("/{path:path}", _unheard)


def _listening(archive: Archive, entry: Listen) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(socket: WebSocket) -> None:
        await entry.serve(listener_of(archive, socket))

    return endpoint


def _dispatch(by_method: dict[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method](request)

    return endpoint


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
        return await run_in_threadpool(entry.answer, call)

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


async def _unheard(socket: WebSocket) -> None:
    await socket.send_denial_response(problems.no_such_route())


async def _unrouted(request: Request, error: Exception) -> Response:
    headers = getattr(error, "headers", None) or {}
    if "Allow" in headers:
        return problems.method_not_allowed(headers["Allow"])
    page = request.url.path + "/"
    if page in FILES:
        query = f"?{request.url.query}" if request.url.query else ""
        return problems.elsewhere(outside_of(request).base + page + query)
    return problems.no_such_route()

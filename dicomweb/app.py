"""The application: the table of routes behind the guard. The skin is asynchronous, the rest is not."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicomweb import problems
from dicomweb.authn import Guard, call_of
from dicomweb.routes import ROUTES, Delete, Get, Post
from dicomweb.trash import gone
from pacs.errors import NotFound
from pacs.runtime import Archive

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(archive: Archive) -> Starlette:
    return Starlette(
        routes=list(_routes(archive)),
        middleware=[Middleware(Guard, archive=archive)],
        exception_handlers={HTTPException: _unrouted},
    )


def _routes(archive: Archive) -> Iterator[Route]:
    """One route a path, so that a method it does not take is 405 with all those that it does."""
    for path, entries in groupby(sorted(ROUTES, key=lambda e: e.path), key=lambda e: e.path):
        by_method = {entry.method: _endpoint(archive, entry) for entry in entries}
        yield Route(path, _dispatch(by_method), methods=list(by_method))


def _dispatch(by_method: dict[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method](request)

    return endpoint


def _endpoint(archive: Archive, entry: Get | Post | Delete) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            call = call_of(archive, request)
            if isinstance(entry, Post):
                return await entry.receive(call)
            return await run_in_threadpool(entry.answer, call)
        except NotFound as error:
            return problems.of(await run_in_threadpool(gone, archive, request, error))
        except Exception as error:  # noqa: BLE001 - every kind has its answer; the unknown is logged there
            return problems.of(error)

    return endpoint


async def _unrouted(_: Request, error: Exception) -> Response:
    headers = getattr(error, "headers", None) or {}
    if "Allow" in headers:
        return problems.method_not_allowed(headers["Allow"])
    return problems.no_such_route()

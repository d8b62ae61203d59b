"""Every address this edge answers: one table (PS3.18 10.1 and 8.2)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from starlette.responses import Response

from dicomweb import (
    ai,
    bulkdata,
    frames,
    metadata,
    ohif,
    pages,
    qido,
    rendered,
    rendered_many,
    stow,
    wado,
    worklist,
)
from dicomweb.calls import Call
from dicomweb.urls import PREFIX

_STUDIES = f"{PREFIX}/studies"
_STUDY = f"{_STUDIES}/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"


@dataclass(frozen=True, slots=True)
class Get:
    """Answered by a synchronous function, in a thread. HEAD is answered likewise, without the body."""

    path: str
    answer: Callable[[Call], Response]
    method: ClassVar[str] = "GET"


@dataclass(frozen=True, slots=True)
class Post:
    """Answered by a coroutine, which reads the body as it comes."""

    path: str
    receive: Callable[[Call], Awaitable[Response]]
    method: ClassVar[str] = "POST"


ROUTES: tuple[Get | Post, ...] = (
    # Search (PS3.18 10.6)
    Get(_STUDIES, qido.studies),
    Get(f"{PREFIX}/series", qido.series),
    Get(f"{PREFIX}/instances", qido.instances),
    Get(f"{_STUDY}/series", qido.series),
    Get(f"{_STUDY}/instances", qido.instances),
    Get(f"{_SERIES}/instances", qido.instances),
    # Store (PS3.18 10.5)
    Post(_STUDIES, stow.store),
    Post(_STUDY, stow.store),
    # Retrieve (PS3.18 10.4)
    Get(_STUDY, wado.retrieve),
    Get(_SERIES, wado.retrieve),
    Get(_INSTANCE, wado.retrieve),
    Get(f"{_STUDY}/metadata", metadata.retrieve),
    Get(f"{_SERIES}/metadata", metadata.retrieve),
    Get(f"{_INSTANCE}/metadata", metadata.retrieve),
    Get(f"{_INSTANCE}/frames/{{frames}}", frames.retrieve),
    Get(f"{_INSTANCE}/bulkdata/{{path:path}}", bulkdata.retrieve),
    # Pictures (PS3.18 10.4.1.1.3 and 10.4.1.1.4)
    Get(f"{_STUDY}/rendered", rendered_many.retrieve),
    Get(f"{_SERIES}/rendered", rendered_many.retrieve),
    Get(f"{_INSTANCE}/rendered", rendered.retrieve),
    Get(f"{_INSTANCE}/frames/{{frames}}/rendered", rendered.retrieve),
    Get(f"{_STUDY}/thumbnail", rendered.thumbnail),
    Get(f"{_SERIES}/thumbnail", rendered.thumbnail),
    Get(f"{_INSTANCE}/thumbnail", rendered.thumbnail),
    Get(f"{_INSTANCE}/frames/{{frames}}/thumbnail", rendered.thumbnail),
    # The reading list
    Get("/api/worklist", worklist.page),
    Get("/api/worklist/changes", worklist.changes),
    Get("/api/worklist/events", worklist.watch),
    Get("/api/worklist/{study}", worklist.item),
    Post("/api/worklist/{study}/claim", worklist.claim),
    Post("/api/worklist/{study}/release", worklist.release),
    Post("/api/worklist/{study}/finish", worklist.finish),
    Post("/api/worklist/{study}/reopen", worklist.reopen),
    Post("/api/worklist/{study}/request/{priority}", worklist.request),
    Post("/api/findings/{finding}/{verdict}", worklist.judge),
    Get("/api/models", worklist.score_cards),
    # Models
    Post("/api/ai/runs/{run}/findings", ai.findings),
    # Operations and the pages
    Get("/healthz", pages.healthz),
    Get("/readyz", pages.readyz),
    Get("/api/facts", pages.facts),
    Get("/api/me", pages.me),
    Get("/api/studies", pages.studies),
    Get(ohif.PLACE, ohif.retrieve),
    Get(f"{ohif.PLACE}/{{path:path}}", ohif.retrieve),
    *(Get(path, pages.static(name)) for path, name in pages.FILES.items()),
)

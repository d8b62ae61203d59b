"""Every address this edge answers: one table (PS3.18 10.1 and 8.2)."""

from dicomweb import (
    ai,
    bulkdata,
    changes,
    frames,
    metadata,
    notifications,
    ohif,
    openapi,
    orders,
    pages,
    qido,
    rendered,
    rendered_many,
    stow,
    subscribers,
    trash,
    ups,
    wado,
    wado_uri,
    worklist,
)
from dicomweb.entries import Delete, Entry, Get, Listen, Post, Put
from dicomweb.urls import PREFIX

__all__ = ["LISTENERS", "ROUTES", "Delete", "Entry", "Get", "Listen", "Post", "Put"]

_STUDIES = f"{PREFIX}/studies"
_STUDY = f"{_STUDIES}/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_WORKITEMS = f"{PREFIX}/workitems"
_WORKITEM = f"{_WORKITEMS}/{{workitem}}"
_SUBSCRIBER = f"{_WORKITEM}/subscribers/{{aetitle}}"


ROUTES: tuple[Entry, ...] = (
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
    Get(f"{_INSTANCE}/frames/{{frames}}", frames.retrieve, frames.at_once),
    Get(f"{_INSTANCE}/bulkdata/{{path:path}}", bulkdata.retrieve),
    Get("/wado", wado_uri.retrieve),
    # Delete, to the trash
    Delete(_STUDY, trash.delete),
    Delete(_SERIES, trash.delete),
    Delete(_INSTANCE, trash.delete),
    Get("/api/trash", trash.page),
    Get("/api/trash/{deletion}", trash.one),
    Post("/api/trash/{deletion}/restore", trash.restore),
    # Pictures (PS3.18 10.4.1.1.3 and 10.4.1.1.4)
    Get(f"{_STUDY}/rendered", rendered_many.retrieve),
    Get(f"{_SERIES}/rendered", rendered_many.retrieve),
    Get(f"{_INSTANCE}/rendered", rendered.retrieve),
    Get(f"{_INSTANCE}/frames/{{frames}}/rendered", rendered.retrieve),
    Get(f"{_STUDY}/thumbnail", rendered.thumbnail),
    Get(f"{_SERIES}/thumbnail", rendered.thumbnail),
    Get(f"{_INSTANCE}/thumbnail", rendered.thumbnail),
    Get(f"{_INSTANCE}/frames/{{frames}}/thumbnail", rendered.thumbnail),
    # Worklist service (PS3.18 11)
    Get(_WORKITEMS, ups.search),
    Post(_WORKITEMS, ups.create),
    Get(_WORKITEM, ups.retrieve),
    Post(_WORKITEM, ups.update),
    Put(f"{_WORKITEM}/state", ups.change_state),
    Post(f"{_WORKITEM}/cancelrequest", ups.request_cancel),
    Post(_SUBSCRIBER, subscribers.subscribe),
    Delete(_SUBSCRIBER, subscribers.unsubscribe),
    Post(f"{_SUBSCRIBER}/suspend", subscribers.suspend),
    # What changes in the archive
    Get("/api/changes", changes.page),
    Get("/api/changes/events", changes.watch),
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
    # What is to be scanned
    Get("/api/orders", orders.page),
    Post("/api/orders", orders.place),
    Get("/api/orders/{order}", orders.order),
    Post("/api/orders/{order}/cancel", orders.cancel),
    # Models
    Post("/api/ai/runs/{run}/findings", ai.findings),
    # What there is
    Get("/api/openapi.json", openapi.document),
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

LISTENERS: tuple[Listen, ...] = (
    # Open a notification connection (PS3.18 8.10.4)
    Listen(f"{PREFIX}/subscribers/{{aetitle}}", notifications.serve),
)

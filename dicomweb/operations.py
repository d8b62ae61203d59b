"""What each line of the route table takes and gives, for the capabilities (PS3.18 8.9) and OpenAPI.

An address that is not DICOMweb has to be declared here, or a test fails. One of DICOMweb is what the
standard says of it, and what `offered` adds to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dicomweb import numbers, offered, schemas
from dicomweb.entries import Entry
from dicomweb.media import JSON
from dicomweb.schemas import Schema
from dicomweb.urls import PREFIX

PROBLEM: Final = "application/problem+json"
EVENTS: Final = "text/event-stream"
_OK: Final[Mapping[int, Schema | None]] = {200: None}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of the query, or a header; never required."""

    name: str
    schema: Schema
    description: str = ""
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """`successes` are the status codes of success with the form of their bodies; `path` describes the
    parameters of the address, which are text unless it says otherwise."""

    method: str
    id: str
    summary: str
    query: tuple[Parameter, ...] = ()
    path: Mapping[str, Schema] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    successes: Mapping[int, Schema | None] = field(default_factory=lambda: _OK)
    body: Schema | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What is written down of an address beside what its handler says."""

    gives: Schema | None = None
    query: tuple[Parameter, ...] = ()
    path: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    provides: tuple[str, ...] = (JSON,)
    status: int = 200


_LIMIT: Final = Parameter("limit", schemas.whole(1), "At most so many.")
_UID: Final = schemas.UID
_STUDY: Final = {"study": _UID}
_ORDER: Final = {"order": schemas.whole(0)}

DECLARED: Final[Mapping[tuple[str, str], Declared]] = {
    ("GET", "/healthz"): Declared(schemas.HEALTH),
    ("GET", "/readyz"): Declared(schemas.READY),
    ("GET", "/api/openapi.json"): Declared(schemas.ANY_OBJECT),
    ("GET", "/api/facts"): Declared(schemas.FACTS),
    ("GET", "/api/me"): Declared(schemas.ME),
    ("GET", "/api/studies"): Declared(
        schemas.STUDIES,
        (
            Parameter("q", schemas.TEXT, "Words of the patient's name, IDs or the description."),
            Parameter("limit", schemas.whole(0)),
            Parameter("offset", schemas.whole(0, numbers.FURTHEST)),
        ),
    ),
    ("GET", "/api/orders"): Declared(
        schemas.ORDERS,
        (
            _LIMIT,
            Parameter("below", schemas.whole(0), "The `next` of the page before."),
            Parameter("open", schemas.TEXT, "1: without what is over."),
        ),
    ),
    ("POST", "/api/orders"): Declared(schemas.ORDER, body=schemas.ANY_OBJECT, status=201),
    ("GET", "/api/orders/{order}"): Declared(schemas.ORDER, path=_ORDER),
    ("POST", "/api/orders/{order}/cancel"): Declared(schemas.ORDER, path=_ORDER),
    ("GET", "/api/trash"): Declared(
        schemas.TRASH, (_LIMIT, Parameter("before", schemas.whole(0), "The `next` of the page before."))
    ),
    ("GET", "/api/trash/{deletion}"): Declared(schemas.DELETION),
    ("POST", "/api/trash/{deletion}/restore"): Declared(schemas.DELETION),
    ("GET", "/api/changes"): Declared(
        schemas.CHANGES,
        (
            Parameter(
                "since", schemas.TEXT, "The `next` of the page before, or `now`; absent: from the oldest."
            ),
            _LIMIT,
        ),
    ),
    ("GET", "/api/changes/events"): Declared(
        schemas.TEXT,
        (
            Parameter("since", schemas.TEXT, "A token; absent: from now on."),
            Parameter("Last-Event-ID", schemas.TEXT, "The id of the last event.", "header"),
        ),
        provides=(EVENTS,),
    ),
    ("GET", "/api/worklist"): Declared(
        schemas.WORKLIST,
        (
            _LIMIT,
            Parameter("after", schemas.TEXT, "The `next` of the page before."),
            Parameter("done", schemas.TEXT, "1: what has been read."),
            Parameter("studies", schemas.TEXT, "UIDs to look up, joined by commas."),
        ),
    ),
    ("GET", "/api/worklist/changes"): Declared(
        schemas.WORKLIST_CHANGES, (Parameter("since", schemas.whole(0), "A version."),)
    ),
    ("GET", "/api/worklist/events"): Declared(
        schemas.TEXT,
        (
            Parameter("since", schemas.whole(0), "A version."),
            Parameter("Last-Event-ID", schemas.TEXT, "The id of the last event.", "header"),
        ),
        provides=(EVENTS,),
    ),
    ("GET", "/api/worklist/{study}"): Declared(schemas.ITEM, path=_STUDY),
    ("POST", "/api/worklist/{study}/claim"): Declared(schemas.ITEM, path=_STUDY),
    ("POST", "/api/worklist/{study}/release"): Declared(schemas.ITEM, path=_STUDY),
    ("POST", "/api/worklist/{study}/finish"): Declared(schemas.ITEM, path=_STUDY),
    ("POST", "/api/worklist/{study}/reopen"): Declared(schemas.ITEM, path=_STUDY),
    ("POST", "/api/worklist/{study}/request/{priority}"): Declared(
        schemas.ITEM, path=_STUDY | {"priority": schemas.one_of("STAT", "HIGH", "ROUTINE", "LOW")}
    ),
    ("POST", "/api/findings/{finding}/{verdict}"): Declared(
        schemas.FINDING,
        path={"finding": schemas.whole(0), "verdict": schemas.one_of("accepted", "modified", "rejected")},
    ),
    ("GET", "/api/models"): Declared(schemas.listed(schemas.SCORE_CARD)),
    ("POST", "/api/ai/runs/{run}/findings"): Declared(body=schemas.ANY_OBJECT, status=202),
}

_SUCCESSES: Final[Mapping[tuple[str, str], tuple[int, ...]]] = {
    ("GET", "workitems"): (200, 204, 206),
    ("POST", "workitems"): (201,),
    ("POST", "cancelrequest"): (202,),
    ("POST", "{aetitle}"): (201,),
    ("POST", "studies"): (200, 202),
    ("POST", "{study}"): (200, 202),
}


def operation(entry: Entry) -> Operation:
    """Of any line of the table, declared or not."""
    handler = getattr(entry, "answer", None) or getattr(entry, "receive", None)
    name = f"{getattr(handler, '__module__', '').rpartition('.')[2]}.{getattr(handler, '__name__', '')}"
    said = (getattr(handler, "__doc__", None) or "").strip().partition("\n\n")[0]
    summary = " ".join(said.split()) or name.replace(".", " ").replace("_", " ")
    declared = DECLARED.get((entry.method, entry.path))
    if declared is None:
        return _of_dicomweb(entry, name, summary)
    return Operation(
        entry.method,
        name,
        summary,
        declared.query,
        declared.path,
        accepts=(JSON,) if declared.body else (),
        provides=declared.provides if declared.gives else (),
        successes={declared.status: declared.gives},
        body=declared.body,
    )


def _of_dicomweb(entry: Entry, name: str, summary: str) -> Operation:
    """Of a page there is nothing more to tell."""
    query: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    if entry.path.startswith(PREFIX):
        if entry.method == "GET":
            query, given = offered.query(entry.path), offered.provided(entry.path)
        elif entry.method in {"POST", "PUT"}:
            taken, given = offered.taken(entry.path), offered.answered(entry.path)
    return Operation(
        entry.method,
        name,
        summary,
        tuple(Parameter(one, schemas.TEXT) for one in query),
        accepts=taken,
        provides=given,
        successes=dict.fromkeys(_SUCCESSES.get((entry.method, entry.path.rpartition("/")[2]), (200,))),
    )


def is_declared(entry: Entry) -> bool:
    return (entry.method, entry.path) in DECLARED

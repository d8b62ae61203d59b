"""What is not DICOMweb: health, the server's facts, who asks, the study list, and the pages themselves."""

import hashlib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Final

import orjson
from starlette.responses import Response

from dicomweb import answers, ohif, qido
from dicomweb.calls import Call
from dicomweb.media import JSON
from dicomweb.numbers import FURTHEST, whole
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.query import parse

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_UI: Final = resources.files("dicomweb") / "ui"
_PAGES: Final = {
    "/": "worklist/index.html",
    "/studies/": "studies/index.html",
    "/view/": "viewer/index.html",
}


def _parts() -> Iterator[str]:
    """What the pages are made of, as `folder/file`."""
    for folder in _UI.iterdir():
        for file in folder.iterdir() if folder.is_dir() else ():
            if not file.name.endswith(".html") and "." + file.name.rpartition(".")[2] in _TYPES:
                yield f"{folder.name}/{file.name}"


FILES: Final[dict[str, str]] = _PAGES | {f"/ui/{name}": name for name in sorted(_parts())}

_PAGE: Final = 50
_LARGEST_PAGE: Final = 500
_SHOWN: Final = ("StudyDescription", "ModalitiesInStudy")


def healthz(_: Call) -> Response:
    return _json({"status": "ok"})


def readyz(call: Call) -> Response:
    """Raises Unavailable when index or store cannot be used. Degraded is ready: what is away then keeps
    no caller waiting."""
    call.archive.ready()
    away = call.archive.away()
    return _json({"status": "degraded", "away": away} if away else {"status": "ready"})


def facts(call: Call) -> Response:
    """`ohif` is the version of the OHIF viewer that is served, empty when there is none."""
    viewer = ohif.prepared(call.archive.config.web.viewer)
    return _json({**call.archive.facts(call.actor), "ohif": viewer.version if viewer else ""})


def me(call: Call) -> Response:
    """Who asks, as the reading list and the audit trail name them."""
    return _json({"name": call.actor.name, "roles": sorted(call.actor.roles)})


def studies(call: Call) -> Response:
    """`q` is free text; the answer holds studies as DICOM JSON and whether there are more."""
    asked = call.request.query_params
    limit = min(whole(asked.get("limit", str(_PAGE)), "limit"), _LARGEST_PAGE)
    query = parse.from_keys(
        Level.STUDY,
        (),
        returned=[(tag_of(keyword),) for keyword in _SHOWN],
        defaults=True,
        offset=whole(asked.get("offset", "0"), "offset", most=FURTHEST),
        limit=limit,
    )
    page = call.archive.search.page(call.actor, parse.free_text(query, asked.get("q", "")))
    aet = call.archive.config.dimse.aet
    found = [qido.described(match, call.outside, aet) for match in page.matches]
    return _json({"studies": found, "more": page.more})


def static(name: str) -> Callable[[Call], Response]:
    """A file of the pages, read once."""
    content = (_UI / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    media_type = _TYPES["." + name.rpartition(".")[2]]

    def answer(call: Call) -> Response:
        unchanged = answers.not_modified(call, tag)
        return unchanged or Response(content, headers={"ETag": tag, "Content-Type": media_type})

    return answer


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type=JSON, headers={"Cache-Control": "no-store"})

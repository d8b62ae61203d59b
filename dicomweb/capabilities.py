"""Retrieve capabilities (PS3.18 8.9): OPTIONS tells what there is at an address, as WADL or as JSON.

Both are made from the route table, so what is not told is not there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final
from xml.etree import ElementTree as ET

import orjson
from starlette.responses import Response

from dicomweb import media
from dicomweb.calls import Call
from dicomweb.entries import Get
from dicomweb.media import DICOM_JSON, JSON, Offer
from dicomweb.operations import Operation, operation
from dicomweb.urls import PREFIX

WADL: Final = "application/vnd.sun.wadl+xml"
ROOTS: Final = (PREFIX, f"{PREFIX}/")
_NAMESPACE: Final = "http://wadl.dev.java.net/2009/02"
_OFFERS: Final = (Offer(WADL), Offer(JSON), Offer("application/xml"), Offer(DICOM_JSON))
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


def entry(path: str) -> Get:
    """What answers OPTIONS at a path of the table, or at a root."""
    return Get(path, lambda call: _answer(call, path))


def _answer(call: Call, path: str) -> Response:
    kind = media.choose(call.accepted, _OFFERS).type
    resources = tuple(_resources(call, path))
    allow = {"Allow": ", ".join(_allowed(resources, path)), "Cache-Control": "no-store"}
    if kind in {JSON, DICOM_JSON}:
        return Response(orjson.dumps(_as_json(call, resources)), headers=allow, media_type=JSON)
    response = Response(_as_wadl(call, resources), headers=allow)
    response.headers["Content-Type"] = kind  # set here, as starlette would add a charset
    return response


@dataclass(frozen=True, slots=True)
class _Resource:
    path: str
    operations: tuple[Operation, ...]
    parameters: tuple[str, ...] = field(default=())


def _resources(call: Call, path: str) -> Iterator[_Resource]:
    """The one of this path, or of a root all those below it."""
    table: Iterable[Any] = call.request.app.table
    below = path.rstrip("/") + "/" if path in ROOTS else ""
    chosen = [one for one in table if one.path == path or (below and one.path.startswith(below))]
    for at, entries in groupby(
        sorted(chosen, key=lambda one: (one.path, one.method)), key=lambda one: one.path
    ):
        yield _Resource(at, tuple(map(operation, entries)), tuple(_PARAMETER.findall(at)))


def _allowed(resources: Iterable[_Resource], path: str) -> list[str]:
    here = {op.method for resource in resources if resource.path == path for op in resource.operations}
    return sorted(here | ({"HEAD"} if "GET" in here else set()) | {"OPTIONS"})


def _plain(path: str) -> str:
    """Without the slash and without the types of parameters, as WADL and OpenAPI write it."""
    return _PARAMETER.sub(r"{\1}", path)


def _as_json(call: Call, resources: Iterable[_Resource]) -> dict[str, Any]:
    return {
        "base": call.outside.base,
        "resources": [
            {
                "path": _plain(resource.path),
                "parameters": list(resource.parameters),
                "methods": [
                    {
                        "method": one.method,
                        "id": one.id,
                        "description": one.summary,
                        "query": [parameter.name for parameter in one.query],
                        "accepts": list(one.accepts),
                        "provides": list(one.provides),
                    }
                    for one in resource.operations
                ],
            }
            for resource in resources
        ],
    }


def _as_wadl(call: Call, resources: Iterable[_Resource]) -> bytes:
    application = ET.Element("application", xmlns=_NAMESPACE)
    listed = ET.SubElement(application, "resources", base=call.outside.base + "/")
    for resource in resources:
        at = ET.SubElement(listed, "resource", path=_plain(resource.path).lstrip("/"))
        for name in resource.parameters:
            ET.SubElement(at, "param", name=name, style="template", required="true")
        for one in resource.operations:
            _add_method(at, one)
    return bytes(ET.tostring(application, encoding="utf-8", xml_declaration=True))


def _add_method(at: ET.Element, one: Operation) -> None:
    method = ET.SubElement(at, "method", name=one.method, id=one.id)
    ET.SubElement(method, "doc").text = one.summary
    request = ET.SubElement(method, "request")
    for parameter in one.query:
        ET.SubElement(request, "param", name=parameter.name, style="query")
    for kind in one.accepts:
        ET.SubElement(request, "representation", mediaType=kind)
    response = ET.SubElement(method, "response", status=" ".join(map(str, sorted(one.successes))))
    for kind in one.provides:
        ET.SubElement(response, "representation", mediaType=kind)

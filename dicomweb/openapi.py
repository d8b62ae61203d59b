"""OpenAPI 3.1 of what is not DICOMweb, made from the route table (DICOMweb describes itself by OPTIONS)."""

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.responses import Response

from dicomweb import schemas
from dicomweb.calls import Call
from dicomweb.entries import Entry
from dicomweb.media import JSON
from dicomweb.operations import PROBLEM, Operation, Parameter, is_declared, operation
from pacs import __version__

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def document(call: Call) -> Response:
    """This description."""
    made = describe(call.request.app.table, call.outside.base)
    return Response(orjson.dumps(made), media_type=JSON, headers={"Cache-Control": "no-cache"})


def describe(table: Iterable[Entry], base: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for entry in table:
        if is_declared(entry):
            paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hilum",
            "version": __version__,
            "description": "What the archive offers beside DICOMweb. OPTIONS on /dicom-web describes that.",
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}, {"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": schemas.PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(entry: Entry) -> dict[str, Any]:
    said = operation(entry)
    made: dict[str, Any] = {
        "operationId": f"{said.id}".replace(".", "-"),
        "summary": said.summary,
        "parameters": [*_of_path(entry, said), *map(_parameter, said.query)],
        "responses": {str(code): _success(said, code) for code in said.successes} | {"default": _PROBLEM},
    }
    if said.body is not None:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": said.body}}}
    return made


def _of_path(entry: Entry, said: Operation) -> list[dict[str, Any]]:
    names = _PARAMETER.findall(entry.path)
    return [
        {"name": name, "in": "path", "required": True, "schema": said.path.get(name, schemas.TEXT)}
        for name in names
    ]


def _parameter(said: Parameter) -> dict[str, Any]:
    made = {"name": said.name, "in": said.place, "schema": said.schema}
    return made | ({"description": said.description} if said.description else {})


def _success(said: Operation, code: int) -> dict[str, Any]:
    schema = said.successes[code]
    if schema is None:
        return {"description": "Done."}
    return {"description": "The answer.", "content": {kind: {"schema": schema} for kind in said.provides}}


_PROBLEM: Final = {
    "description": "Why not, and what to do about it (RFC 9457).",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

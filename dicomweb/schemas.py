"""The forms of JSON that is not DICOM JSON, as JSON Schema (2020-12, the dialect of OpenAPI 3.1)."""

from collections.abc import Mapping
from typing import Any, Final

from dicomweb import numbers

Schema = Mapping[str, Any]


def whole(low: int, high: int = numbers.MOST) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def perhaps(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
        "additionalProperties": False,
    }


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
UID: Final[Schema] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}
YES_OR_NO: Final[Schema] = {"type": "boolean"}
ANY_OBJECT: Final[Schema] = {"type": "object"}

HEALTH: Final = record({"status": TEXT})
READY: Final = record({"status": one_of("ready", "degraded")}, {"away": listed(TEXT)})
ME: Final = record({"name": TEXT, "roles": listed(TEXT)})
FACTS: Final = record(
    dict.fromkeys(("version", "index", "aet", "dimse", "ohif"), TEXT)
    | {
        name: whole(0)
        for name in ("patients", "studies", "series", "instances", "bytes", "disk_total", "disk_free")
    }
)
STUDIES: Final = record({"studies": listed(ANY_OBJECT), "more": YES_OR_NO})
FINDING: Final = record(
    {
        "id": whole(0),
        "name": TEXT,
        "severity": NUMBER,
        "confidence": NUMBER,
        "model": TEXT,
        "model_version": TEXT,
        "verdict": perhaps(one_of("accepted", "modified", "rejected")),
    }
)
ITEM: Final = record(
    {
        "study": UID,
        "state": one_of("waiting", "claimed", "done"),
        "waiting_since": perhaps(MOMENT),
        "requested": one_of("STAT", "HIGH", "ROUTINE", "LOW"),
        "urgency": NUMBER,
        "finding": perhaps(FINDING),
        "holder": perhaps(TEXT),
        "held_until": perhaps(MOMENT),
        "done_by": perhaps(TEXT),
        "done": perhaps(MOMENT),
        "rank": TEXT,
        "version": whole(0),
    },
    {"findings": listed(FINDING)},
)
WORKLIST: Final = record({"items": listed(ITEM), "next": perhaps(TEXT), "version": whole(0)})
WORKLIST_CHANGES: Final = record({"items": listed(ITEM), "version": whole(0), "more": YES_OR_NO})
SCORE_CARD: Final = record(
    {"model": TEXT, "version": TEXT, "accepted": whole(0), "modified": whole(0), "rejected": whole(0)}
)
ORDER: Final = ANY_OBJECT
ORDERS: Final = record({"orders": listed(ORDER), "next": perhaps(whole(0))})
DELETION: Final = record(
    {
        "id": TEXT,
        "level": one_of("study", "series", "instance"),
        "study": UID,
        "series": perhaps(UID),
        "instance": perhaps(UID),
        "deleted": MOMENT,
        "by": TEXT,
        "reason": TEXT,
        "instances": whole(0),
        "bytes": whole(0),
        "state": TEXT,
    },
    {"hold": perhaps(TEXT), "dead_bytes": whole(0)},
)
TRASH: Final = record({"items": listed(DELETION), "next": perhaps(TEXT)})
CHANGE: Final = record(
    {"token": TEXT, "kind": TEXT, "at": MOMENT},
    {"study": UID, "series": UID, "instance": UID, "workitem": UID},
)
CHANGES: Final = record({"changes": listed(CHANGE), "next": TEXT, "more": YES_OR_NO})
PROBLEM: Final = record({"type": TEXT, "title": TEXT, "status": whole(400), "detail": TEXT}, {"hint": TEXT})

"""Append an event in the caller's transaction; it exists exactly if what it tells of does."""

from dataclasses import dataclass
from enum import StrEnum

import orjson
import sqlalchemy as sa

from pacs import clock
from pacs.db import schema
from pacs.db.prepared import Prepared


class Kind(StrEnum):
    STORED = "stored"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    SETTLED = "settled"  # nothing more came for a study for a while; payload: its generation
    MODEL_RUN = "model-run"  # something is to be done for a run of a model; payload: which, of which model


@dataclass(frozen=True, slots=True)
class Event:
    """UIDs are empty where an object was refused before they were known."""

    kind: Kind
    study_uid: str = ""
    series_uid: str = ""
    sop_instance_uid: str = ""
    payload: dict[str, str | int] | None = None


def append(tx: sa.Connection, event: Event) -> None:
    values: dict[str, object] = {
        "at_ns": clock.now_ns(),
        "kind": event.kind.value,
        "study_uid": event.study_uid,
        "series_uid": event.series_uid,
        "sop_instance_uid": event.sop_instance_uid,
        "payload": orjson.dumps(event.payload).decode() if event.payload else "",
    }
    _INSERT.run(tx, values)


_INSERT = Prepared(
    sa.insert(schema.outbox),
    # The transaction's own 64-bit number: readers take only what is older than every running one.
    postgresql=sa.insert(schema.outbox).values(tx=sa.text("pg_current_xact_id()::text::bigint")),
)

"""Append an event in the caller's transaction; it exists exactly if what it tells of does."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    COMMITMENT_ASKED = "commitment-asked"  # payload: its number
    COMMITMENT_DECIDED = "commitment-decided"  # the same
    DELETED = "deleted"  # a study, series or instance (by the UIDs) went to the trash; payload: the deletion
    RESTORED = "restored"  # it came back; payload: the deletion
    PURGED = "purged"  # it is gone for good; payload: the deletion
    READ = "read"  # a reader finished a study, or opened it again; payload: which of the two, and who
    CLAIM = "claim"  # a study to be read was claimed, given back, or cannot be read just now
    WORKITEM = "workitem"  # a step was made or changed; payload: which, the report of it, and for whom
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


_XACT = "pg_current_xact_id()::text::bigint"
_INSERT = Prepared(
    sa.insert(schema.outbox),
    # The transaction's own 64-bit number: readers take only what is older than every running one.
    postgresql=sa.insert(schema.outbox).values(tx=sa.text(_XACT)),
)


def leap(tx: sa.Connection) -> None:
    """Give the event just appended a number beyond all that readers may have seen before a power cut took
    them back: who has read up to there would miss it. PostgreSQL's are durable before they are seen."""
    if tx.dialect.name == "sqlite":
        tx.execute(_LEAP)


_FAR = 100_000  # more than all processes together tell of before it is durable
_LEAP = (
    sa.update(schema.outbox)
    .where(schema.outbox.c.seq == sa.select(sa.func.max(schema.outbox.c.seq)).scalar_subquery())
    .values(seq=schema.outbox.c.seq + _FAR)
)


def append_each(tx: sa.Connection, kind: Kind, rows: "sa.Select[tuple[str, str]]") -> None:
    """An event for each row of the query, which gives a study UID and a payload as JSON text."""
    inner = rows.subquery()
    study_uid, payload = inner.c
    columns: list[sa.ColumnElement[Any]] = [
        sa.literal(clock.now_ns(), sa.BigInteger),
        sa.literal(kind.value),
        study_uid,
        payload,
    ]
    names = ["at_ns", "kind", "study_uid", "payload"]
    if tx.dialect.name == "postgresql":
        columns.append(sa.literal_column(_XACT, sa.BigInteger))
        names.append("tx")
    tx.execute(sa.insert(schema.outbox).from_select(names, sa.select(*columns)))

"""Write the audit row in the caller's transaction, read the trail back.

The trail is the one place that names patients by ID: it answers "who has seen this patient".
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from pacs import clock
from pacs.auth.actor import Actor
from pacs.db import schema
from pacs.db.connection import Database
from pacs.db.prepared import Prepared

_INSERT = Prepared(sa.insert(schema.audit))
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry; `at_ns` in nanoseconds since the epoch, UTC."""

    at_ns: int
    actor: str
    roles: str
    origin: str
    channel: str
    action: str
    outcome: str
    patient_id: str
    study_uid: str
    detail: str


def record(
    tx: sa.Connection,
    actor: Actor,
    action: str,
    *,
    outcome: str = "ok",
    study_uid: str = "",
    patient_id: str = "",
    detail: str = "",
) -> None:
    """`outcome` is `ok`, or the kind of refusal; `detail` says what was asked, not what was found."""
    _INSERT.run(
        tx,
        {
            "at_ns": clock.now_ns(),
            "actor": actor.name,
            "roles": _allowed(actor),
            "origin": actor.origin,
            "channel": actor.channel,
            "action": action,
            "outcome": outcome,
            "patient_id": patient_id,
            "study_uid": study_uid,
            "detail": detail,
        },
    )


def _allowed(actor: Actor) -> str:
    """What the actor was allowed by: its roles, and the rights they were limited to."""
    if actor.scope is not None:
        return "run"
    roles = ",".join(sorted(actor.roles))
    return roles if actor.rights is None else f"{roles} ({','.join(sorted(actor.rights))})"


def trail(
    db: Database,
    *,
    study_uid: str = "",
    patient_id: str = "",
    actor: str = "",
    since_ns: int = 0,
    limit: int | None = None,
) -> Iterator[AuditRow]:
    """Entries from newest to oldest, read in chunks so that the trail may be of any length."""
    table = schema.audit
    wanted = {"study_uid": study_uid, "patient_id": patient_id, "actor": actor}
    base = sa.select(table).order_by(table.c.id.desc())
    for name, value in wanted.items():
        if value:
            base = base.where(table.c[name] == value)
    if since_ns:
        base = base.where(table.c.at_ns >= since_ns)
    before: int | None = None
    left = limit
    while left is None or left > 0:
        step = base if before is None else base.where(table.c.id < before)
        with db.read() as tx:
            rows = tx.execute(step.limit(_CHUNK if left is None else min(left, _CHUNK))).all()
        if not rows:
            return
        for row in rows:
            values = row._asdict()
            before = values.pop("id")
            yield AuditRow(**values)
        left = None if left is None else left - len(rows)

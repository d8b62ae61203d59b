"""Rows of what models said and of what readers thought of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pacs.db import schema
from pacs.reading.model import Finding, Raised, Run, ScoreCard, Verdict

_r, _f, _k = schema.model_runs.c, schema.findings.c, schema.score_cards.c

JOINED = schema.findings.join(schema.model_runs, _r.id == _f.run_fk)
LABELLED = (
    _f.id.label("finding_id"),
    _r.model,
    _r.model_version,
    _f.name,
    _f.severity,
    _f.confidence,
    _f.verdict,
)


@dataclass(frozen=True, slots=True)
class Known:
    """A finding and the study it is of; `is_current` while its model has not spoken again."""

    study_uid: str
    is_current: bool
    raised: Raised


def raised(row: Any) -> Raised | None:
    """From a row with the LABELLED columns, which an outer join may have left empty."""
    if row.finding_id is None:
        return None
    finding = Finding(row.name, row.severity, row.confidence)
    verdict = Verdict(row.verdict) if row.verdict else None
    return Raised(row.finding_id, row.model, row.model_version, finding, verdict)


def current(tx: sa.Connection, study_uid: str) -> tuple[Raised, ...]:
    """What the latest run of each model found."""
    rows = tx.execute(
        sa.select(*LABELLED)
        .select_from(JOINED)
        .where(_r.study_uid == study_uid, _r.current == 1)
        .order_by(_f.id)
    )
    return tuple(found for found in map(raised, rows) if found is not None)


def find(tx: sa.Connection, finding_id: int) -> Known | None:
    query = sa.select(*LABELLED, _r.study_uid, _r.current).select_from(JOINED).where(_f.id == finding_id)
    row = tx.execute(query).first()
    found = None if row is None else raised(row)
    return None if row is None or found is None else Known(row.study_uid, bool(row.current), found)


def add(tx: sa.Connection, study_uid: str, run: Run, findings: Sequence[Finding], now_ns: int) -> bool:
    """Take the place of what the same model said before; False when this run is known already."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    others = (_r.study_uid == study_uid) & (_r.model == run.model)
    latest = tx.execute(sa.select(sa.func.max(_r.ordinal)).where(others)).scalar_one()
    insert = dialect.insert(schema.model_runs).values(
        study_uid=study_uid,
        model=run.model,
        model_version=run.version,
        run=run.id,
        at_ns=now_ns,
        current=int(latest is None or run.ordinal >= latest),
        ordinal=run.ordinal,
    )
    once = insert.on_conflict_do_nothing(index_elements=["study_uid", "model", "run"])
    run_fk = tx.execute(once.returning(_r.id)).scalar_one_or_none()
    if run_fk is None:
        return False
    tx.execute(
        sa.update(schema.model_runs)
        .where(others, _r.id != run_fk, _r.ordinal <= run.ordinal)
        .values(current=0)
    )
    rows = [
        {"run_fk": run_fk, "name": f.name, "severity": f.severity, "confidence": f.confidence}
        for f in findings
    ]
    if rows:
        tx.execute(sa.insert(schema.findings), rows)
    return True


def judge(tx: sa.Connection, found: Raised, verdict: Verdict, who: str, now_ns: int) -> None:
    """The latest verdict counts, on the finding and on the score card of its model."""
    if found.verdict is verdict:
        return
    tx.execute(
        sa.update(schema.findings)
        .where(_f.id == found.id)
        .values(verdict=verdict.value, judged_by=who, judged_ns=now_ns)
    )
    change = dict.fromkeys((v.value for v in Verdict), 0) | {verdict.value: 1}
    if found.verdict is not None:
        change[found.verdict.value] = -1
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    key = {"model": found.model, "model_version": found.model_version}
    tx.execute(dialect.insert(schema.score_cards).values(key).on_conflict_do_nothing())
    tx.execute(
        sa.update(schema.score_cards)
        .where(_k.model == found.model, _k.model_version == found.model_version)
        .values({name: _k[name] + by for name, by in change.items()})
    )


def score_cards(tx: sa.Connection) -> tuple[ScoreCard, ...]:
    rows = tx.execute(sa.select(schema.score_cards).order_by(_k.model, _k.model_version))
    return tuple(
        ScoreCard(row.model, row.model_version, row.accepted, row.modified, row.rejected) for row in rows
    )

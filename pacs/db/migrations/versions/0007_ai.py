"""Runs of models, the tokens they are given, and which of two answers is the later one."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    op.add_column("model_runs", _count("ordinal"))
    op.create_table(
        "grants",
        sa.Column("hash", Text, nullable=False),
        _text("name"),
        _text("study_uid"),
        _text("run"),
        _count("until_ns"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_run"), "grants", ["run"])
    op.create_index(op.f("ix_grants_until_ns"), "grants", ["until_ns"])
    op.create_table(
        "ai_runs",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("run", Text, nullable=False),
        _text("study_uid"),
        _text("model"),
        _count("ordinal"),
        _count("generation"),
        _text("rule"),
        _text("state"),
        _text("reason"),
        _count("asked"),
        _count("seq"),
        _count("created_ns"),
        _count("until_ns"),
        _count("answered_ns"),
        _text("answer_digest"),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        _text("report_uid"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_runs")),
        sa.UniqueConstraint("run", name=op.f("uq_ai_runs_run")),
        sa.UniqueConstraint("study_uid", "model", "ordinal", name=op.f("uq_ai_runs_study_uid_model_ordinal")),
    )
    op.create_index(op.f("ix_ai_runs_state_until_ns"), "ai_runs", ["state", "until_ns"])


def downgrade() -> None:
    op.drop_table("ai_runs")
    op.drop_table("grants")
    with op.batch_alter_table("model_runs") as batch:
        batch.drop_column("ordinal")

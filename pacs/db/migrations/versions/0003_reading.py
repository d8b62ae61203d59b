"""Readers of the outbox, settling of studies, the reading list."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _id() -> sa.Column[int]:
    return sa.Column("id", Identity, autoincrement=True, nullable=False)


def upgrade() -> None:
    _outbox()
    _settling()
    _list()
    _models()


def _outbox() -> None:
    op.create_table(
        "outbox_cursors",
        _key("name"),
        _count("tx"),
        _count("seq"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_outbox_cursors")),
    )
    op.create_table(
        "deliveries",
        _id(),
        _key("subscriber"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _count("at_ns"),
        _text("kind"),
        _text("study_uid"),
        _text("series_uid"),
        _text("sop_instance_uid"),
        _text("payload"),
        _count("attempts"),
        _count("due_ns"),
        _count("parked_ns"),
        _text("reason"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("subscriber", "seq", name=op.f("uq_deliveries_subscriber_seq")),
    )
    op.create_index(op.f("ix_deliveries_subscriber_due_ns"), "deliveries", ["subscriber", "due_ns"])
    op.create_index(op.f("ix_deliveries_parked_ns_id"), "deliveries", ["parked_ns", "id"])


def _settling() -> None:
    op.create_table(
        "settling",
        _key("study_uid"),
        sa.Column("quiet_since_ns", sa.BigInteger(), nullable=True),
        _count("generation"),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_settling")),
    )
    op.create_index(op.f("ix_settling_quiet_since_ns"), "settling", ["quiet_since_ns"])


def _list() -> None:
    op.create_table(
        "worklist_version",
        _id(),
        _count("version"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worklist_version")),
    )
    op.create_table(
        "worklist",
        _key("study_uid"),
        _text("patient_id"),
        _count("generation"),
        _text("requested"),
        sa.Column("urgency", sa.Double(), server_default="0", nullable=False),
        _count("lead_fk"),
        _count("waiting_since_ns"),
        _count("rank_ns"),
        _text("holder"),
        _count("held_until_ns"),
        _count("done"),
        _count("done_ns"),
        _text("done_by"),
        _count("version"),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_worklist")),
    )
    op.create_index(op.f("ix_worklist_done_rank_ns_study_uid"), "worklist", ["done", "rank_ns", "study_uid"])
    op.create_index(op.f("ix_worklist_version"), "worklist", ["version"])
    op.create_index(op.f("ix_worklist_held_until_ns"), "worklist", ["held_until_ns"])


def _models() -> None:
    op.create_table(
        "model_runs",
        _id(),
        _text("study_uid"),
        _text("model"),
        _text("model_version"),
        _text("run"),
        _count("at_ns"),
        _count("current"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_runs")),
        sa.UniqueConstraint("study_uid", "model", "run", name=op.f("uq_model_runs_study_uid_model_run")),
    )
    op.create_table(
        "findings",
        _id(),
        sa.Column("run_fk", Identity, nullable=False),
        _text("name"),
        sa.Column("severity", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        _text("verdict"),
        _text("judged_by"),
        _count("judged_ns"),
        sa.ForeignKeyConstraint(["run_fk"], ["model_runs.id"], name=op.f("fk_findings_run_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_run_fk"), "findings", ["run_fk"])
    op.create_table(
        "score_cards",
        _key("model"),
        _key("model_version"),
        _count("accepted"),
        _count("modified"),
        _count("rejected"),
        sa.PrimaryKeyConstraint("model", "model_version", name=op.f("pk_score_cards")),
    )


def downgrade() -> None:
    for table in (
        "score_cards",
        "findings",
        "model_runs",
        "worklist",
        "worklist_version",
        "settling",
        "deliveries",
        "outbox_cursors",
    ):
        op.drop_table(table)

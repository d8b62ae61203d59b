"""Unified procedure steps and those who are told of them."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    op.create_table(
        "workitems",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("uid", Text, nullable=False),
        _text("state"),
        _text("priority"),
        _text("label"),
        _text("worklist_label"),
        _text("patient_id"),
        _text("study_uid"),
        _text("readiness"),
        _text("starts_at"),
        _text("transaction_uid"),
        _count("reading"),
        _count("final_ns"),
        _count("deleted_ns"),
        sa.Column("json", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workitems")),
        sa.UniqueConstraint("uid", name=op.f("uq_workitems_uid")),
    )
    order = ["deleted_ns", "starts_at", "uid"]
    op.create_index(op.f("ix_workitems_deleted_ns_starts_at_uid"), "workitems", order)
    for column in ("final_ns", "patient_id", "study_uid"):
        op.create_index(op.f(f"ix_workitems_{column}"), "workitems", [column])
    op.create_table(
        "workitem_subscriptions",
        sa.Column("workitem_uid", Text, nullable=False),
        sa.Column("aet", Text, nullable=False),
        _count("lock"),
        sa.PrimaryKeyConstraint("workitem_uid", "aet", name=op.f("pk_workitem_subscriptions")),
    )
    op.create_index(op.f("ix_workitem_subscriptions_aet"), "workitem_subscriptions", ["aet"])
    op.create_table(
        "workitem_watchers",
        sa.Column("aet", Text, nullable=False),
        sa.Column("scope", Text, nullable=False),
        _count("lock"),
        _text("filter"),
        sa.PrimaryKeyConstraint("aet", "scope", name=op.f("pk_workitem_watchers")),
    )
    op.create_table(
        "workitem_receivers",
        sa.Column("aet", Text, nullable=False),
        _count("tx"),
        _count("seq"),
        sa.PrimaryKeyConstraint("aet", name=op.f("pk_workitem_receivers")),
    )


def downgrade() -> None:
    for table in ("workitem_receivers", "workitem_watchers", "workitem_subscriptions", "workitems"):
        op.drop_table(table)

"""What is to be scanned, and what was."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    _orders()
    _scheduled_steps()
    _performed_steps()
    _performed_of()


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("study_uid", Text, nullable=False),
        *map(_text, ("patient_id", "patient_name", "accession_number", "procedure_id", "attrs", "placed_by")),
        *map(_count, ("placed_ns", "cancelled_ns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("study_uid", name=op.f("uq_orders_study_uid")),
    )
    op.create_index(op.f("ix_orders_patient_id"), "orders", ["patient_id"])
    op.create_index(op.f("ix_orders_accession_number"), "orders", ["accession_number"])


def _scheduled_steps() -> None:
    op.create_table(
        "scheduled_steps",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("order_fk", Identity, nullable=False),
        sa.Column("step_id", Text, nullable=False),
        *map(_text, ("stations", "modality", "start_date", "start_time", "said_status", "status", "attrs")),
        _count("ended"),
        sa.ForeignKeyConstraint(["order_fk"], ["orders.id"], name=op.f("fk_scheduled_steps_order_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_steps")),
        sa.UniqueConstraint("order_fk", "step_id", name=op.f("uq_scheduled_steps_order_fk_step_id")),
    )
    for columns in (["ended", "start_date", "start_time", "id"], ["start_date", "start_time", "id"]):
        op.create_index(op.f("ix_scheduled_steps_" + "_".join(columns)), "scheduled_steps", columns)


def _performed_steps() -> None:
    op.create_table(
        "performed_steps",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", Text, nullable=False),
        *map(_text, ("status", "reason", "station", "patient_id", "attrs")),
        *map(_count, ("created_ns", "changed_ns", "awaited_until_ns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performed_steps")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_performed_steps_sop_instance_uid")),
    )
    op.create_index(op.f("ix_performed_steps_awaited_until_ns"), "performed_steps", ["awaited_until_ns"])


def _performed_of() -> None:
    """Which studies, scheduled steps and objects a performed step is about."""
    for table, other, kind, target in (
        ("performed_studies", "study_uid", Text, ""),
        ("performed_scheduled", "step_fk", Identity, "scheduled_steps.id"),
        ("performed_instances", "sop_instance_uid", Text, ""),
    ):
        links = [("performed_fk", "performed_steps.id")] + ([(other, target)] if target else [])
        op.create_table(
            table,
            sa.Column("performed_fk", Identity, nullable=False),
            sa.Column(other, kind, nullable=False),
            *(sa.ForeignKeyConstraint([name], [to], name=op.f(f"fk_{table}_{name}")) for name, to in links),
            sa.PrimaryKeyConstraint("performed_fk", other, name=op.f(f"pk_{table}")),
        )
        if table != "performed_instances":
            op.create_index(op.f(f"ix_{table}_{other}"), table, [other])


def downgrade() -> None:
    for table in ("performed_instances", "performed_scheduled", "performed_studies"):
        op.drop_table(table)
    for table in ("performed_steps", "scheduled_steps", "orders"):
        op.drop_table(table)

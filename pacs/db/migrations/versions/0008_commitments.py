"""Storage commitments: what was asked to be kept, what was found, who was told."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        _text("aet"),
        _text("transaction_uid"),
        _count("turn"),
        _text("digest"),
        _count("n_objects"),
        _count("n_failed"),
        _count("asked_ns"),
        _count("decided_ns"),
        _count("told_ns"),
        _text("told_by"),
        _text("held_by"),
        _count("held_until_ns"),
        _count("seq"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint(
            "aet", "transaction_uid", "turn", name=op.f("uq_commitments_aet_transaction_uid_turn")
        ),
    )
    op.create_index(op.f("ix_commitments_told_ns"), "commitments", ["told_ns"])
    op.create_table(
        "commitment_objects",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("commitment_fk", Identity, nullable=False),
        _text("sop_class_uid"),
        _text("sop_instance_uid"),
        _text("verdict"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_objects")),
        sa.ForeignKeyConstraint(
            ["commitment_fk"], ["commitments.id"], name=op.f("fk_commitment_objects_commitment_fk")
        ),
    )
    op.create_index(
        op.f("ix_commitment_objects_commitment_fk_verdict"),
        "commitment_objects",
        ["commitment_fk", "verdict"],
    )


def downgrade() -> None:
    op.drop_table("commitment_objects")
    op.drop_table("commitments")

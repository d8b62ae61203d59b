"""Objects kept in less space than they were received in; evictions that wait."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recompressions",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("received_digest", Text, server_default="", nullable=False),
        sa.Column("received_syntax", Text, server_default="", nullable=False),
        sa.Column("received_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reason", Text, server_default="", nullable=False),
        sa.Column("at_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recompressions")),
        sa.UniqueConstraint(
            "sop_instance_uid", "digest", name=op.f("uq_recompressions_sop_instance_uid_digest")
        ),
    )
    op.create_index(
        op.f("ix_recompressions_sop_instance_uid_received_digest"),
        "recompressions",
        ["sop_instance_uid", "received_digest"],
        unique=False,
    )
    with op.batch_alter_table("evictions") as batch:
        batch.add_column(sa.Column("due_ns", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("evictions") as batch:
        batch.drop_column("due_ns")
    op.drop_table("recompressions")

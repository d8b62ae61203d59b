"""Two tiers: packs on the cold one, evictions under way, how studies are cared for."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "packs",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("study_uid", Text, server_default="", nullable=False),
        sa.Column("series_uid", Text, server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("begun_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("verified_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claimed_by", Text, server_default="", nullable=False),
        sa.Column("claimed_until_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packs")),
        sa.UniqueConstraint("key", name=op.f("uq_packs_key")),
    )
    op.create_index(op.f("ix_packs_study_uid"), "packs", ["study_uid"], unique=False)
    op.create_table(
        "evictions",
        sa.Column("id", Identity, autoincrement=True, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evictions")),
        sa.UniqueConstraint("key", name=op.f("uq_evictions_key")),
    )
    op.create_table(
        "study_care",
        sa.Column("study_uid", Text, nullable=False),
        sa.Column("last_read_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hold", Text, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_study_care")),
    )
    op.create_index(op.f("ix_study_care_last_read_ns"), "study_care", ["last_read_ns"], unique=False)
    with op.batch_alter_table("versions") as batch:
        batch.add_column(sa.Column("tier", Text, server_default="hot", nullable=False))
        batch.add_column(sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False))
        batch.drop_constraint(op.f("uq_versions_key"), type_="unique")
        batch.create_unique_constraint(op.f("uq_versions_tier_key_offset"), ["tier", "key", "offset"])


def downgrade() -> None:
    with op.batch_alter_table("versions") as batch:
        batch.drop_constraint(op.f("uq_versions_tier_key_offset"), type_="unique")
        batch.create_unique_constraint(op.f("uq_versions_key"), ["key"])
        batch.drop_column("offset")
        batch.drop_column("tier")
    op.drop_table("study_care")
    op.drop_table("evictions")
    op.drop_table("packs")

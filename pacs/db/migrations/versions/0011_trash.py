"""What was deleted, and where its bytes lie until they are purged."""

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    return sa.Column("id", Identity, autoincrement=True, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    op.add_column("worklist", _count("gone"))
    _create_deletions()
    _create_trash()
    op.create_table(
        "trash_places",
        _id(),
        sa.Column("trash_fk", Identity, nullable=False),
        sa.Column("tier", Text, nullable=False),
        sa.Column("key", Text, nullable=False),
        _count("offset"),
        _count("length"),
        sa.ForeignKeyConstraint(["trash_fk"], ["trash.id"], name=op.f("fk_trash_places_trash_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trash_places")),
    )
    op.create_index(op.f("ix_trash_places_trash_fk"), "trash_places", ["trash_fk"])
    op.create_index(op.f("ix_trash_places_tier_key"), "trash_places", ["tier", "key"])


def _create_deletions() -> None:
    op.create_table(
        "deletions",
        _id(),
        sa.Column("name", Text, nullable=False),
        _text("level"),
        _text("study_uid"),
        _text("series_uid"),
        _text("sop_instance_uid"),
        _text("patient_id"),
        _count("at_ns"),
        _text("actor"),
        _text("origin"),
        _text("reason"),
        _count("n_instances"),
        _count("bytes"),
        _text("state"),
        _count("marked"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
        sa.UniqueConstraint("name", name=op.f("uq_deletions_name")),
    )
    op.create_index(op.f("ix_deletions_study_uid"), "deletions", ["study_uid"])
    op.create_index(op.f("ix_deletions_state_at_ns"), "deletions", ["state", "at_ns"])


def _create_trash() -> None:
    op.create_table(
        "trash",
        _id(),
        sa.Column("deletion_fk", Identity, nullable=False),
        _text("study_uid"),
        _text("series_uid"),
        _text("sop_instance_uid"),
        _text("sop_class_uid"),
        _count("current"),
        _text("transfer_syntax"),
        _count("size"),
        _count("dataset_offset"),
        _text("digest"),
        _text("prefix_digest"),
        _text("received_digest"),
        _count("n_frames"),
        sa.Column("frames", sa.LargeBinary(), nullable=True),
        sa.Column("json", sa.LargeBinary(), nullable=True),
        _count("first_received_ns"),
        _count("received_ns"),
        sa.ForeignKeyConstraint(["deletion_fk"], ["deletions.id"], name=op.f("fk_trash_deletion_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trash")),
    )
    op.create_index(op.f("ix_trash_deletion_fk"), "trash", ["deletion_fk"])
    op.create_index(
        op.f("ix_trash_study_uid_series_uid_sop_instance_uid"),
        "trash",
        ["study_uid", "series_uid", "sop_instance_uid"],
    )
    op.create_index(
        op.f("ix_trash_sop_instance_uid_received_ns"), "trash", ["sop_instance_uid", "received_ns"]
    )


def downgrade() -> None:
    for table in ("trash_places", "trash", "deletions"):
        op.drop_table(table)
    with op.batch_alter_table("worklist") as batch:
        batch.drop_column("gone")

"""What names sound like, and the metadata of series ready to be sent."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from alembic import op

from pacs.db.types import Identity, Text
from pacs.dicom import sounds

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# (rows, their sounds, DICOM tag, columns): as it was when this was written
_NAMES = (
    ("patients", "patient_sounds", 0x00100010, "patient_name"),
    ("studies", "study_sounds", 0x00080090, "referring_physician_name"),
    ("series", "series_sounds", 0x00081050, "performing_physician_name"),
)
_PAGE = 1000


def upgrade() -> None:
    op.add_column("series", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    for owner, name, tag, column in _NAMES:
        op.create_table(
            name,
            sa.Column("tag", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("sound", Text, nullable=False),
            sa.Column("owner_fk", Identity, nullable=False),
            sa.ForeignKeyConstraint(
                ["owner_fk"], [f"{owner}.id"], name=op.f(f"fk_{name}_owner_fk_{owner}"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("tag", "sound", "owner_fk", name=op.f(f"pk_{name}")),
        )
        op.create_index(op.f(f"ix_{name}_owner_fk"), name, ["owner_fk"])
        _fill(owner, name, tag, column)
    op.create_table(
        "series_documents",
        sa.Column("series_fk", Identity, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("digest", Text, server_default="", nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_fk"],
            ["series.id"],
            name=op.f("fk_series_documents_series_fk_series"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("series_fk", name=op.f("pk_series_documents")),
    )


def _fill(owner: str, name: str, tag: int, column: str) -> None:
    """For what is there already, a page at a time."""
    target = sa.table(name, sa.column("tag"), sa.column("sound"), sa.column("owner_fk"))
    for page in _pages(owner, column):
        rows = [
            {"tag": tag, "sound": sound, "owner_fk": row[0]}
            for row in page
            for sound in sorted(sounds.of_all(row[1:]))
        ]
        if rows:
            op.get_bind().execute(sa.insert(target), rows)


def _pages(owner: str, column: str) -> Iterator[Iterable[sa.Row[tuple[int, str, str, str]]]]:
    source = sa.table(owner, sa.column("id"), *(sa.column(f"{column}_{group}") for group in "aip"))
    last = 0
    while True:
        page = (
            op.get_bind()
            .execute(sa.select(source).where(source.c.id > last).order_by(source.c.id).limit(_PAGE))
            .all()
        )
        if not page:
            return
        yield page
        last = page[-1][0]


def downgrade() -> None:
    op.drop_table("series_documents")
    for _, name, _, _ in _NAMES:
        op.drop_table(name)
    with op.batch_alter_table("series") as batch:
        batch.drop_column("revision")

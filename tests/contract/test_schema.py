"""The schema equals the sum of the migrations, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pacs.db import migrate
from pacs.db.schema import metadata
from pacs.runtime import Archive


def test_schema_is_the_sum_of_the_migrations(archive: Archive) -> None:
    with archive.stores.db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(archive: Archive) -> None:
    migrate.upgrade(archive.stores.db)
    migrate.upgrade(archive.stores.db)


def test_the_newest_migration_is_known_without_alembic() -> None:
    assert migrate.newest() == migrate.HEAD

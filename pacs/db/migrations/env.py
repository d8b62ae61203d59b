"""Alembic's entry: `pacs.db.migrate` hands over a connection that is already in a transaction."""

from alembic import context

from pacs.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()

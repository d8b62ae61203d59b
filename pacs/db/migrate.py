"""Bring the database to the schema this version needs (Alembic)."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from pacs.db.connection import Database
from pacs.errors import Unavailable

_HERE = Path(__file__).parent / "migrations"
_LOCK = 0x48494C554D  # any number that nobody else on the server is likely to lock


def upgrade(db: Database) -> None:
    """Apply what is missing. Safe to call from many processes at once: one works, the others wait.

    Raises Unavailable when the database is newer than this version of the archive."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with db.read() as tx:
        if _current(tx) == head:
            return
    with db.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        current = _current(tx)
        if current == head:
            return
        if current is not None and current not in _known():
            raise Unavailable(
                f"the index is at schema {current}, which this version does not know",
                hint="it was written by a newer version of the archive; install that version",
            )
        config = _config()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return config


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _current(tx: sa.Connection) -> str | None:
    return MigrationContext.configure(tx).get_current_revision()

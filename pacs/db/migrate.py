"""Bring the database to the schema this version needs (Alembic)."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from pacs.db.connection import Database
from pacs.errors import Unavailable

if TYPE_CHECKING:  # a tenth of the time a process takes to start, and needed once in a while
    from alembic.config import Config

_HERE = Path(__file__).parent / "migrations"
HEAD: Final = max(path.name[:4] for path in (_HERE / "versions").glob("[0-9]*.py"))
"""The newest migration: each file begins with its number, which is its revision."""
_LOCK = 0x48494C554D  # any number that nobody else on the server is likely to lock


def upgrade(db: Database) -> None:
    """Apply what is missing. Safe to call from many processes at once: one works, the others wait.

    Raises Unavailable when the database is newer than this version of the archive."""
    with db.read() as tx:
        if _current(tx) == HEAD:
            return
    with db.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        current = _current(tx)
        if current != HEAD:
            _upgrade(tx, current)


def newest() -> str | None:
    """What `HEAD` has to be."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def _upgrade(tx: sa.Connection, current: str | None) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    scripts = ScriptDirectory.from_config(config)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise Unavailable(
            f"the index is at schema {current}, which this version does not know",
            hint="it was written by a newer version of the archive; install that version",
        )
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return config


def _current(tx: sa.Connection) -> str | None:
    if not sa.inspect(tx).has_table(_VERSIONS.name):
        return None
    return tx.execute(sa.select(_VERSIONS.c.version_num)).scalar()


_VERSIONS: Final = sa.table("alembic_version", sa.column("version_num", sa.String))

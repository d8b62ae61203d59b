"""Tokens that the archive gives to others for one purpose and one time: known by their digest only,
in the index, so that every process knows them and nobody can make one."""

import secrets
from typing import Final

import sqlalchemy as sa

from pacs import clock
from pacs.auth import tokens
from pacs.auth.actor import Actor, Scope
from pacs.db import schema
from pacs.db.connection import Database

# No configured token begins so: its alphabet has no dot.
PREFIX: Final = "hilum-run."
_g = schema.grants.c


def is_one(token: str) -> bool:
    """Whether it has the form of a granted token; who may use it stands in the index."""
    return token.startswith(PREFIX)


def issue(tx: sa.Connection, name: str, scope: Scope, until_ns: int) -> str:
    """A new token for `name`, good until then. It is not kept: who loses it needs another."""
    token = PREFIX + secrets.token_urlsafe(32)
    tx.execute(
        sa.insert(schema.grants),
        {
            "hash": tokens.hash_of(token),
            "name": name,
            "study_uid": scope.study,
            "run": scope.run,
            "until_ns": until_ns,
        },
    )
    return token


def end(tx: sa.Connection, run: str, until_ns: int) -> None:
    """No token of the run is good for longer."""
    tx.execute(
        sa.update(schema.grants).where(_g.run == run, _g.until_ns > until_ns).values(until_ns=until_ns)
    )


def any_expired(tx: sa.Connection) -> bool:
    return tx.execute(sa.select(_g.hash).where(_g.until_ns <= clock.now_ns()).limit(1)).first() is not None


def purge(tx: sa.Connection) -> int:
    """Remove what has expired; returns how many."""
    return tx.execute(sa.delete(schema.grants).where(_g.until_ns <= clock.now_ns())).rowcount


class Grants:
    """Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def actor(self, token: str, origin: str) -> Actor | None:
        """Who shows the token; None for one that was never given or is good no more. Raises
        Unavailable."""
        # The digest is looked up, not compared: what the time taken tells of it says nothing of the token.
        with self._db.read() as tx:
            row = tx.execute(sa.select(schema.grants).where(_g.hash == tokens.hash_of(token))).first()
        if row is None or row.until_ns <= clock.now_ns():
            return None
        return Actor(row.name, frozenset(), origin, "dicomweb", Scope(row.study_uid, row.run))

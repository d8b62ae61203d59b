"""A Query becomes SQL."""

from pacs.query.compile.away import away
from pacs.query.compile.rows import Position, Row, count, documents, fetch, select

__all__ = ["Position", "Row", "away", "count", "documents", "fetch", "select"]

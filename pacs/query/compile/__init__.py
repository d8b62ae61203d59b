"""A Query becomes SQL."""

from pacs.query.compile.rows import Position, Row, count, documents, fetch, select

__all__ = ["Position", "Row", "count", "documents", "fetch", "select"]

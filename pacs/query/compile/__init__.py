"""A Query becomes SQL."""

from pacs.query.compile.rows import Position, Row, documents, fetch, select

__all__ = ["Position", "Row", "documents", "fetch", "select"]

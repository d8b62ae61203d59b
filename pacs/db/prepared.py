"""Statements that run for every object that arrives: compiled once, then handed to the driver as text.

SQLAlchemy's own way costs each execution several times what SQLite does for it; that is nothing for a
search and half of the time of an arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

_PLAIN: Final = (sa.Integer, sa.String, sa.LargeBinary, sa.types.NullType)
_PARAMETERS: Final = {"sqlite": "qmark", "postgresql": "format"}


@dataclass(frozen=True, slots=True)
class _Text:
    sql: str
    names: tuple[str, ...]  # of the parameters, in their order
    fixed: Mapping[str, Any]  # those that the statement brings along


class Prepared:
    """A statement and its parameters by name. Their types are plain: numbers, text and bytes, which
    both drivers take as they are.

    An INSERT fills the columns that the first values given to it name, and every later one these."""

    def __init__(self, statement: sa.Executable, **others: sa.Executable) -> None:
        """`others` are for the dialects of these names, where they need another statement."""
        self._statements = {"": statement, **others}
        self._texts: dict[str, _Text] = {}

    def run(self, tx: sa.Connection, values: Mapping[str, Any]) -> sa.CursorResult[Any]:
        text = self._texts.get(tx.dialect.name) or self._compile(tx.dialect, values)
        if len(values) + len(text.fixed) != len(text.names):
            raise ValueError(f"the values do not fit the parameters {', '.join(text.names)}")
        fixed = text.fixed
        return tx.exec_driver_sql(
            text.sql, tuple([fixed[name] if name in fixed else values[name] for name in text.names])
        )

    def _compile(self, dialect: sa.Dialect, values: Mapping[str, Any]) -> _Text:
        statement: Any = self._statements.get(dialect.name, self._statements[""])
        kind: Any = type(dialect)
        compiled = statement.compile(
            dialect=kind(paramstyle=_PARAMETERS[dialect.name]),
            column_keys=list(values) if isinstance(statement, sa.Insert) else None,
        )
        names = tuple(compiled.positiontup or ())
        bound = {name: compiled.binds[name] for name in names}
        if not all(isinstance(one.type, _PLAIN) for one in bound.values()):
            raise TypeError("a parameter is of no plain type")
        fixed = {name: one.value for name, one in bound.items() if not one.required}
        text = self._texts[dialect.name] = _Text(str(compiled), names, fixed)
        return text

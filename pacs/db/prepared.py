"""Statements that run for every object that arrives: compiled once, then handed to the driver as text.

SQLAlchemy's own way costs each execution several times what SQLite does for it; that is nothing for a
search and half of the time of an arrival.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

_PLAIN: Final = (sa.Integer, sa.String, sa.LargeBinary, sa.types.NullType)
_PARAMETERS: Final = {"sqlite": "qmark", "postgresql": "format"}


@dataclass(frozen=True, slots=True)
class _Text:
    sql: str
    parameters: Callable[[Mapping[str, Any]], tuple[Any, ...]]  # in their order, from values by name
    count: int  # of these values
    row: list[Callable[..., Any]] = field(default_factory=list)  # of what it gives, once that is known


class Prepared:
    """A statement and its parameters by name. Their types are plain: numbers, text and bytes, which
    both drivers take as they are.

    An INSERT fills the columns that the first values given to it name, and every later one these."""

    def __init__(self, statement: sa.Executable, **others: sa.Executable) -> None:
        """`others` are for the dialects of these names, where they need another statement."""
        self._statements = {"": statement, **others}
        self._texts: dict[str, _Text] = {}

    def one(self, tx: sa.Connection, values: Mapping[str, Any]) -> Any:
        """The first row, by the names of its columns; None when there is none."""
        found = self.run(tx, values)
        return found[0] if found else None

    def run(self, tx: sa.Connection, values: Mapping[str, Any]) -> list[Any]:
        """All rows, as named tuples."""
        text = self._texts.get(tx.dialect.name) or self._compile(tx.dialect, values)
        if len(values) != text.count:
            raise ValueError(f"the values {', '.join(values)} do not fit the {text.count} parameters")
        if not tx.in_transaction():
            tx.begin()
        connection: Any = tx.connection.dbapi_connection
        if connection is None:
            raise sa.exc.InvalidRequestError("the connection is closed")
        try:
            cursor = connection.execute(text.sql, text.parameters(values))
            if cursor.description is None:
                return []
            rows = cursor.fetchall()
        except tx.dialect.loaded_dbapi.Error as error:
            raise translated(tx, text.sql, error) from error
        if not text.row:
            text.row.append(namedtuple("Row", [column[0] for column in cursor.description], rename=True))  # noqa: PYI024 - its fields are the statement's
        return [text.row[0](*row) for row in rows]

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
        text = self._texts[dialect.name] = _Text(
            str(compiled), _ordered(names, fixed), len(names) - len(fixed)
        )
        return text


def translated(tx: sa.Connection, sql: str, error: Any) -> BaseException:
    """The driver's error as SQLAlchemy's, as whoever executes through SQLAlchemy gets it."""
    driver = tx.dialect.loaded_dbapi.Error
    broken = tx.dialect.is_disconnect(error, tx.connection.dbapi_connection, None)
    made: BaseException = sa.exc.DBAPIError.instance(
        sql, None, error, driver, connection_invalidated=broken, dialect=tx.dialect
    )
    return made


def _ordered(
    names: tuple[str, ...], fixed: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if fixed or len(names) < 2:
        return lambda values: tuple([fixed[name] if name in fixed else values[name] for name in names])
    return itemgetter(*names)

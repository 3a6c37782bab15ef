"""Statements of the hot path, compiled once."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, TextClause, Update, bindparam, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql import column


class Prepared:
    """A statement that is the same at each execution but for its values.

    SQLAlchemy looks a statement up in its cache part by part, writes an IN list anew each time and wraps its rows: for
    the permits of a group that took longer than their execution. Values go to the driver as they are, moments as
    numbers, and its errors come as they are.
    """

    def __init__(self, statement: Update | Select[Any] | TextClause, *parameters: str) -> None:
        """`parameters`: the names of those that change."""
        self._statement = statement
        self._blank = dict.fromkeys(parameters)
        self._known: dict[str, tuple[str, Sequence[str], Mapping[str, Any]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Execute it with these values, by the names of its parameters. Returns the rows, if it has any.

        Raises the driver's own errors.
        """
        cursor = self._execute(connection, values)
        return cursor.fetchall() if cursor.description else ()

    def count(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """The same. Returns how many rows it changed."""
        return int(self._execute(connection, values).rowcount)

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        dialect = connection.dialect
        text, order, fixed = self._known.get(dialect.name) or self._compile(dialect)
        named = {**fixed, **values}
        cursor = connection.connection.cursor()
        cursor.execute(text, tuple([named[name] for name in order]))
        return cursor

    def _compile(self, dialect: Dialect) -> tuple[str, Sequence[str], Mapping[str, Any]]:
        made = self._statement.compile(dialect=dialect).construct_expanded_state(self._blank)
        return self._known.setdefault(dialect.name, (made.statement, made.positiontup or (), made.parameters))


def those_of(name: str) -> Select[Any]:
    """The numbers of a parameter that is a JSON list of them: one text for lists of any length."""
    return select(column("value")).select_from(func.json_each(bindparam(name)))

"""Rows of statements of our own as instances of models.

Django's query sets build their SQL anew each time, 0.5 ms for a join of two tables, and load whole rows with
it; where an alert waits, the statement is written out and this makes of its rows what a query set would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class Selection(Generic[M]):
    """Some columns of a model, all unless named: how a statement asks for them, and what it makes of them.

    Columns by name, never `*`: a column that is added later would break a prepared statement.
    """

    def __init__(self, model: type[M], *names: str) -> None:
        fields = [field for field in model._meta.concrete_fields if not names or field.name in names]
        self._model = model
        self._names = [field.attname for field in fields]
        self._columns = [str(field.column) for field in fields]
        found = enumerate(getattr(field, "from_db_value", None) for field in fields)
        self._converters = [(place, convert) for place, convert in found if convert is not None]
        self.width = len(fields)

    def of(self, alias: str) -> str:
        """The columns, for a `SELECT` in which the table is called `alias`."""
        return ", ".join(f'{alias}."{column}"' for column in self._columns)

    def instance(self, row: Sequence[Any], start: int = 0) -> M:
        """The instance that the columns from `start` on describe; fields left out load when asked for."""
        values = list(row[start : start + self.width])
        for place, convert in self._converters:
            values[place] = convert(values[place], None, connection)
        return self._model.from_db(connection.alias, self._names, values)


def rows_of(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """Every row of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

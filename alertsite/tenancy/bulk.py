"""Many rows in one statement, as one JSON document.

`bulk_create` prepares and quotes each value in Python: 190 µs for an alert with its transition, measured; one
document costs a tenth of that. It is for rows whose columns are all plain: no defaults made by the database,
no encrypted fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from django.db import connection, models


class Writes:
    """Rows of several tables, written by one statement: for PostgreSQL and for us most of the cost of a small
    write is the statement. No row may be written twice, and none sees what the others write.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._values: list[Any] = []

    def insert(self, rows: Sequence[models.Model]) -> None:
        """Insert rows of one model, in order; keys that the database makes are not read back."""
        if rows:
            self.insert_documents(type(rows[0]), [document_of(row) for row in rows])

    def insert_documents(self, model: type[models.Model], documents: Sequence[dict[str, Any]]) -> None:
        """As `insert`, for rows that are documents already, all with the same columns."""
        if not documents:
            return
        table = model._meta.db_table
        columns = ", ".join(f'"{column}"' for column, _ in _columns(model))
        self._parts.append(
            f'INSERT INTO "{table}" ({columns}) '  # noqa: S608 (names of our own tables)
            f'SELECT {columns} FROM json_populate_recordset(NULL::"{table}", %s::json)'
        )
        self._values.append(as_document(documents))

    def update(self, rows: Sequence[models.Model], fields: Sequence[str]) -> None:
        """Write these fields of rows of one model, found by their keys. Called for rows of one tenant."""
        if not rows:
            return
        model = type(rows[0])
        table, key = model._meta.db_table, str(model._meta.pk.column)
        columns = [str(model._meta.get_field(name).column) for name in fields]  # type: ignore[union-attr]
        changes = ", ".join(f'"{column}" = wanted."{column}"' for column in columns)
        documents = [{column: getattr(row, column) for column in (key, *columns)} for row in rows]
        # The keys are said twice: of a document the planner knows nothing, and would read the whole table.
        self._parts.append(
            f'UPDATE "{table}" held SET {changes} '  # noqa: S608 (names of our own tables)
            f'FROM json_populate_recordset(NULL::"{table}", %s::json) wanted '
            f'WHERE held."{key}" = wanted."{key}" AND held."{key}" = ANY(%s)'
        )
        self._values += [as_document(documents), [row.pk for row in rows]]

    def delete(self, rows: Sequence[models.Model]) -> None:
        """Delete rows of one model to which nothing refers."""
        if not rows:
            return
        meta = type(rows[0])._meta
        self._parts.append(f'DELETE FROM "{meta.db_table}" WHERE "{meta.pk.column}" = ANY(%s)')  # noqa: S608
        self._values.append([row.pk for row in rows])

    def store(self) -> None:
        """Send what was gathered."""
        if not self._parts:
            return
        statement = self._parts[0]
        if len(self._parts) > 1:
            named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(self._parts))
            statement = f"WITH {named} SELECT"
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values)


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model, in order; keys that the database makes are not read back."""
    writes = Writes()
    writes.insert(rows)
    writes.store()


def document_of(row: models.Model) -> dict[str, Any]:
    """A row's columns and values, without a key that the database makes."""
    return {column: getattr(row, attribute) for column, attribute in _columns(type(row))}


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write these fields of rows of one model, found by their keys. Called for rows of one tenant."""
    writes = Writes()
    writes.update(rows, fields)
    writes.store()


def as_document(values: Sequence[dict[str, Any]]) -> str:
    """Rows as a JSON array for `json_populate_recordset` and `json_to_recordset`."""
    return orjson.dumps(values).decode()


@cache
def _columns(model: type[models.Model]) -> list[tuple[str, str]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    return [(str(field.column), field.attname) for field in fields]

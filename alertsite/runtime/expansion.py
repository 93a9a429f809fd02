"""Whether the previous release's workers can go on with a new schema: it may grow, and nothing else.

In: two schemas, as tables of columns. Out: every change that an older process would trip over, in words.
What SQL of its own a migration runs is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

_SAME_TO_OLD_CODE: Final = {("integer", "bigint"), ("smallint", "integer"), ("smallint", "bigint")}
"""Types that an older process reads and writes as before, from and to."""


class Column(BaseModel):
    """A column. `filled` is whether the database has a value for it when an INSERT does not name it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    nullable: bool
    filled: bool
    unique: bool = False


class Table(BaseModel):
    """A table: its columns and the names of its constraints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Mapping[str, Column]
    constraints: frozenset[str] = frozenset()


class Schema(BaseModel):
    """What a release's code knows of the database. `migrations` are `app.name`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    migrations: frozenset[str]
    tables: Mapping[str, Table]


def obstacles(before: Schema, after: Schema) -> list[str]:
    """What stands in the way of running code of `before` on the schema `after`; empty when nothing does."""
    return [
        found
        for name, table in sorted(before.tables.items())
        for found in _of_table(name, table, after.tables.get(name))
    ]


def _of_table(name: str, before: Table, after: Table | None) -> Iterator[str]:
    if after is None:
        yield f"{name}: the table is gone or renamed"
        return
    for column, was in sorted(before.columns.items()):
        yield from _of_column(f"{name}.{column}", was, after.columns.get(column))
    for column, added in sorted(after.columns.items()):
        if column not in before.columns and not (added.nullable or added.filled):
            yield f"{name}.{column}: added, and neither nullable nor with a database default"
    for constraint in sorted(after.constraints - before.constraints):
        yield f"{name}: constraint {constraint} is new, and older code may break it"


def _of_column(name: str, was: Column, now: Column | None) -> Iterator[str]:
    if now is None:
        yield f"{name}: the column is gone or renamed"
        return
    if was.type != now.type and not _is_wider(was.type, now.type):
        yield f"{name}: {was.type} became {now.type}"
    if was.nullable and not now.nullable:
        yield f"{name}: no longer nullable"
    if was.filled and not (now.filled or now.nullable):
        yield f"{name}: its database default is gone"
    if now.unique and not was.unique:
        yield f"{name}: unique now"


def _is_wider(was: str, now: str) -> bool:
    if (was, now) in _SAME_TO_OLD_CODE or (was.startswith("varchar(") and now == "text"):
        return True
    sizes = [kind.removeprefix("varchar(").removesuffix(")") for kind in (was, now)]
    return all(size.isdigit() for size in sizes) and int(sizes[0]) <= int(sizes[1])

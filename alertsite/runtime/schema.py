"""The schema that the migrations of this code make, read without a database; stored one file a release."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.db import connection
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, Field

from alertsite.core.errors import PlatformError
from alertsite.runtime.expansion import Column, Schema, Table
from alertsite.runtime.topology import CODE

SCHEMAS: Final = CODE / "deploy" / "schema"


class UnknownRelease(PlatformError):
    """No schema of that release is stored."""

    code = "release.unknown"


def schema_of_migrations(release: str) -> Schema:
    """What all migrations of this code come to."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    models = loader.project_state(loader.graph.leaf_nodes()).apps.get_models(include_auto_created=True)
    return Schema(
        release=release,
        migrations=frozenset(".".join(key) for key in loader.disk_migrations),
        tables={model._meta.db_table: _table(model) for model in models if not model._meta.proxy},
    )


def unjudged(before: Schema) -> list[str]:
    """Operations since a release whose effect no comparison of schemas shows."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return [
        f"{app}.{name}: {type(operation).__name__} is not judged"
        for (app, name), migration in sorted(loader.disk_migrations.items())
        if f"{app}.{name}" not in before.migrations
        for operation in migration.operations
        if isinstance(operation, RunSQL | RunPython)
    ]


def store(schema: Schema, directory: Path) -> Path:
    """Write a release's schema where `stored` finds it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{schema.release}.json"
    told = schema.model_dump_json(indent=1)
    path.write_text(told + "\n", encoding="utf-8")
    return path


def stored(release: str, directory: Path) -> Schema:
    """The schema of a release.

    Raises
    ------
    UnknownRelease
    """
    path = directory / f"{release}.json"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in directory.glob("*.json"))) or "none"
        raise UnknownRelease(f"no schema of release {release!r} in {directory}, known: {known}")
    return Schema.model_validate_json(path.read_text(encoding="utf-8"))


def _table(model: Any) -> Table:
    return Table(
        columns={field.column: _column(field) for field in model._meta.local_concrete_fields},
        constraints=frozenset(one.name for one in model._meta.constraints)
        | {f"unique {', '.join(names)}" for names in model._meta.unique_together},
    )


def _column(field: Field[Any, Any]) -> Column:
    return Column(
        type=field.db_type(connection) or "",
        nullable=field.null,
        filled=field.db_default is not NOT_PROVIDED
        or getattr(field, "generated", False)
        or field.primary_key,
        unique=field.unique,
    )

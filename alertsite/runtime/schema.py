"""The schema that the migrations of this code make, or made at a release, read without a database.

A migration that was released is never edited, so the names of a release's migrations say what its schema was:
git knows them at each tag. Where there is no git, a file says them that the release stored.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import connection
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, Field

from alertsite.core.errors import PlatformError
from alertsite.runtime.expansion import Column, Schema, Table
from alertsite.runtime.topology import CODE

SCHEMAS: Final = CODE / "deploy" / "schema"
_MIGRATION: Final = re.compile(r"/migrations/\d{4}_\w+\.py$")


class UnknownRelease(PlatformError):
    """The schema of that release is neither stored nor in git."""

    code = "release.unknown"


def schema_of_migrations(release: str) -> Schema:
    """What all migrations of this code come to."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return _schema(release, loader, list(loader.disk_migrations))


def schema_at(revision: str) -> Schema:
    """What the migrations come to that stood in git at a tag, branch or commit. Those of packages that the
    platform uses are taken as they are installed now.

    Raises
    ------
    UnknownRelease
        If git does not know it, or this is no checkout.
    """
    names = set(_files_at(revision))
    loader = MigrationLoader(None, ignore_no_migrations=True)
    files = {key: _file_of(key) for key in loader.disk_migrations}
    gone = {name for name in names if _MIGRATION.search(name)} - set(files.values())
    if gone:
        raise UnknownRelease(f"{revision} had migrations that are gone or renamed: {', '.join(sorted(gone))}")
    had = [key for key, file in files.items() if file is None or file in names]
    return _schema(revision, loader, had)


def _files_at(revision: str) -> list[str]:
    if revision.startswith("-"):
        raise UnknownRelease(f"{revision!r} is no name of a release")
    try:
        listed = subprocess.run(  # noqa: S603 (our own program and arguments)
            ["git", "ls-tree", "-r", "--name-only", "--full-tree", revision],  # noqa: S607 (the user's git)
            cwd=CODE, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise UnknownRelease(f"there is no git to ask for {revision!r}") from None
    except subprocess.CalledProcessError as error:
        raise UnknownRelease(f"git does not know {revision!r}: {error.stderr.strip()[:200]}") from None
    return listed.stdout.splitlines()


def _file_of(key: tuple[str, str]) -> str | None:
    """Where a migration stands in the checkout; None for those of packages."""
    directory = Path(apps.get_app_config(key[0]).path)
    if not directory.is_relative_to(CODE) or "site-packages" in directory.parts:
        return None
    return str(directory.relative_to(CODE) / "migrations" / f"{key[1]}.py")


def _schema(release: str, loader: MigrationLoader, migrations: list[tuple[str, str]]) -> Schema:
    models = loader.project_state(migrations).apps.get_models(include_auto_created=True)
    return Schema(
        release=release,
        migrations=frozenset(".".join(key) for key in migrations),
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
    """The schema of a release: as it was stored, else as git has its migrations.

    Raises
    ------
    UnknownRelease
    """
    path = directory / f"{release}.json"
    if not path.is_file():
        return schema_at(release)
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

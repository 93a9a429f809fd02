"""Restore drills: a backup is restored beside the live database, and what must be true is checked there.

In: the directory of a backup. Out: each check with what it found, and how long restoring took. The scratch
database is dropped whatever happens; the live one is only asked where its server is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from alertsite.audit.services import first_break
from alertsite.core.clock import Clock
from alertsite.core.labels import METRIC_NAME, label_set
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.series.protocols import SampleBatch
from rules.services.backing import DUMP, BackupFailed, count_rows, read_manifest, run_program
from rules.services.operators import operators_tenant
from rules.services.stores import hot_store

SUCCESS: Final = "backup_restore_drill_success"
SECONDS: Final = "backup_restore_drill_seconds"
_LEDGER: Final = {
    "every tick has an outcome for each of its rules": """
        SELECT count(*) FROM rules_ledgerentry entry
        JOIN rules_shardlayout layout ON layout.id = entry.layout_id
        WHERE entry.skipped_reason = '' AND octet_length(entry.outcomes) <> cardinality(layout.rule_ids)
    """,
    "no tick was evaluated before it was due": """
        SELECT count(*) FROM rules_ledgerentry WHERE started_at < due_at OR finished_at < started_at
    """,
    "every message has ended or is due": """
        SELECT count(*) FROM rules_outboxmessage WHERE NOT (
            status = 'due' OR (status = 'delivered' AND delivered_at IS NOT NULL)
            OR (status IN ('dead', 'cancelled') AND cause <> '')
        )
    """,
}
"""What is asked of the restored rows; each counts those that break it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `fault` is empty when it holds."""

    check: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return not any(finding.fault for finding in self.findings)


def drill(directory: Path, clock: Clock) -> Drill:
    """Restore a backup into a scratch database and check it.

    Raises
    ------
    BackupFailed
        If the dump is not what was written, or cannot be restored.
    """
    manifest = read_manifest(directory)
    began_ms = clock.now_ms()
    with _scratch() as name:
        form = ("--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={name}")
        run_program("pg_restore", [*form, str(directory / DUMP)], database=name)
        seconds = (clock.now_ms() - began_ms) / 1000
        with _connected_to(name), platform_scope():
            findings = tuple(_findings(manifest.rows))
    return Drill(findings, seconds)


def publish(done: Drill, clock: Clock) -> int:
    """Write the drill's series for the tenant that watches the platform's own machine. Samples taken."""
    tenant_id = operators_tenant()
    if tenant_id is None:
        return 0
    now_ms = clock.now_ms()
    batch = SampleBatch(
        [label_set({METRIC_NAME: SUCCESS}), label_set({METRIC_NAME: SECONDS})],
        np.arange(2),
        np.full(2, now_ms, np.int64),
        np.array([float(done.passed), done.seconds]),
    )
    with tenant_scope(tenant_id):
        return hot_store(tenant_id).append(batch, now_ms=now_ms).accepted


def _findings(expected: Mapping[str, int]) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        counted = count_rows(cursor)
        differing = [
            f"{table} has {counted.get(table)} rows instead of {rows}"
            for table, rows in sorted(expected.items())
            if counted.get(table) != rows
        ]
        yield Finding("every table has the rows that were counted", "; ".join(differing))
        for check, query in _LEDGER.items():
            cursor.execute(query)
            broken = cursor.fetchone()[0]
            yield Finding(check, f"{broken} rows break it" if broken else "")
    for tenant_id in Tenant.objects.order_by("pk").values_list("pk", flat=True):
        yield _chain(tenant_id)
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    yield Finding("this code's schema is the dump's", f"{len(waiting)} migrations wait" if waiting else "")


def _chain(tenant_id: UUID) -> Finding:
    broken = first_break(tenant_id)
    fault = "" if broken is None else f"broken at event {broken}"
    return Finding(f"the audit chain of tenant {tenant_id} is whole", fault)


@contextmanager
def _scratch() -> Iterator[str]:
    """An empty database of a name that nobody has, dropped at the end."""
    name = f"alertsite_drill_{secrets.token_hex(6)}"
    terms: dict[str, Any] = {
        key: value
        for key, value in connection.get_connection_params().items()
        if key in {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}
    }
    with psycopg.connect(**terms, autocommit=True) as session:
        try:
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            role = terms.get("user")
            raise BackupFailed(f"role {role} may not create databases: ALTER ROLE {role} CREATEDB") from None
        try:
            yield name
        finally:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    """Let this thread's connection be one to another database of the server."""
    live = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = live

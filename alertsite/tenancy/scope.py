"""Which rows this process may see right now: one tenant's, every tenant's, or none.

PostgreSQL enforces it (row-level security on every tenant table, see `row_security`); this module tells the
session who is acting. Outside both context managers a session sees no tenant rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

NOBODY = ""
PLATFORM = "*"

_scope: ContextVar[str] = ContextVar("tenant_scope", default=NOBODY)

_SET = "SELECT set_config('alertsite.tenant', %s, false), set_config('alertsite.platform', %s, false)"


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """See and write rows of one tenant alone."""
    with _scoped(str(tenant_id)):
        yield


@contextmanager
def platform_scope() -> Iterator[None]:
    """See and write rows of every tenant: claiming work, authenticating, the operator's admin."""
    with _scoped(PLATFORM):
        yield


def stay_in_platform_scope() -> None:
    """Have a thread see every tenant's rows for good: called once, where the thread begins."""
    _scope.set(PLATFORM)


@contextmanager
def _scoped(scope: str) -> Iterator[None]:
    before = _scope.get()
    if before == scope:
        yield
        return
    token = _scope.set(scope)
    _tell(connection, scope)
    try:
        yield
    finally:
        _scope.reset(token)
        # Inside a broken transaction nothing can be said, and its rollback restores what was set before it.
        if not connection.needs_rollback:
            _tell(connection, before)


def _tell(wrapper: BaseDatabaseWrapper | Any, scope: str) -> None:
    """Set both variables, unless the connection is not open yet: then `connection_created` will."""
    if wrapper.connection is None:
        return
    with wrapper.cursor() as cursor:
        cursor.execute(_SET, ["", "on"] if scope == PLATFORM else [scope, ""])


def _on_connection_created(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _tell(connection, _scope.get())


def apply_to_new_connections() -> None:
    """Put every connection that opens, or comes out of the pool, into the scope of the moment."""
    connection_created.connect(_on_connection_created, dispatch_uid="tenancy.scope")

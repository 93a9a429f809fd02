"""Which rows this process may see right now: one tenant's, every tenant's, or none.

PostgreSQL enforces it (row-level security on every tenant table, see `row_security`); its session is told by
the next cursor that is opened (`alertsite.tenancy.database`). Outside both context managers that one sees no
tenant rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

NOBODY: Final = ""
PLATFORM: Final = "*"

_scope: ContextVar[str] = ContextVar("tenant_scope", default=NOBODY)


def current() -> str:
    """A tenant's key, `PLATFORM` or `NOBODY`."""
    return _scope.get()


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
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)

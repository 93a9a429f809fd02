"""PostgreSQL connections that tell their session who acts, and only when that has changed.

Row-level security asks the session for the scope of `alertsite.tenancy.scope`. Whoever opens a cursor sees
what the scope of that moment allows; a scope that follows the same one costs no statement.
"""

from __future__ import annotations

import select
from typing import Any, Final

from django.db.backends.postgresql import base

from alertsite.tenancy.scope import NOBODY, PLATFORM, current

_SET: Final = "SELECT set_config('alertsite.tenant', %s, false), set_config('alertsite.platform', %s, false)"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection, and the scope its session was told; None when a rollback may have undone that."""

    told: str | None = NOBODY

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A session that acts for nobody."""
        made = super().get_new_connection(conn_params)
        self.told = NOBODY
        return made

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor that sees what the scope of now allows."""
        self.tell()
        return super().create_cursor(name)

    def tell(self) -> None:
        """Tell the session the scope of now, unless it knows. In a broken transaction nothing can be said."""
        scope = current()
        if scope == self.told or self.connection is None or self.needs_rollback:
            return
        with super().create_cursor() as cursor:
            cursor.execute(_SET, ["", "on"] if scope == PLATFORM else [scope, ""])
        self.told = scope

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:
            self.tell()  # before the transaction, whose first statement may have to be another
        super()._set_autocommit(autocommit)  # type: ignore[misc] # the stubs leave it out

    def is_usable(self) -> bool:
        """Whether the server is there. It is asked only if something has come on an idle connection: a server
        that ends says so.
        """
        if self.connection is None:
            return False
        poll = select.poll()
        poll.register(self.connection.pgconn.socket, select.POLLIN)
        return not poll.poll(0) or bool(super().is_usable())

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc] # the stubs leave it out
        self.told = None

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc] # the stubs leave it out
        self.told = None

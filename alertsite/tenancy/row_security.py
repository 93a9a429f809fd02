"""Row-level security, the second of the three fences between tenants, as a migration operation."""

from __future__ import annotations

from django.db.migrations.operations.special import RunSQL

# The settings are read in sub-selects: once a statement, not once a row.
VISIBLE = """
    (SELECT current_setting('alertsite.platform', true) = 'on')
    OR {column} = (SELECT NULLIF(current_setting('alertsite.tenant', true), '')::uuid)
"""
_ENABLE = f"""
ALTER TABLE "{{table}}" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "{{table}}" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON "{{table}}" USING ({VISIBLE});
"""
_DISABLE = """
DROP POLICY tenant_isolation ON "{table}";
ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY;
ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY;
"""


class IsolateTenants(RunSQL):
    """Let a session see only the rows of the tenant it acts for.

    The table's owner is bound too (`FORCE`), since the application owns its tables.
    """

    def __init__(self, table: str, column: str = "tenant_id") -> None:
        super().__init__(
            _ENABLE.format(table=table, column=column),
            _DISABLE.format(table=table, column=column),
        )
        self.table = table
        self.column = column

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        """For the migration writer."""
        return type(self).__name__, [self.table, self.column], {}

    def describe(self) -> str:
        """For `migrate --plan`."""
        return f"Isolate the tenants in {self.table}"

"""Admin of rules, datasources, receivers, alerts, ledger, outbox, reports. A saved rule is a new version."""

from rules.admin import history, notifying, receivers, reports, rules, sources

__all__ = ["history", "notifying", "receivers", "reports", "rules", "sources"]

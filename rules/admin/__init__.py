"""Admin of rules, datasources, receivers, alerts, ledger, outbox, reports. A saved rule is a new version."""

from rules.admin import alerts, history, notifying, people, receivers, reports, routing, rules, sources

__all__ = ["alerts", "history", "notifying", "people", "receivers", "reports", "routing", "rules", "sources"]

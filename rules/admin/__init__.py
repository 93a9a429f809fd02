"""Admin of rules, datasources, receivers, alerts, ledger and outbox. Every save of a rule is a version."""

from rules.admin import history, notifying, people, receivers, rules, sources

__all__ = ["history", "notifying", "people", "receivers", "rules", "sources"]

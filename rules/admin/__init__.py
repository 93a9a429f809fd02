"""Admin of rules, datasources, receivers, alerts, ledger and outbox. Every save of a rule is a version."""

from rules.admin import alerts, history, notifying, people, receivers, routing, rules, sources

__all__ = ["alerts", "history", "notifying", "people", "receivers", "routing", "rules", "sources"]

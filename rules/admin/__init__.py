"""Admin of rules, datasources, receivers, alerts, ledger and outbox. Every save of a rule is a version."""

from rules.admin import history, receivers, rules, sources

__all__ = ["history", "receivers", "rules", "sources"]

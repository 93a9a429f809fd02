"""A tenant's rules as text for other tools. In: the tenant, a format of `rules.language.export`."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from rules.language.export import export_groups
from rules.language.rulefile import FileGroup, FileRule
from rules.models import Rule, RuleGroup

_OWN = (
    "severity",
    "category",
    "state",
    "recovery_expr",
    "no_data_policy",
    "error_policy",
    "alert_limit",
    "condition",
)


def export_rules(tenant_id: UUID, form: str) -> str:
    """Every group of the tenant, by name.

    Raises
    ------
    InvalidParameter
        If there is no such format.
    """
    return export_groups(rule_groups(tenant_id), form)


def rule_groups(tenant_id: UUID) -> list[FileGroup]:
    """The tenant's groups in the terms of rule files."""
    groups = RuleGroup.objects.for_tenant(tenant_id)
    return file_groups(groups)


def file_groups(groups: QuerySet[RuleGroup]) -> list[FileGroup]:
    """These groups in the terms of rule files, by name."""
    rows = groups.select_related("datasource").prefetch_related("rules__datasource").order_by("name")
    return [
        FileGroup(
            line=0,
            name=group.name,
            rules=[_file_rule(rule) for rule in sorted(group.rules.all(), key=lambda one: one.position)],
            interval_ms=group.interval_s * 1000,
            query_offset_ms=group.query_offset_s * 1000,
            limit=group.alert_limit,
            datasource=group.datasource.name if group.datasource else "",
        )
        for group in rows
    ]


def _file_rule(rule: Rule) -> FileRule:
    alerting = rule.kind == Rule.Kind.ALERTING
    own = {name: getattr(rule, name) for name in _OWN}
    if rule.condition is None:
        del own["condition"]
    if rule.datasource is not None:
        own["datasource"] = rule.datasource.name
    return FileRule(
        line=0,
        alert=rule.name if alerting else "",
        record="" if alerting else rule.name,
        expr=rule.expr,
        hold_for_ms=rule.hold_for_s * 1000,
        keep_firing_for_ms=rule.keep_firing_for_s * 1000,
        labels=rule.labels,
        annotations=rule.annotations,
        own=own,
    )

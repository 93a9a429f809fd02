"""Rules and alerts as Prometheus lists them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db.models import Prefetch

from rules.models import AlertInstance, Rule, RuleGroup

_HEALTH = {Rule.Health.OK: "ok", Rule.Health.ERROR: "err"}


def alerts_of(tenant_id: UUID) -> list[dict[str, Any]]:
    """Active alerts of a tenant."""
    rows = AlertInstance.objects.for_tenant(tenant_id).order_by("active_since", "id")
    return [_alert(row) for row in rows]


def groups_of(tenant_id: UUID, kind: str) -> list[dict[str, Any]]:
    """Groups with their active rules; of one kind, `alert` or `record`, when it is named."""
    active = Rule.objects.for_tenant(tenant_id).filter(state=Rule.State.ACTIVE).order_by("position", "id")
    if kind:
        active = active.filter(kind=Rule.Kind.ALERTING if kind == "alert" else Rule.Kind.RECORDING)
    firing: defaultdict[UUID, list[AlertInstance]] = defaultdict(list)
    for alert in AlertInstance.objects.for_tenant(tenant_id).order_by("active_since", "id"):
        firing[alert.rule_id].append(alert)
    groups = RuleGroup.objects.for_tenant(tenant_id).prefetch_related(Prefetch("rules", queryset=active))
    return [
        {
            "name": group.name,
            "file": "",
            "interval": group.interval_s,
            "limit": group.alert_limit,
            "rules": [_rule(rule, firing[rule.pk]) for rule in group.rules.all()],
        }
        for group in groups
    ]


def _rule(rule: Rule, alerts: list[AlertInstance]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": rule.name,
        "query": rule.expr,
        "labels": rule.labels,
        "health": _HEALTH.get(Rule.Health(rule.health), "unknown"),
        "type": rule.kind,
    }
    if rule.last_error:
        facts["lastError"] = rule.last_error
    if rule.kind == Rule.Kind.RECORDING:
        return facts
    states = {alert.state for alert in alerts}
    state = next((one for one in ("firing", "pending") if one in states), "inactive")
    return facts | {
        "state": state,
        "duration": rule.hold_for_s,
        "keepFiringFor": rule.keep_firing_for_s,
        "annotations": rule.annotations,
        "alerts": [_alert(alert) for alert in alerts],
    }


def _alert(alert: AlertInstance) -> dict[str, Any]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state,
        "activeAt": alert.active_since.isoformat(),
        "value": "" if alert.value is None else f"{alert.value:e}",
    }

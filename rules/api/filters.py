"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from rules.models import AlertInstance, AlertTransition, OutboxMessage, Rule


class RuleFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Rules."""

    class Meta:
        model = Rule
        fields = ["group", "kind", "state", "severity", "category", "health", "name"]


class AlertFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Active alerts. `label=name:value` may stand several times; all must match."""

    label = django_filters.CharFilter(method="with_labels", label="label name and value, as name:value")
    severity = django_filters.CharFilter(field_name="labels__severity")

    class Meta:
        model = AlertInstance
        fields = ["state", "rule"]

    def with_labels(self, rows: QuerySet[AlertInstance], _: str, __: str) -> QuerySet[AlertInstance]:
        """Alerts that carry every label asked for."""
        assert self.data is not None
        for pair in self.data.getlist("label"):
            name, _separator, value = pair.partition(":")
            rows = rows.filter(labels__contains={name: value})
        return rows


class TransitionFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Transitions."""

    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AlertTransition
        fields = ["rule", "state", "previous"]


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Messages of the outbox."""

    class Meta:
        model = OutboxMessage
        fields = ["status", "receiver"]

"""JSON shapes of rules, alerts and deliveries. Fields are named one by one; nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alertsite.core.durations import format_duration_ms, parse_duration_ms
from alertsite.core.errors import InvalidDuration, InvalidParameter
from rules.evaluation.outcomes import describe
from rules.language.sentences import said
from rules.models import (
    AlertInstance,
    AlertTransition,
    Datasource,
    DeliveryAttempt,
    LedgerEntry,
    OutboxMessage,
    Receiver,
    Rule,
    RuleGroup,
    RuleVersion,
    ToldAlert,
)
from rules.services import receivers
from rules.services.authoring import RuleDraft

MAX_DURATION_S = 366 * 86_400


@extend_schema_field({"type": "string", "example": "5m"})
class DurationField(serializers.Field):  # type: ignore[type-arg]
    """Whole seconds inside, Prometheus notation (`1m30s`) outside. A number is taken as seconds."""

    def to_internal_value(self, data: Any) -> int:
        """Seconds."""
        if isinstance(data, int) and not isinstance(data, bool):
            seconds, rest = data, 0
        else:
            try:
                seconds, rest = divmod(parse_duration_ms(str(data)), 1000)
            except InvalidDuration as error:
                raise serializers.ValidationError(str(error)) from None
        if rest or not 0 <= seconds <= MAX_DURATION_S:
            raise serializers.ValidationError(f"{data!r} is not a whole number of seconds from 0 to 366d")
        return seconds

    def to_representation(self, value: int) -> str:
        """Prometheus notation."""
        return format_duration_ms(value * 1000)


class TextsField(serializers.DictField):
    """A mapping of texts."""

    child = serializers.CharField(allow_blank=True, max_length=10_000)


def _datasource_field(context: Mapping[str, Any]) -> dict[str, Any]:
    """Choice among the tenant's datasources; none while the OpenAPI document is made."""
    grant = getattr(context.get("view"), "grant", None)
    nothing = Datasource.across_tenants.none()
    rows = nothing if grant is None else Datasource.objects.for_tenant(grant.tenant_id)
    return {"datasource": serializers.PrimaryKeyRelatedField(queryset=rows, required=False, allow_null=True)}


class RuleGroupSerializer(serializers.ModelSerializer[RuleGroup]):
    """A rule group."""

    interval = DurationField(source="interval_s", required=False)
    query_offset = DurationField(source="query_offset_s", required=False)

    class Meta:
        model = RuleGroup
        fields = ["id", "name", "interval", "query_offset", "alert_limit", "datasource", "created_at"]
        read_only_fields = ["id", "created_at"]

    def get_fields(self) -> dict[str, Any]:
        """The fields, with the datasources of the tenant."""
        return super().get_fields() | _datasource_field(self.context)


class RuleSerializer(serializers.ModelSerializer[Rule]):
    """A rule as people see it. Write either `expr` or `condition`."""

    group = serializers.PrimaryKeyRelatedField(queryset=RuleGroup.across_tenants.none())
    expr = serializers.CharField(required=False, allow_blank=True, max_length=65_536)
    condition = serializers.JSONField(required=False, allow_null=True)
    sentence = serializers.CharField(required=False, write_only=True, max_length=4000)
    """An anomaly in words, in place of a condition."""
    recovery_expr = serializers.CharField(required=False, allow_blank=True, max_length=65_536)
    keep_firing_for = DurationField(source="keep_firing_for_s", required=False)
    labels = TextsField(required=False)
    annotations = TextsField(required=False)
    warnings = serializers.ListField(child=serializers.DictField(), read_only=True, required=False)
    """What lint says, in the answer to a save."""

    class Meta:
        model = Rule
        fields = [
            "id",
            "group",
            "position",
            "kind",
            "name",
            "datasource",
            "expr",
            "condition",
            "sentence",
            "recovery_expr",
            "keep_firing_for",
            "severity",
            "category",
            "labels",
            "annotations",
            "no_data_policy",
            "error_policy",
            "alert_limit",
            "state",
            "version",
            "health",
            "last_error",
            "truncated",
            "updated_at",
            "warnings",
        ]
        read_only_fields = ["id", "version", "health", "last_error", "truncated", "updated_at"]

    def get_fields(self) -> dict[str, Any]:
        """The fields, with `for`, which is no name Python allows, and the groups of the tenant."""
        fields = super().get_fields() | _datasource_field(self.context)
        fields["for"] = DurationField(source="hold_for_s", required=False)
        grant = getattr(self.context.get("view"), "grant", None)
        if grant is not None:
            rows = RuleGroup.objects.for_tenant(grant.tenant_id)
            fields["group"] = serializers.PrimaryKeyRelatedField(queryset=rows)
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """With the condition that a sentence says."""
        sentence = attrs.pop("sentence", None)
        if sentence is None:
            return attrs
        try:
            understood = said(sentence)
        except InvalidParameter as error:
            raise serializers.ValidationError({"sentence": str(error)}) from None
        hold = {} if understood.hold_for_s is None else {"hold_for_s": understood.hold_for_s}
        return attrs | {"condition": understood.condition} | hold

    def draft(self, before: RuleDraft | None) -> RuleDraft:
        """The validated values as a draft, over what the rule was before."""
        values = {name: value for name, value in self.validated_data.items() if name != "group"}
        if "datasource" in values:
            named = values.pop("datasource")
            values["datasource_id"] = "" if named is None else str(named.pk)
        known = (
            {} if before is None else {name: getattr(before, name) for name in RuleDraft.__dataclass_fields__}
        )
        if values.get("expr") and "condition" not in values:
            known["condition"] = None
        if values.get("condition") is not None and "expr" not in values:
            known |= {"expr": "", "recovery_expr": ""}
        return RuleDraft(**known | {"state": known.get("state", Rule.State.ACTIVE)} | values)


class RuleVersionSerializer(serializers.ModelSerializer[RuleVersion]):
    """A rule as it was saved once."""

    class Meta:
        model = RuleVersion
        fields = ["version", "definition", "author", "created_at"]


class AlertSerializer(serializers.ModelSerializer[AlertInstance]):
    """An active alert."""

    class Meta:
        model = AlertInstance
        fields = [
            "id",
            "rule",
            "state",
            "labels",
            "annotations",
            "value",
            "active_since",
            "fired_at",
            "keep_firing_since",
            "origin",
            "source_url",
            "acknowledged_by",
            "acknowledged_at",
            "assignee",
            "snoozed_until",
            "closed_at",
            "flapping",
            "damped",
        ]


class TransitionSerializer(serializers.ModelSerializer[AlertTransition]):
    """One change of state, with the reason."""

    alert = serializers.UUIDField(source="alert_id")

    class Meta:
        model = AlertTransition
        fields = [
            "id",
            "alert",
            "rule",
            "rule_version",
            "previous",
            "state",
            "at",
            "labels",
            "annotations",
            "value",
            "trace",
        ]


class ReceiverSerializer(serializers.ModelSerializer[Receiver]):
    """Where notifications go. `secrets` are written, never read."""

    config = serializers.DictField(required=False)
    secrets = serializers.DictField(required=False, write_only=True)

    class Meta:
        model = Receiver
        fields = [
            "id",
            "name",
            "kind",
            "config",
            "secrets",
            "enabled",
            "send_resolved",
            "max_per_minute",
            "canary_every_s",
            "created_at",
        ]
        read_only_fields = ["id", "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Drop the secrets when kind or URL change: they are not for another server to see."""
        before = self.instance
        if isinstance(before, Receiver) and receivers.leads_elsewhere(
            before, attrs.get("kind", before.kind), attrs.get("config", before.config)
        ):
            attrs.setdefault("secrets", {})
        return attrs


class DatasourceSerializer(serializers.ModelSerializer[Datasource]):
    """Who may answer queries of rules. `secrets` are written, never read."""

    headers = TextsField(required=False)
    secrets = serializers.DictField(required=False, write_only=True)

    class Meta:
        model = Datasource
        fields = ["id", "name", "url", "auth", "secrets", "headers", "timeout_s", "enabled", "created_at"]
        read_only_fields = ["id", "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Drop the secrets when the URL changes: whoever may edit it must not learn them by sending them to
        a server of their own.
        """
        before = self.instance
        if isinstance(before, Datasource) and any(
            name in attrs and attrs[name] != getattr(before, name) for name in ("url", "auth")
        ):
            attrs.setdefault("secrets", {})
        return attrs


class ProbeSerializer(serializers.Serializer[Any]):
    """What a datasource said when it was tried."""

    ok = serializers.BooleanField()
    version = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    error = serializers.CharField()


class AttemptSerializer(serializers.ModelSerializer[DeliveryAttempt]):
    """One try to deliver."""

    class Meta:
        model = DeliveryAttempt
        fields = ["number", "started_at", "finished_at", "delivered", "outcome"]


class ToldSerializer(serializers.ModelSerializer[ToldAlert]):
    """A change of an alert that a message tells of."""

    alert = serializers.UUIDField(source="alert_id")
    state = serializers.CharField(source="transition.state")
    labels = serializers.JSONField(source="transition.labels")

    class Meta:
        model = ToldAlert
        fields = ["alert", "state", "labels"]


class MessageSerializer(serializers.ModelSerializer[OutboxMessage]):
    """A notification with its attempts."""

    told = ToldSerializer(many=True)
    history = AttemptSerializer(many=True)

    class Meta:
        model = OutboxMessage
        fields = [
            "id",
            "receiver",
            "group_key",
            "group_labels",
            "generation",
            "reason",
            "told",
            "status",
            "cause",
            "idempotency_key",
            "created_at",
            "next_attempt_at",
            "attempts",
            "delivered_at",
            "receipt",
            "history",
        ]


class TickSerializer(serializers.ModelSerializer[LedgerEntry]):
    """What became of one tick of one shard; `rules` maps rule ids to outcomes."""

    rules = serializers.SerializerMethodField()

    class Meta:
        model = LedgerEntry
        fields = [
            "shard",
            "due_at",
            "started_at",
            "finished_at",
            "data_as_of",
            "caught_up",
            "skipped_reason",
            "errors",
            "transition_count",
            "rules",
        ]

    def get_rules(self, entry: LedgerEntry) -> dict[str, str]:
        """Outcome of each rule, in words."""
        ids = entry.layout.rule_ids if entry.layout else []
        return {str(rule): word for rule, word in zip(ids, describe(bytes(entry.outcomes)), strict=False)}

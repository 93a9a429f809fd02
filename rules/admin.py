"""Admin of rules, receivers, alerts, ledger and outbox. Every save of a rule is a version."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.web.admin import ReadOnlyAdmin
from rules.evaluation.outcomes import describe
from rules.models import (
    AggregationGroup,
    AlertAction,
    AlertInstance,
    AlertTransition,
    DeliveryAttempt,
    Escalation,
    EscalationPolicy,
    EscalationStep,
    Feedback,
    GroupedAlert,
    Heartbeat,
    InboundHook,
    Incident,
    IncidentAlert,
    InhibitionRule,
    LedgerEntry,
    MuteTimeInterval,
    NotificationSettings,
    OnCallOverride,
    OnCallSchedule,
    OutboxMessage,
    Person,
    Receiver,
    Route,
    Rule,
    RuleGroup,
    RuleVersion,
    Silence,
    Suppression,
    Team,
    ToldAlert,
)
from rules.services import authoring, delivery, receivers
from rules.services.authoring import Author, InvalidRule, RuleDraft
from rules.services.backtesting import Trial, backtest

DAY_MS: Final = 86_400_000


def author_of(request: HttpRequest) -> Author:
    """Who saves, and when."""
    return Author(request.user.get_username(), to_datetime(SystemClock().now_ms()))


def pretty(value: Any) -> SafeString:
    """JSON to be read."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


class RuleInline(TabularInline):  # type: ignore[misc]
    model = Rule
    fields = ["name", "kind", "expr", "severity", "state", "health"]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Rules are made on their own page, which checks them."""
        return False


@admin.register(RuleGroup)
class RuleGroupAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "tenant", "interval_s", "query_offset_s", "alert_limit"]
    list_filter = ["tenant"]
    search_fields = ["name"]
    inlines = [RuleInline]

    def save_model(self, request: HttpRequest, obj: RuleGroup, form: Any, change: Any) -> None:  # noqa: ARG002
        authoring.save_group(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: RuleGroup) -> None:
        authoring.delete_group(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RuleGroup]) -> None:
        for group in queryset:
            authoring.delete_group(group, author_of(request))

    def get_readonly_fields(self, request: HttpRequest, obj: RuleGroup | None = None) -> list[str]:  # noqa: ARG002
        """A group stays with its tenant."""
        return ["tenant"] if obj else []


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks a rule as the API does, so that the fault stands at its field."""

    class Meta:
        model = Rule
        fields = ["group", *RuleDraft.__dataclass_fields__]

    def clean(self) -> dict[str, Any]:
        """Refuse what cannot be saved."""
        values = super().clean() or {}
        if self.errors:
            return values
        if values.get("condition") is not None and "expr" not in self.changed_data:
            values |= {"expr": "", "recovery_expr": ""}
        try:
            authoring.check_draft(self.draft(values))
        except InvalidRule as error:
            for name, reason in error.errors.items():
                field = name.partition(".")[0]
                self.add_error(field if field in self.fields else None, ValidationError(reason))
        return values

    def draft(self, values: dict[str, Any]) -> RuleDraft:
        """The form's values as a draft."""
        return RuleDraft(**{name: values[name] for name in RuleDraft.__dataclass_fields__})


class RuleVersionInline(TabularInline):  # type: ignore[misc]
    model = RuleVersion
    fields = readonly_fields = ["version", "author", "created_at", "definition"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Saving the rule adds."""
        return False


@admin.register(Rule)
class RuleAdmin(ModelAdmin):  # type: ignore[misc]
    form = RuleForm
    list_display = ["name", "group", "tenant", "kind", "severity", "state", "health", "version"]
    list_filter = ["tenant", "state", "health", "severity", "kind"]
    list_select_related = ["group", "tenant"]
    search_fields = ["name", "expr"]
    readonly_fields = ["version", "health", "last_error", "truncated", "updated_at"]
    fieldsets = [
        (None, {"fields": ["group", "name", "kind", "state", "severity", "category", "position"]}),
        ("Condition", {"fields": ["expr", "condition", "recovery_expr", "hold_for_s", "keep_firing_for_s"]}),
        ("What people are told", {"fields": ["labels", "annotations"]}),
        ("Policies", {"fields": ["no_data_policy", "error_policy", "alert_limit"]}),
        ("How it goes", {"fields": ["version", "health", "last_error", "truncated", "updated_at"]}),
    ]
    inlines = [RuleVersionInline]
    actions = ["activate", "pause", "archive", "backtest"]

    def save_model(self, request: HttpRequest, obj: Rule, form: RuleForm, change: Any) -> None:
        """Save as a version; the object on the page becomes the saved one."""
        group = form.cleaned_data["group"]
        before = Rule.across_tenants.get(pk=obj.pk) if change else None
        saved = authoring.save_rule(group, form.draft(form.cleaned_data), author_of(request), rule=before)
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        authoring.delete_rule(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        for rule in queryset.select_related("group"):
            authoring.delete_rule(rule, author_of(request))

    @admin.action(description="Activate")
    def activate(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._change_states(request, queryset, Rule.State.ACTIVE)

    @admin.action(description="Pause: their alerts resolve")
    def pause(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._change_states(request, queryset, Rule.State.PAUSED)

    @admin.action(description="Archive: their alerts resolve")
    def archive(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._change_states(request, queryset, Rule.State.ARCHIVED)

    @admin.action(description="Back-test over the last day")
    def backtest(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Tell, for each rule, what it would have done; nothing is changed."""
        now_ms = SystemClock().now_ms()
        for rule in queryset.select_related("group"):
            try:
                trial = Trial(now_ms - DAY_MS, now_ms, rule=rule)
                done = backtest(rule.tenant_id, trial, now_ms=now_ms).verdict.replay
            except PlatformError as error:
                messages.error(request, f"{rule.name}: {error}")
                continue
            messages.info(
                request,
                f"{rule.name}: {len(done.transitions)} transitions, {done.notifications} notifications, "
                f"{done.alert_minutes:g} alert minutes in {done.ticks} ticks",
            )

    def _change_states(self, request: HttpRequest, rules: QuerySet[Rule], state: str) -> None:
        for rule in rules.select_related("group"):
            authoring.change_state(rule, state, author_of(request))


class ReceiverForm(forms.ModelForm):  # type: ignore[type-arg]
    """Secrets can be set and never read; empty leaves them as they are."""

    new_secrets = forms.JSONField(
        required=False, help_text='As JSON, e.g. {"signing_key": "…"}. Empty: as before.'
    )

    class Meta:
        model = Receiver
        fields = ["tenant", "name", "kind", "config", "enabled"]

    def clean(self) -> dict[str, Any]:
        """Refuse a configuration that does not fit the kind."""
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            receivers.receiver_registry().open(
                values["kind"], values["config"] or {}, values["new_secrets"] or self.instance.secrets
            )
        except PlatformError as error:
            raise ValidationError(str(error)) from None
        return values


@admin.register(Receiver)
class ReceiverAdmin(ModelAdmin):  # type: ignore[misc]
    form = ReceiverForm
    list_display = ["name", "tenant", "kind", "enabled", "created_at"]
    list_filter = ["tenant", "kind", "enabled"]
    search_fields = ["name"]

    def save_model(self, request: HttpRequest, obj: Receiver, form: ReceiverForm, change: Any) -> None:  # noqa: ARG002
        obj.config = obj.config or {}
        if form.cleaned_data["new_secrets"]:
            obj.secrets = form.cleaned_data["new_secrets"]
        receivers.save_receiver(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Receiver) -> None:
        receivers.delete_receiver(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Receiver]) -> None:
        for receiver in queryset:
            receivers.delete_receiver(receiver, author_of(request))


@admin.register(AlertInstance)
class AlertInstanceAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "state", "tenant", "rule", "active_since", "fired_at", "value"]
    list_filter = ["tenant", "state"]
    list_select_related = ["tenant", "rule"]


@admin.register(AlertTransition)
class AlertTransitionAdmin(ReadOnlyAdmin):
    list_display = ["at", "alert_name", "previous", "state", "tenant", "value"]
    ordering = ["-at"]
    list_filter = ["tenant", "state", "at"]
    list_select_related = ["tenant"]
    fields = [
        "at",
        "alert_name",
        "previous",
        "state",
        "value",
        "rule",
        "rule_version",
        "shown_labels",
        "shown_annotations",
        "shown_trace",
        "told",
    ]
    readonly_fields = fields

    @admin.display(description="alert")
    def alert_name(self, row: AlertTransition) -> str:
        return str(row.labels.get("alertname", row.alert_id))

    @admin.display(description="labels")
    def shown_labels(self, row: AlertTransition) -> SafeString:
        return pretty(row.labels)

    @admin.display(description="annotations")
    def shown_annotations(self, row: AlertTransition) -> SafeString:
        return pretty(row.annotations)

    @admin.display(description="why")
    def shown_trace(self, row: AlertTransition) -> SafeString:
        return pretty(row.trace)

    @admin.display(description="who was told")
    def told(self, row: AlertTransition) -> SafeString:
        told = row.told.select_related("message__receiver")
        messages_ = [one.message for one in told]
        return pretty(
            {one.receiver.name: f"{one.status} {one.receipt or one.cause}".strip() for one in messages_}
        )


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["due_at", "tenant", "shard", "caught_up", "skipped_reason", "transition_count"]
    ordering = ["-due_at"]
    list_filter = ["tenant", "caught_up", "due_at"]
    list_select_related = ["tenant", "shard"]
    fields = ["due_at", "started_at", "finished_at", "caught_up", "skipped_reason", "rules", "errors"]
    readonly_fields = fields

    @admin.display(description="outcomes")
    def rules(self, row: LedgerEntry) -> SafeString:
        ids = row.layout.rule_ids if row.layout else []
        return pretty(
            {str(rule): word for rule, word in zip(ids, describe(bytes(row.outcomes)), strict=False)}
        )


class DeliveryAttemptInline(TabularInline):  # type: ignore[misc]
    model = DeliveryAttempt
    fields = readonly_fields = ["number", "started_at", "finished_at", "delivered", "outcome"]
    extra = 0
    can_delete = False


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "tenant", "receiver", "status", "attempts", "delivered_at", "cause"]
    ordering = ["-created_at"]
    list_filter = ["tenant", "status"]
    list_select_related = ["tenant", "receiver"]
    inlines = [DeliveryAttemptInline]
    actions = ["replay"]

    @admin.action(description="Send dead letters again", permissions=["view"])
    def replay(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        now = to_datetime(SystemClock().now_ms())
        count = sum(delivery.replay_dead(message, now=now) for message in queryset)
        messages.success(request, f"{count} messages are due again")


class ShownAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "tenant"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]


for shown in (
    AggregationGroup,
    AlertAction,
    Escalation,
    EscalationPolicy,
    EscalationStep,
    Feedback,
    GroupedAlert,
    Heartbeat,
    InboundHook,
    Incident,
    IncidentAlert,
    InhibitionRule,
    MuteTimeInterval,
    NotificationSettings,
    OnCallOverride,
    OnCallSchedule,
    Person,
    Route,
    Silence,
    Suppression,
    Team,
    ToldAlert,
):
    admin.site.register(shown, ShownAdmin)

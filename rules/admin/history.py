"""Admin of what happened: alerts, transitions, ledger, outbox. Nothing is edited here."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.admin import ReadOnlyAdmin
from rules.admin.alerts import shown_story
from rules.admin.presenting import pretty
from rules.evaluation.outcomes import describe
from rules.models import AlertTransition, DeliveryAttempt, LedgerEntry, OutboxMessage
from rules.services import delivery


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
        "story",
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

    @admin.display(description="the whole story")
    def story(self, row: AlertTransition) -> SafeString:
        return shown_story(row, "en")

    @admin.display(description="who was told")
    def told(self, row: AlertTransition) -> SafeString:
        messages_ = [one.message for one in row.told.select_related("message__receiver")]
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

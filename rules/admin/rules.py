"""Admin of rules and their groups. Every save of a rule is a version."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from rules.admin.anomalies import FIELDS, PREFIX, AnomalyAdmin, AnomalyFields
from rules.admin.backtests import BacktestAdmin
from rules.admin.files import RuleFilesAdmin
from rules.admin.presenting import author_of
from rules.models import Rule, RuleGroup, RuleVersion
from rules.services import authoring
from rules.services.authoring import InvalidRule, RuleDraft
from rules.services.backtesting import Trial, backtest

DAY_MS: Final = 86_400_000
_PLAIN: Final = [name for name in RuleDraft.__dataclass_fields__ if name != "datasource_id"]
"""Fields of a draft that the form has under the same name."""


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
class RuleGroupAdmin(RuleFilesAdmin, ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "tenant", "interval_s", "query_offset_s", "alert_limit", "datasource"]
    list_select_related = ["tenant", "datasource"]
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


class RuleForm(AnomalyFields, forms.ModelForm):  # type: ignore[type-arg]
    """Checks a rule as the API does, so that the fault stands at its field."""

    class Meta:
        model = Rule
        fields = ["group", "datasource", *_PLAIN]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["expr"].required = False  # a condition stands in its place; without either it is refused

    def clean(self) -> dict[str, Any]:
        """Refuse what cannot be saved."""
        values = super().clean() or {}
        if self.errors:
            return values
        anomaly = self.anomaly_condition(values)
        if anomaly is not None:
            values["condition"] = anomaly
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
        named = values.get("datasource")
        return RuleDraft(
            **{name: values[name] for name in _PLAIN}, datasource_id="" if named is None else str(named.pk)
        )


class RuleVersionInline(TabularInline):  # type: ignore[misc]
    model = RuleVersion
    fields = readonly_fields = ["version", "author", "created_at", "definition"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Saving the rule adds."""
        return False


@admin.register(Rule)
class RuleAdmin(BacktestAdmin, AnomalyAdmin, ModelAdmin):  # type: ignore[misc]
    form = RuleForm
    list_display = ["name", "group", "tenant", "kind", "severity", "state", "health", "version"]
    list_filter = ["tenant", "state", "health", "severity", "kind"]
    list_select_related = ["group", "tenant"]
    search_fields = ["name", "expr"]
    readonly_fields = ["version", "health", "last_error", "truncated", "updated_at"]
    fieldsets = [
        (None, {"fields": ["group", "name", "kind", "state", "severity", "category", "position"]}),
        ("Condition", {"fields": ["datasource", "expr", "condition", "recovery_expr"]}),
        (
            "Anomaly",
            {
                "fields": ["anomaly_sentence", *(PREFIX + name for name in FIELDS)],
                "description": "In place of a condition: scores of a model group above the threshold. "
                "Above 1 is anomalous for every model.",
            },
        ),
        ("Timing", {"fields": ["hold_for_s", "keep_firing_for_s"]}),
        ("What people are told", {"fields": ["labels", "annotations"]}),
        ("Policies", {"fields": ["no_data_policy", "error_policy", "alert_limit"]}),
        ("How it goes", {"fields": ["version", "health", "last_error", "truncated", "updated_at"]}),
    ]
    inlines = [RuleVersionInline]
    actions = ["activate", "pause", "archive", "backtest"]
    actions_detail = ["backtest_page"]

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

"""Admin of who is told: routes, time intervals, inhibition rules, silences, settings."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.core.errors import PlatformError
from alertsite.web.admin import ReadOnlyAdmin
from rules.admin.fields import WrittenFields
from rules.admin.presenting import author_of
from rules.models import InhibitionRule, MuteTimeInterval, NotificationSettings, Route, Silence
from rules.services import routes, silencing
from rules.services.silencing import InvalidSilence, SilenceDraft

MATCHERS: Final = 'One a line, all must hold: severity="critical", service=~"shop|cart", team!="web".'
INTERVALS: Final = "Names of time intervals, one a line."


class RoutingForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks a row as the API does."""

    def _post_clean(self) -> None:
        """The form's values stand in the row then: refuse what does not fit, at its field."""
        super()._post_clean()  # type: ignore[misc] # Django's own seam between form and row
        if self.errors:
            return
        try:
            routes.check(self.instance)
        except PlatformError as error:
            for name, reason in getattr(error, "errors", {"": str(error)}).items():
                self.add_error(name if name in self.fields else None, ValidationError(reason))


class RoutingAdmin(WrittenFields, ModelAdmin):  # type: ignore[misc]
    """Base of what decides who is told."""

    form = RoutingForm
    list_filter: ClassVar = ["tenant"]
    list_select_related: ClassVar = ["tenant"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        routes.save(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self._delete(request, row)

    def _delete(self, request: HttpRequest, row: Any) -> None:
        try:
            with transaction.atomic():
                routes.delete(row, author_of(request))
        except PlatformError as error:
            messages.error(request, f"{row}: {error}")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """A row stays with its tenant."""
        return ["tenant"] if obj else []


@admin.register(Route)
class RouteAdmin(RoutingAdmin):
    lines: ClassVar = {
        "matchers": MATCHERS,
        "mute_time_intervals": INTERVALS,
        "active_time_intervals": INTERVALS,
    }
    list_display = ["__str__", "tenant", "parent", "receiver", "group_by", "continues", "position"]
    list_select_related = ["tenant", "parent", "receiver"]


@admin.register(MuteTimeInterval)
class MuteTimeIntervalAdmin(RoutingAdmin):
    list_display = ["name", "tenant"]
    search_fields = ["name"]


@admin.register(InhibitionRule)
class InhibitionRuleAdmin(RoutingAdmin):
    lines: ClassVar = {
        "source_matchers": MATCHERS,
        "target_matchers": MATCHERS,
        "equal": "Labels that must be the same in both, one a line.",
    }
    list_display = ["__str__", "tenant", "source_matchers", "target_matchers", "equal", "enabled"]


@admin.register(NotificationSettings)
class NotificationSettingsAdmin(RoutingAdmin):
    list_display = ["tenant", "resolve_timeout_s", "damp_flapping", "revision"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """They go with the tenant."""
        return False


class SilenceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A silence as its author writes it."""

    class Meta:
        model = Silence
        fields = ["tenant", *SilenceDraft.__dataclass_fields__]

    def clean(self) -> dict[str, Any]:
        """Refuse what does not fit, at its field."""
        values = super().clean() or {}
        if self.errors:
            return values
        draft = SilenceDraft(**{name: values[name] for name in SilenceDraft.__dataclass_fields__})
        try:
            silencing.check_draft(values["tenant"].pk, draft)
        except InvalidSilence as error:
            for name, reason in error.errors.items():
                self.add_error(name if name in self.fields else None, ValidationError(reason))
        return values


@admin.register(Silence)
class SilenceAdmin(WrittenFields, ReadOnlyAdmin):
    """Silences are made and ended here; what is past is not rewritten."""

    form = SilenceForm
    lines: ClassVar = {"matchers": MATCHERS}
    list_display = ["__str__", "tenant", "kind", "starts_at", "ends_at", "author", "comment", "approved_by"]
    list_filter = ["tenant", "kind", "needs_approval"]
    search_fields = ["comment", "author", "ticket"]
    actions = ["expire", "approve"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Made here."""
        return True

    def save_model(self, request: HttpRequest, obj: Silence, form: Any, change: Any) -> None:  # noqa: ARG002
        draft = SilenceDraft(**{name: getattr(obj, name) for name in SilenceDraft.__dataclass_fields__})
        made = silencing.create_silence(obj.tenant_id, draft, author_of(request))
        obj.pk = made.pk

    @admin.action(description="End now", permissions=["view"])
    def expire(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        for silence in queryset:
            silencing.expire_silence(silence, author_of(request))
        messages.success(request, "ended")

    @admin.action(description="Approve", permissions=["view"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        """Approve the chosen silences; say of each that cannot be why not."""
        for silence in queryset:
            try:
                silencing.approve_silence(silence, author_of(request))
            except InvalidSilence as error:
                messages.error(request, f"{silence}: {error}")

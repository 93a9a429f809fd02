"""Admin of people, teams, on-call schedules, escalation policies, heartbeats and inbound hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import JSONField, Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from rules.admin.fields import WrittenFields
from rules.admin.presenting import author_of
from rules.models import (
    EscalationPolicy,
    Heartbeat,
    InboundHook,
    OnCallOverride,
    OnCallSchedule,
    Person,
    Team,
)
from rules.services import heartbeats, hooks, people, schedules
from rules.services.authoring import Author


class CheckedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses at its field what the service would refuse."""

    def clean(self) -> dict[str, Any]:
        """An empty JSON field is what the model has by default."""
        values = super().clean() or {}
        for field in self._meta.model._meta.get_fields():
            if isinstance(field, JSONField) and values.get(field.name, ...) is None:
                values[field.name] = field.get_default()
        return values

    def full_clean(self) -> None:
        """Check the fields, then the row as a whole."""
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        try:
            self.check_row()
        except PlatformError as error:
            for name, reason in getattr(error, "errors", {"": str(error)}).items():
                self.add_error(name if name in self.fields else None, reason)

    def check_row(self) -> None:
        """Ask the service."""
        people.check(self.instance, Author("", to_datetime(SystemClock().now_ms())), self.related)

    @property
    def related(self) -> dict[str, Iterable[Model]]:
        """What the row is related to, by field."""
        names = [field.name for field in self._meta.model._meta.many_to_many]
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}


class NamedAdmin(WrittenFields, ModelAdmin):  # type: ignore[misc]
    """Saves and removes by the service; what is named elsewhere shows where instead of being removed."""

    form = CheckedForm
    list_display = ["name", "tenant"]
    list_filter = ["tenant"]
    search_fields = ["name"]
    list_select_related = ["tenant"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:  # noqa: ARG002
        """A row stays with its tenant."""
        return [*self.readonly_fields, "tenant"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: CheckedForm, change: bool) -> None:  # noqa: ARG002
        people.save(obj, author_of(request), form.related)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        people.delete(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[Any, Any, Any, list[str]]:
        """What a deletion takes along, and the places that forbid it."""
        rows = list(objs)
        taken, counts, missing, protected = super().get_deleted_objects(rows, request)
        return (
            taken,
            counts,
            missing,
            [*protected, *(place for row in rows for place in people.places_of(row))],
        )


@admin.register(Person)
class PersonAdmin(NamedAdmin):
    list_display = ["name", "tenant", "user", "language"]
    fields = ["tenant", "name", "user", "receivers", "language"]
    filter_horizontal = ["receivers"]


@admin.register(Team)
class TeamAdmin(NamedAdmin):
    fields = ["tenant", "name", "members"]
    filter_horizontal = ["members"]


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(NamedAdmin):
    list_display = ["name", "tenant", "repeat_count", "hand_over_to"]
    fields = ["tenant", "name", "steps", "repeat_count", "repeat_delay_s", "hand_over_to"]


@admin.register(OnCallSchedule)
class OnCallScheduleAdmin(NamedAdmin):
    list_display = ["name", "tenant", "timezone", "on_call_now"]
    fields = ["tenant", "name", "timezone", "layers", "ical", "on_call_now", "calendar"]
    readonly_fields = ["on_call_now", "calendar"]
    actions = ["replace_calendar"]

    @admin.display(description="On call now")
    def on_call_now(self, schedule: OnCallSchedule) -> str:
        """Names, or why there are none."""
        if schedule._state.adding:
            return "not saved yet"
        try:
            found = schedules.people_on_call(schedule, to_datetime(SystemClock().now_ms()))
        except PlatformError as error:
            return str(error)
        return ", ".join(person.name for person in found) or "nobody"

    @admin.display(description="Calendar, for programs that subscribe")
    def calendar(self, schedule: OnCallSchedule) -> str:
        """The address; whoever knows it may read it."""
        return "not saved yet" if schedule._state.adding else schedules.calendar_url(schedule)

    @admin.action(description="Replace the calendar's address", permissions=["change"])
    def replace_calendar(self, request: HttpRequest, queryset: QuerySet[OnCallSchedule]) -> None:
        """Make the addresses void, for others."""
        for schedule in queryset:
            schedules.replace_calendar_url(schedule, author_of(request))


@admin.register(OnCallOverride)
class OnCallOverrideAdmin(NamedAdmin):
    list_display = ["schedule", "person", "starts_at", "ends_at", "author", "tenant"]
    fields = ["tenant", "schedule", "person", "starts_at", "ends_at"]
    search_fields = ["schedule__name", "person__name"]

    def save_model(self, request: HttpRequest, obj: OnCallOverride, form: CheckedForm, change: bool) -> None:
        obj.author = author_of(request).name
        super().save_model(request, obj, form, change)


class HeartbeatForm(CheckedForm):
    """A heartbeat's terms."""

    def check_row(self) -> None:
        """Ask the service."""
        heartbeats.check(self.instance)


class HookForm(CheckedForm):
    """A hook's mapping."""

    def check_row(self) -> None:
        """Ask the service."""
        hooks.check(self.instance)


_SHOWN_ONCE: Final = "The address of {name} is {path}: it is not shown again."


class TokenedAdmin(NamedAdmin):
    """Rows with a token in their address, which is shown when it is made."""

    actions = ["rotate"]
    service: Any
    prefix: str

    def save_model(self, request: HttpRequest, obj: Any, form: CheckedForm, change: bool) -> None:  # noqa: ARG002
        if change:
            self.service.change(obj, author_of(request))
        else:
            self._show(request, obj, self.service.create(obj, author_of(request)).token)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.service.delete(obj, author_of(request))

    @admin.action(description="Replace the token", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Make the addresses void, for others."""
        for row in queryset:
            self._show(request, row, self.service.rotate(row, author_of(request)).token)

    def _show(self, request: HttpRequest, row: Any, token: str) -> None:
        messages.warning(request, _SHOWN_ONCE.format(name=row.name, path=f"/api/{self.prefix}/{token}/"))


@admin.register(Heartbeat)
class HeartbeatAdmin(TokenedAdmin):
    form = HeartbeatForm
    service = heartbeats
    prefix = "heartbeats"
    list_display = ["name", "tenant", "status", "last_ping_at", "last_outcome", "due_at", "enabled"]
    list_filter = ["tenant", "enabled"]
    fields = ["tenant", "name", "period_s", "grace_s", "labels", "annotations", "enabled"]

    @admin.display(description="Status")
    def status(self, heartbeat: Heartbeat) -> str:
        """`off`, `down`, `new`, `started` or `up`."""
        return heartbeats.status_of(heartbeat)


@admin.register(InboundHook)
class InboundHookAdmin(TokenedAdmin):
    form = HookForm
    service = hooks
    prefix = "hooks"
    list_display = ["name", "tenant", "enabled"]
    list_filter = ["tenant", "enabled"]
    fields = ["tenant", "name", "mapping", "enabled"]

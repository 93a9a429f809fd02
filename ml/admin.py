"""Admin of model groups and their versions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from ml.models import DriftEvent, ModelGroup, ModelVersion, TrainingCheckpoint
from ml.services import groups
from ml.services.groups import InvalidModelGroup
from rules.services.authoring import Author


def _author(request: HttpRequest) -> Author:
    return Author(request.user.get_username(), to_datetime(SystemClock().now_ms()))


class ModelGroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses, at its field, what could not be scored."""

    detector = forms.ChoiceField(choices=lambda: [(name, name) for name in groups.every_offered()])

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            groups.check_terms(self.instance)
        except InvalidModelGroup as error:
            for name, reason in error.errors.items():
                self.add_error(name, ValidationError(reason))


@admin.register(ModelGroup)
class ModelGroupAdmin(ModelAdmin):  # type: ignore[misc]
    form = ModelGroupForm
    list_display = ["name", "tenant", "kind", "selector", "detector", "state", "state_reason", "enabled"]
    list_filter = ["tenant", "kind", "state", "enabled"]
    search_fields = ["name", "selector"]
    readonly_fields = [
        "state",
        "state_reason",
        "training_error",
        "threshold_scale",
        "threshold_reason",
        "next_due_at",
        "next_train_at",
    ]
    actions = ["train"]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelGroup | None = None) -> list[str]:  # noqa: ARG002
        """A group stays with its tenant."""
        return [*self.readonly_fields, "tenant"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: ModelGroup, form: Any, change: Any) -> None:  # noqa: ARG002
        groups.save_group(obj, _author(request))

    def delete_model(self, request: HttpRequest, obj: ModelGroup) -> None:
        groups.delete_group(obj, _author(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelGroup]) -> None:
        for group in queryset:
            groups.delete_group(group, _author(request))

    @admin.action(description="Learn now", permissions=["change"])
    def train(self, request: HttpRequest, queryset: QuerySet[ModelGroup]) -> None:
        """Have the groups learn at the next waking."""
        for group in queryset:
            groups.train_soon(group, _author(request))
        messages.success(request, f"{queryset.count()} will learn within seconds")


class Written(ModelAdmin):  # type: ignore[misc]
    """Rows that the platform writes and people read."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(DriftEvent)
class DriftEventAdmin(Written):
    list_display = ["at", "group", "subject", "psi", "bound", "training_asked"]
    list_filter = ["tenant", "subject"]


@admin.register(TrainingCheckpoint)
class TrainingCheckpointAdmin(Written):
    list_display = ["group", "detector", "step", "saved_at"]
    exclude = ["data"]


@admin.register(ModelVersion)
class ModelVersionAdmin(Written):
    list_display = ["group", "number", "status", "detector", "trained_from", "trained_until", "quality"]
    list_filter = ["tenant", "status"]
    exclude = ["artefact", "profile"]
    actions = ["promote", "shadow", "retire", "rollback"]

    @admin.action(description="Let it score")
    def promote(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """The champion retires."""
        self._each(request, queryset, groups.promote)

    @admin.action(description="Let it score beside the champion")
    def shadow(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """In series that no rule reads."""
        self._each(request, queryset, groups.shadow)

    @admin.action(description="Retire")
    def retire(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Without a champion the robust detector scores."""
        self._each(request, queryset, groups.retire)

    @admin.action(description="Roll back to the version before")
    def rollback(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """For a champion that turned out bad."""
        self._each(request, queryset, groups.rollback)

    def _each(self, request: HttpRequest, queryset: QuerySet[ModelVersion], act: Any) -> None:
        for version in queryset.defer("artefact").select_related("group"):
            try:
                done = act(version, _author(request))
            except PlatformError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, f"{done} is {done.status}")

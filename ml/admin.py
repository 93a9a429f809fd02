"""Admin of model groups and their versions."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import format_labels
from ml.models import DriftEvent, ModelGroup, ModelVersion, SeenAnomaly, TrainingCheckpoint
from ml.services import groups
from ml.services.groups import InvalidModelGroup
from ml.services.previewing import preview
from rules.evaluation.plots import draw
from rules.services.authoring import Author

HOUR_MS: Final = 3_600_000
MAX_SHOWN: Final = 500


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


class PreviewForm(forms.Form):
    """How far back."""

    hours = forms.IntegerField(min_value=1, max_value=168, widget=UnfoldAdminIntegerFieldWidget)


def _previewed(group: ModelGroup, hours: int) -> dict[str, Any]:
    now_ms = SystemClock().now_ms()
    try:
        done = preview(group, now_ms - hours * HOUR_MS, now_ms, now_ms=now_ms)
    except PlatformError as error:
        return {"error": str(error)}
    shown = [
        {
            "start": to_datetime(one.start_ms),
            "end": to_datetime(one.end_ms),
            "labels": format_labels(one.labels),
            "peak": one.peak,
        }
        for one in done.events[:MAX_SHOWN]
    ]
    plots = [b64encode(draw(plot).encode()).decode() for plot in done.plots]  # nothing in an image can run
    return {"done": done, "shown": shown, "plots": plots}


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
    actions_detail = ["preview_page"]
    change_form_after_template = "ml/admin/draft_button.html"

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

    @action(description="Preview", url_path="preview", permissions=["view"])  # type: ignore[untyped-decorator]
    def preview_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the group finds in the last hours, drawn with what was expected; nothing is changed."""
        group = get_object_or_404(ModelGroup.across_tenants, pk=object_id)
        form = PreviewForm(request.GET if "hours" in request.GET else {"hours": 1})
        return self._shown(request, {"group": group, "form": form})

    def get_urls(self) -> list[Any]:
        """With the preview of a group that is being written."""
        draft = self.admin_site.admin_view(self.draft_page)
        return [path("draft/", draft, name="ml_modelgroup_draft"), *super().get_urls()]

    def draft_page(self, request: HttpRequest) -> HttpResponse:
        """As `preview_page`, for what stands in the form and is not saved."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        saved = request.GET.get("object")
        group = get_object_or_404(ModelGroup.across_tenants, pk=saved) if saved else None
        written = self.get_form(request, group)(request.POST, instance=group)
        form = PreviewForm(request.POST)
        kept = [pair for pair in request.POST.items() if pair[0] not in {"csrfmiddlewaretoken", "hours"}]
        shown = {"group": written.instance, "form": form, "kept": kept}
        if not written.is_valid():
            return self._shown(request, shown | {"faults": written.errors})
        return self._shown(request, shown)

    def _shown(self, request: HttpRequest, shown: dict[str, Any]) -> HttpResponse:
        form, group = shown["form"], shown["group"]
        if form.is_valid() and "faults" not in shown:
            shown |= _previewed(group, form.cleaned_data["hours"])
        shown |= {"title": f"Preview of {group.name}", "opts": ModelGroup._meta}
        return TemplateResponse(
            request, "ml/admin/scores.html", {**self.admin_site.each_context(request), **shown}
        )

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


@admin.register(SeenAnomaly)
class SeenAnomalyAdmin(Written):
    list_display = ["labels", "group", "score", "value", "expected", "started_at", "last_at", "version"]
    list_filter = ["tenant"]
    list_select_related = ["group", "version"]


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

"""A rule on an anomaly in the admin: fields in place of JSON, and a preview before it is saved."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import format_labels
from rules.evaluation.plots import draw
from rules.evaluation.scoring import Span
from rules.language.conditions import Anomaly, anomalies_in
from rules.language.sentences import Said, said
from rules.models import Rule
from rules.services.anomalies import group_names, preview_anomaly

HOUR_MS: Final = 3_600_000
MAX_SHOWN: Final = 500
PREFIX: Final = "anomaly_"
FIELDS: Final = ("model_group", "selector", "sensitivity", "direction", "min_deviation", "threshold")


def _groups() -> list[tuple[str, str]]:
    named = [(name, f"{name} ({tenant})") for name, tenant in group_names()]
    return [("", "one that watches the selector below"), *named]


def _number(label: str, low: float, high: float | None = None) -> forms.FloatField:
    widget = UnfoldAdminDecimalFieldWidget
    return forms.FloatField(label=label, required=False, min_value=low, max_value=high, widget=widget)


class AnomalyFields(forms.Form):
    """What an anomaly condition is made of; left as they are they change nothing."""

    anomaly_sentence = forms.CharField(
        required=False,
        label="In a sentence",
        help_text="Such as: node_load1{job='node'} is unusually high for 5m",
        widget=UnfoldAdminTextInputWidget,
    )
    anomaly_model_group = forms.ChoiceField(
        choices=_groups, required=False, label="Model group", widget=UnfoldAdminSelectWidget
    )
    anomaly_selector = forms.CharField(
        required=False,
        label="Or series to watch",
        help_text="Such as node_load1{job='node'}: a model group is made for them, or found.",
        widget=UnfoldAdminTextInputWidget,
    )
    anomaly_sensitivity = _number("Sensitivity", 0.1, 10)
    anomaly_direction = forms.ChoiceField(
        choices=[(one, one) for one in ("both", "up", "down")],
        required=False,
        label="Direction",
        widget=UnfoldAdminSelectWidget,
    )
    anomaly_min_deviation = _number("Least deviation", 0)
    anomaly_threshold = _number("Threshold", 0, 1e6)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        condition = getattr(getattr(self, "instance", None), "condition", None) or {}
        own = condition if condition.get("type") == "anomaly" else {}
        usual = {name: field.default for name, field in Anomaly.model_fields.items() if name in FIELDS}
        for name, value in (usual | {key: own[key] for key in FIELDS if key in own}).items():
            self.fields[PREFIX + name].initial = value

    def clean_anomaly_sentence(self) -> Said | None:
        """What it says; None without one."""
        sentence = self.cleaned_data["anomaly_sentence"]
        try:
            return said(sentence) if sentence else None
        except PlatformError as error:
            raise ValidationError(str(error)) from None

    def anomaly_condition(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """The condition that the fields describe; None where none was changed, or nothing is watched.

        A sentence goes first, and says how long it must hold as well.
        """
        sentence = values.get("anomaly_sentence")
        if sentence is not None:
            values["hold_for_s"] = sentence.hold_for_s or values["hold_for_s"]
            return dict(sentence.condition)
        told = {name: values.get(PREFIX + name) for name in FIELDS}
        changed = any(name.startswith(PREFIX) for name in self.changed_data)
        if not changed or not (told["model_group"] or told["selector"]):
            return None
        return {"type": "anomaly", **{name: value for name, value in told.items() if value not in (None, "")}}


class HoursForm(forms.Form):
    """How far back."""

    hours = forms.IntegerField(min_value=1, max_value=48, widget=UnfoldAdminIntegerFieldWidget)


class AnomalyAdmin:
    """What the admin of rules has for anomalies."""

    admin_site: admin.AdminSite
    change_form_after_template = "rules/admin/anomaly_button.html"

    def get_urls(self) -> list[Any]:
        """With the preview of a rule that is being written."""
        draft = self.admin_site.admin_view(self.anomaly_page)
        return [path("anomaly/", draft, name="rules_rule_anomaly"), *super().get_urls()]  # type: ignore[misc]

    def anomaly_page(self, request: HttpRequest) -> HttpResponse:
        """What the anomaly in the form would have found in the last hours; nothing is saved."""
        if request.method != "POST" or not self.has_change_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        saved = request.GET.get("object")
        rule = get_object_or_404(Rule.across_tenants, pk=saved) if saved else None
        written = self.get_form(request, rule)(request.POST, instance=rule)  # type: ignore[attr-defined]
        hours = HoursForm(request.POST)
        kept = [pair for pair in request.POST.items() if pair[0] not in {"csrfmiddlewaretoken", "hours"}]
        shown: dict[str, Any] = {"title": "Preview of the anomaly", "form": hours, "kept": kept}
        if not written.is_valid():
            shown["faults"] = written.errors
        elif hours.is_valid():
            shown |= _previewed(written.cleaned_data, hours.cleaned_data["hours"])
        context = {**self.admin_site.each_context(request), "opts": Rule._meta, **shown}
        return TemplateResponse(request, "rules/admin/anomaly.html", context)


def _previewed(values: dict[str, Any], hours: int) -> dict[str, Any]:
    parts = anomalies_in(values["condition"]) if values["condition"] else []
    if not parts:
        return {"error": "The rule has no anomaly: choose a model group, or name series to watch."}
    now_ms = SystemClock().now_ms()
    span, hold_ms = Span(now_ms - hours * HOUR_MS, now_ms), values["hold_for_s"] * 1000
    try:
        done = preview_anomaly(values["group"].tenant_id, parts[0], span, hold_ms=hold_ms, now_ms=now_ms)
    except PlatformError as error:
        return {"error": str(error)}
    events = [
        {
            "start": to_datetime(one.start_ms),
            "end": to_datetime(one.end_ms),
            "labels": format_labels(one.labels),
            "peak": one.peak,
        }
        for one in done.events[:MAX_SHOWN]
    ]
    plots = [b64encode(draw(plot).encode()).decode() for plot in done.plots]  # nothing in an image can run
    return {"done": done, "part": parts[0], "events": events, "plots": plots, "hold_for_s": hold_ms // 1000}

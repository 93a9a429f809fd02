"""Admin of receivers: a form that knows the kinds, and a page to preview and test them."""

from __future__ import annotations

from time import sleep
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from alertsite.core.errors import PlatformError
from rules.admin.presenting import author_of
from rules.models import Receiver
from rules.notify.receivers.registry import InvalidReceiver
from rules.services import receivers, trying

_FIELDS = {"config": "config", "secrets": "new_secrets"}
"""Where on the form a part of a receiver stands."""


class ReceiverForm(forms.ModelForm):  # type: ignore[type-arg]
    """Secrets can be set and never read; empty leaves them as they are, unless kind or URL change."""

    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    new_secrets = forms.JSONField(
        required=False,
        label="Secrets",
        widget=UnfoldAdminTextareaWidget,
        help_text="As JSON; never shown again. Empty: as before; needed again when kind or URL change.",
    )

    class Meta:
        model = Receiver
        fields = [
            "tenant",
            "name",
            "kind",
            "config",
            "enabled",
            "send_resolved",
            "max_per_minute",
            "canary_every_s",
        ]

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        kinds = receivers.receiver_registry().names()
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [(name, name) for name in kinds]
        kind.help_text = _help_of(kinds, self.data.get("kind") or self.instance.kind)

    def clean(self) -> dict[str, Any]:
        """Refuse a configuration that does not fit the kind, at the field that it concerns."""
        values = super().clean() or {}
        if self.errors:
            return values
        kind, config = values["kind"], values["config"] or {}
        elsewhere = self.instance.pk and receivers.leads_elsewhere(self.instance, kind, config)
        values["secrets"] = values["new_secrets"] or ({} if elsewhere else self.instance.secrets)
        try:
            receivers.receiver_registry().open(kind, config, values["secrets"])
        except InvalidReceiver as error:
            for path, reason in error.errors.items():
                part, _, name = path.partition(".")
                self.add_error(_FIELDS.get(part, part), f"{name}: {reason}" if name else reason)
        except PlatformError as error:
            raise ValidationError(str(error)) from None
        return values


def _help_of(kinds: list[str], current: str) -> str:
    """What each kind is configured with; that of the receiver unfolded."""
    settings = {kind: receivers.receiver_registry().settings(kind) for kind in kinds}
    return render_to_string("rules/admin/receiver_kinds.html", {"kinds": settings, "current": current})


class TryForm(forms.Form):
    """Which alert to show."""

    alert = forms.UUIDField(
        required=False,
        label="Alert",
        help_text="Its id. Empty: the tenant's last.",
        widget=UnfoldAdminTextInputWidget,
    )


@admin.register(Receiver)
class ReceiverAdmin(ModelAdmin):  # type: ignore[misc]
    form = ReceiverForm
    list_display = ["name", "tenant", "kind", "enabled", "created_at"]
    list_filter = ["tenant", "kind", "enabled"]
    search_fields = ["name"]
    actions_detail = ["try_page"]

    @action(description="Preview and test", url_path="try", permissions=["change"])  # type: ignore[untyped-decorator]
    def try_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What it would be sent of a past alert; a POST sends a test in earnest."""
        receiver = get_object_or_404(Receiver.across_tenants.select_related("tenant"), pk=object_id)
        form = TryForm(request.GET)
        shown: dict[str, Any] = {"title": f"Preview of {receiver.name}", "receiver": receiver, "form": form}
        if form.is_valid():
            shown |= _previewed(request, receiver, form)
        if request.method == "POST":
            message = trying.send_test(receiver, author_of(request))
            shown["outcome"] = trying.await_outcome(message, sleep)
        context = {**self.admin_site.each_context(request), "opts": Receiver._meta, **shown}
        return TemplateResponse(request, "rules/admin/receiver_try.html", context)

    def save_model(self, request: HttpRequest, obj: Receiver, form: ReceiverForm, change: Any) -> None:  # noqa: ARG002
        obj.config = obj.config or {}
        obj.secrets = form.cleaned_data["secrets"]
        receivers.save_receiver(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Receiver) -> None:
        receivers.delete_receiver(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Receiver]) -> None:
        for receiver in queryset:
            receivers.delete_receiver(receiver, author_of(request))


def _previewed(request: HttpRequest, receiver: Receiver, form: TryForm) -> dict[str, Any]:
    alert_id = form.cleaned_data["alert"]
    try:
        return {"preview": trying.preview(receiver, now=author_of(request).now, alert_id=alert_id)}
    except PlatformError as error:
        return {"error": str(error)}

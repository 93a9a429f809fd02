"""Admin of receivers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.core.errors import PlatformError
from rules.admin.presenting import author_of
from rules.models import Receiver
from rules.services import receivers


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

"""Admin of datasources."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from rules.admin.presenting import author_of
from rules.models import Datasource
from rules.services import datasources
from rules.services.datasources import InvalidDatasource

_FIELDS: Final = ["tenant", "name", "url", "auth", "headers", "timeout_s", "enabled"]


class DatasourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Secrets can be set and never read; empty leaves them as they are, while URL and kind of proof stay."""

    new_secrets = forms.JSONField(
        required=False, help_text='As JSON: {"user": "…", "password": "…"} or {"token": "…"}.'
    )

    class Meta:
        model = Datasource
        fields = _FIELDS

    def clean(self) -> dict[str, Any]:
        """Refuse what could not be asked, at its field."""
        values = super().clean() or {}
        if self.errors:
            return values
        values["headers"] = values["headers"] or {}
        kept = {} if {"auth", "url"} & set(self.changed_data) else self.instance.secrets
        tried = {name: values[name] for name in _FIELDS if name in values}
        row = Datasource(pk=self.instance.pk, tenant_id=self.instance.tenant_id)
        for name, value in tried.items():
            setattr(row, name, value)
        row.secrets = values["new_secrets"] or kept
        try:
            datasources.check_datasource(row)
        except InvalidDatasource as error:
            for name, reason in error.errors.items():
                self.add_error("new_secrets" if name == "secrets" else name, ValidationError(reason))
        values["secrets"] = row.secrets
        return values


@admin.register(Datasource)
class DatasourceAdmin(ModelAdmin):  # type: ignore[misc]
    form = DatasourceForm
    list_display = ["name", "tenant", "url", "auth", "enabled", "created_at"]
    list_filter = ["tenant", "enabled"]
    search_fields = ["name", "url"]
    actions = ["ask"]

    def save_model(self, request: HttpRequest, obj: Datasource, form: DatasourceForm, change: Any) -> None:  # noqa: ARG002
        obj.headers, obj.secrets = form.cleaned_data["headers"], form.cleaned_data["secrets"]
        datasources.save_datasource(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: Datasource) -> None:
        datasources.delete_datasource(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Datasource]) -> None:
        for datasource in queryset:
            datasources.delete_datasource(datasource, author_of(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Datasource | None = None) -> list[str]:  # noqa: ARG002
        """A datasource stays with its tenant."""
        return ["tenant"] if obj else []

    @admin.action(description="Ask for the value of 1", permissions=["view"])
    def ask(self, request: HttpRequest, queryset: QuerySet[Datasource]) -> None:
        """Say whether each answers, and what it says it is."""
        for datasource in queryset:
            try:
                found = datasources.probe(datasource, now_ms=SystemClock().now_ms())
            except PlatformError as error:
                messages.error(request, f"{datasource.name}: {error}")
                continue
            if found.ok:
                messages.success(request, f"{datasource.name}: answers, version {found.version or 'unknown'}")
            else:
                messages.error(request, f"{datasource.name}: {found.error}")

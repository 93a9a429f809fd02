"""Admin of cloud accounts."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from alertsite.audit.services import Author
from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.web.admin import ReadOnlyAdmin
from cloud.models import CloudAccount, CloudResource
from cloud.services import accounts
from cloud.services.providers import registry

_FIELDS: Final = ["tenant", "name", "provider", "settings", "metrics", "metric_calls_per_hour", "enabled"]


def author_of(request: HttpRequest) -> Author:
    """Who acts in the admin, and when."""
    return Author(request.user.get_username(), to_datetime(SystemClock().now_ms()))


class CloudAccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """Credentials can be set and never read; empty leaves them, unless they would go elsewhere."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    new_credentials = forms.JSONField(
        required=False,
        label="Credentials",
        widget=UnfoldAdminTextareaWidget,
        help_text="As JSON; never shown again. Empty: as before, unless provider or server changes.",
    )

    class Meta:
        model = CloudAccount
        fields = _FIELDS

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        provider = self.fields["provider"]
        assert isinstance(provider, forms.ChoiceField)
        provider.choices = [(name, name) for name in registry().names()]

    def clean(self) -> dict[str, Any]:
        """Refuse what the provider's adapter does not take."""
        values = super().clean() or {}
        if self.errors:
            return values
        provider, settings, values["metrics"] = (
            values["provider"],
            values["settings"] or {},
            values["metrics"] or [],
        )
        elsewhere = bool(self.instance.provider) and accounts.leads_elsewhere(
            self.instance, provider, settings
        )
        values["credentials"] = values["new_credentials"] or ({} if elsewhere else self.instance.credentials)
        try:
            registry().open(provider, settings, values["credentials"]).close()
        except PlatformError as error:
            raise ValidationError(error.detail) from None
        return values


@admin.register(CloudAccount)
class CloudAccountAdmin(ModelAdmin):  # type: ignore[misc]
    form = CloudAccountForm
    list_display = ["name", "tenant", "provider", "enabled", "checked_at", "synced_at", "fault"]
    list_filter = ["tenant", "provider", "enabled"]
    search_fields = ["name"]
    actions = ["ask"]

    def save_model(
        self,
        request: HttpRequest,
        obj: CloudAccount,
        form: CloudAccountForm,
        change: Any,  # noqa: ARG002
    ) -> None:
        """Save by the service, which checks and audits."""
        obj.settings, obj.credentials = obj.settings or {}, form.cleaned_data["credentials"]
        accounts.save_account(obj, author_of(request))

    def delete_model(self, request: HttpRequest, obj: CloudAccount) -> None:
        accounts.delete_account(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CloudAccount]) -> None:
        for account in queryset:
            accounts.delete_account(account, author_of(request))

    def get_readonly_fields(self, request: HttpRequest, obj: CloudAccount | None = None) -> list[str]:  # noqa: ARG002
        """An account stays with its tenant."""
        return ["tenant"] if obj else []

    @admin.action(description="Ask the provider who we are", permissions=["view"])
    def ask(self, request: HttpRequest, queryset: QuerySet[CloudAccount]) -> None:
        """Say whether the credentials are good."""
        for account in queryset:
            found = accounts.check_account(account, author_of(request))
            if found.ok:
                messages.success(request, f"{account.name}: {found.identity}")
            else:
                messages.error(request, f"{account.name}: {found.fault}")


@admin.register(CloudResource)
class CloudResourceAdmin(ReadOnlyAdmin):
    """What accounts hold."""

    list_display = ["name", "kind", "account", "place", "state", "healthy", "changed_at", "vanished_at"]
    list_filter = ["tenant", "account", "kind", "healthy"]
    search_fields = ["name", "uid"]
    list_select_related = ["account"]

"""Admin of people, tenants, quotas and keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from alertsite.tenancy.models import ApiKey, Membership, Quota, Tenant, User
from alertsite.tenancy.services import digest_of, new_secret

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_superuser", "is_active", "last_login"]


class QuotaInline(StackedInline):  # type: ignore[misc]
    model = Quota
    can_delete = False


class MembershipInline(TabularInline):  # type: ignore[misc]
    model = Membership
    extra = 0


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["slug", "name", "created_at"]
    search_fields = ["slug", "name"]
    inlines = [QuotaInline, MembershipInline]


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "tenant", "scopes", "created_at", "expires_at", "revoked_at"]
    list_filter = ["tenant"]
    fields = ["name", "tenant", "scopes", "expires_at", "revoked_at"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: Any) -> None:
        """Show the secret of a new key, this once."""
        if not change:
            secret = new_secret()
            obj.digest = digest_of(secret)
            messages.success(request, f"The key, shown only now: {secret}")
        super().save_model(request, obj, form, change)

"""Cloud accounts as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from cloud.models import CloudAccount
from cloud.services import accounts


class CloudAccountSerializer(serializers.ModelSerializer[CloudAccount]):
    """An account with a provider. `credentials` are written, never read."""

    settings = serializers.DictField(required=False)
    credentials = serializers.DictField(required=False, write_only=True)

    class Meta:
        model = CloudAccount
        read_only_fields = ["id", "checked_at", "identity", "synced_at", "failures", "fault", "created_at"]
        fields = [*read_only_fields, "name", "provider", "settings", "credentials", "enabled"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Drop the credentials when they would go to another server: they are not for it to see."""
        before = self.instance
        if isinstance(before, CloudAccount) and accounts.leads_elsewhere(
            before, attrs.get("provider", before.provider), attrs.get("settings", before.settings)
        ):
            attrs.setdefault("credentials", {})
        return attrs


class CheckedSerializer(serializers.Serializer[Any]):
    """What the provider said when it was asked who we are."""

    ok = serializers.BooleanField()
    identity = serializers.CharField()
    fault = serializers.CharField()

"""Previews and tests of receivers by REST: below a receiver's address, and for a draft that is not saved."""

from __future__ import annotations

from dataclasses import asdict
from time import sleep
from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.tenancy.models import Tenant
from rules.models import Receiver
from rules.services import trying


class PreviewRequestSerializer(serializers.Serializer[Any]):
    """Which alert to show; without one the tenant's last."""

    alert = serializers.UUIDField(required=False)


class DraftSerializer(PreviewRequestSerializer):
    """A receiver that is not saved."""

    name = serializers.CharField(max_length=200, default="draft")
    kind = serializers.CharField(max_length=30)
    config = serializers.DictField(default=dict)
    secrets = serializers.DictField(default=dict, write_only=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """What would be sent, secrets masked. `faults` are templates that failed; defaults stand in their
    place.
    """

    to = serializers.CharField()
    content_type = serializers.CharField()
    body = serializers.CharField()
    faults = serializers.ListField(child=serializers.CharField())


class TestOutcomeSerializer(serializers.Serializer[Any]):
    """What is known of a test message."""

    message = serializers.UUIDField()
    status = serializers.CharField()
    receipt = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    in_words = serializers.CharField()


class TriedReceivers:
    """Mixed into the view of receivers."""

    @extend_schema(request=PreviewRequestSerializer, responses=PreviewSerializer)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """What it would be sent of a past alert. Nothing is sent."""
        view: Any = self
        asked = PreviewRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self._shown(view.get_object(), asked.validated_data.get("alert"))

    @extend_schema(request=DraftSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"], url_path="preview", url_name="preview-draft")
    def preview_draft(self, request: Request) -> Response:
        """What a receiver with this configuration would be sent of a past alert. Nothing is sent or saved."""
        view: Any = self
        asked = DraftSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        alert_id = values.pop("alert", None)
        tenant = Tenant.objects.filter(pk=view.grant.tenant_id).first()
        if tenant is None:
            raise Http404
        return self._shown(Receiver(tenant=tenant, **values), alert_id)

    @extend_schema(request=None, responses=TestOutcomeSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Send it a message in earnest, and answer with the receipt, or that it is under way."""
        view: Any = self
        message = trying.send_test(view.get_object(), view.author)
        outcome = trying.await_outcome(message, sleep)
        return Response(TestOutcomeSerializer(outcome).data)

    def _shown(self, receiver: Receiver, alert_id: UUID | None) -> Response:
        view: Any = self
        found = trying.preview(receiver, now=view.now, alert_id=alert_id)
        return Response(PreviewSerializer(asdict(found)).data)

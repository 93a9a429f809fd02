"""Automations and what they propose, over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from healing.api import serializers
from healing.api.asked import Asked
from healing.models import Automation, Proposal
from healing.services import automating, automations, proposals
from healing.services.people import check_owner


class NewestProposal(CursorPages):
    """Proposals, the newest first."""

    ordering = ("-created_at", "id")


class ProposalFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Proposals."""

    class Meta:
        model = Proposal
        fields = ["state", "kind", "automation", "shadow"]


class AutomationViewSet(Asked, EditableViewSet):
    """What the platform looks after. Other terms disarm."""

    nothing = Automation.across_tenants.none()
    serializer_class = serializers.AutomationSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[Automation]:
        return Automation.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: Automation) -> Automation:
        self._check_owner(row)
        return automations.save_automation(row, self.author)

    def remove(self, row: Automation) -> None:
        self._check_owner(row)
        automations.delete_automation(row, self.author)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def arm(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it act on these terms. Only a person may; about the platform itself, an owner."""
        row = self.get_object()
        self._check_owner(row)
        return self._shown(automations.arm(row, self.author, is_person=self.is_person))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def disarm(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it only say what it would do."""
        return self._shown(automations.disarm(self.get_object(), self.author))

    def _check_owner(self, row: Automation) -> None:
        """Of what concerns the platform, or does so far."""
        if automations.was_of_the_platform(row) or automations.is_of_the_platform(row):
            check_owner(self.grant.tenant_id, self.request.user)

    def _shown(self, row: Automation) -> Response:
        return Response(self.get_serializer(row).data)


class ProposalViewSet(Asked, mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """What automations propose, and what became of it."""

    nothing = Proposal.across_tenants.none()
    serializer_class = serializers.ProposalSerializer
    filterset_class = ProposalFilter
    pagination_class = NewestProposal

    def rows(self) -> QuerySet[Proposal]:
        return Proposal.objects.for_tenant(self.grant.tenant_id).select_related("automation")

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], filterset_class=None)
    def approve(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Have it carried out. Only a person may; about the platform itself, an owner."""
        return self._decided(automating.approve)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], filterset_class=None)
    def refuse(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Say no."""
        return self._decided(proposals.refuse)

    def _decided(self, decide: Any) -> Response:
        row = self.get_object()
        proposals.check_may_decide(row, self.request.user, self.actor)
        return Response(self.get_serializer(decide(row, self.author)).data)

"""Playbooks, runs and policies over REST."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from alertsite.audit.services import Author
from alertsite.web.credentials import READ
from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from alertsite.web.views import TenantView
from healing.api import serializers
from healing.api.asked import Asked
from healing.models import HealingRun, Playbook, PlaybookVersion
from healing.services import approving, handling, playbooks, starting
from healing.services.people import check_owner
from healing.services.policies import policy_of, save_policy


class NewestRun(CursorPages):
    """Runs, the newest first."""

    ordering = ("-created_at", "id")


class RunFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Runs."""

    class Meta:
        model = HealingRun
        fields = ["state", "playbook", "alert_id", "dry"]


class PlaybookViewSet(Asked, EditableViewSet):
    """Playbooks. Each change of the text is a version, and disarms."""

    nothing = Playbook.across_tenants.none()
    serializer_class = serializers.PlaybookSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[Playbook]:
        return Playbook.objects.for_tenant(self.grant.tenant_id).select_related("version")

    def perform_create(self, serializer: BaseSerializer[Playbook]) -> None:
        self._save(Playbook(tenant_id=self.grant.tenant_id), serializer)

    def perform_update(self, serializer: BaseSerializer[Playbook]) -> None:
        assert isinstance(serializer.instance, Playbook)
        self._save(serializer.instance, serializer)

    def _save(self, playbook: Playbook, serializer: BaseSerializer[Playbook]) -> None:
        values = serializer.validated_data
        before = "" if playbook.version is None else playbook.version.text
        draft = playbooks.Draft(
            values.get("version", {}).get("text", before), values.get("enabled", playbook.enabled)
        )
        serializer.instance = playbooks.save_playbook(playbook, draft, self.author)

    def remove(self, row: Playbook) -> None:
        playbooks.delete_playbook(row, self.author)

    @extend_schema(responses=serializers.PlaybookVersionSerializer(many=True))
    @action(detail=True)
    def versions(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Every text that was saved, the newest first."""
        rows = PlaybookVersion.objects.for_tenant(self.grant.tenant_id).filter(playbook=self.get_object())
        found = rows.order_by("-number")[: CursorPages.max_page_size]
        return Response(serializers.PlaybookVersionSerializer(found, many=True).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def arm(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let runs of this version act. Only a person may."""
        return self._shown(playbooks.arm(self.get_object(), self.author, is_person=self.is_person))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def disarm(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it rehearse only."""
        return self._shown(playbooks.disarm(self.get_object(), self.author))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="reset-breaker")
    def reset_breaker(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it start again after too many failures. Only a person may."""
        return self._shown(playbooks.reset_breaker(self.get_object(), self.author, is_person=self.is_person))

    @extend_schema(request=serializers.WishSerializer, responses={202: serializers.HealingRunSerializer})
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Look at what it would do about a past alert, or these labels."""
        return self._start(dry=True)

    @extend_schema(request=serializers.WishSerializer, responses={202: serializers.HealingRunSerializer})
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Run it. Only a person may, and the playbook must be armed."""
        return self._start(dry=False)

    def _start(self, *, dry: bool) -> Response:
        playbook = self.get_object()
        asked = self.read(serializers.WishSerializer)
        wish = starting.Wish(
            asked.get("labels", {}), asked.get("annotations", {}), asked.get("alert"), dry=dry
        )
        run = starting.start_by_hand(playbook, wish, self.author, is_person=self.is_person)
        return Response(serializers.HealingRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    def _shown(self, playbook: Playbook) -> Response:
        return Response(self.get_serializer(playbook).data)


class PlaybookCheckView(Asked, TenantView):
    """Whether a text can be saved. Changes nothing, so reading is enough."""

    write_scope: ClassVar[str] = READ

    @extend_schema(request=serializers.TextSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's interface)
        """Every fault with its line and column."""
        found = playbooks.problems_of(self.read(serializers.TextSerializer)["text"])
        problems = [{"line": one.line, "column": one.column, "reason": one.reason} for one in found]
        return Response({"valid": not found, "problems": problems})


class HealingRunViewSet(Asked, mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Runs of playbooks."""

    nothing = HealingRun.across_tenants.none()
    serializer_class = serializers.HealingRunSerializer
    filterset_class = RunFilter
    pagination_class = NewestRun

    def rows(self) -> QuerySet[HealingRun]:
        return HealingRun.objects.for_tenant(self.grant.tenant_id)

    @extend_schema(responses=serializers.HealingStorySerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 (DRF's interface)
        """A run with its whole story."""
        return Response(serializers.HealingStorySerializer(self.get_object()).data)

    @extend_schema(request=serializers.VoteSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def approve(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Say yes to what the run showed. Not its author's, nor of whoever started it, nor a machine's."""
        return self._vote(approves=True)

    @extend_schema(request=serializers.VoteSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def reject(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Say no."""
        return self._vote(approves=False)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], filterset_class=None)
    def cancel(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Have it take no further step."""
        run = self.get_object()
        return self._shown(handling.cancel(run.tenant_id, run.pk, self.author))

    @extend_schema(request=serializers.SettleSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def settle(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Say whether the uncertain step happened. Only a person may."""
        run = self.get_object()
        happened = self.read(serializers.SettleSerializer)["happened"]
        done = handling.settle(
            run.tenant_id, run.pk, self.author, happened=happened, is_person=self.is_person
        )
        return self._shown(done)

    def _vote(self, *, approves: bool) -> Response:
        run = self.get_object()
        asked = self.read(serializers.VoteSerializer)
        said = approving.Said(approves, asked["comment"], asked["subject"], asked["plan_hash"])
        return self._shown(approving.vote(run.tenant_id, run.pk, said, self.author, is_person=self.is_person))

    def _shown(self, run: HealingRun) -> Response:
        return Response(serializers.HealingRunSerializer(run).data)


class HealingPolicyView(Asked, TenantView):
    """What the tenant allows all of its playbooks."""

    @extend_schema(responses=serializers.HealingPolicySerializer)
    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's interface)
        """The policy that holds."""
        return Response(serializers.HealingPolicySerializer(policy_of(self.grant.tenant_id)).data)

    @extend_schema(request=serializers.HealingPolicySerializer, responses=serializers.HealingPolicySerializer)
    def patch(self, request: Request) -> Response:
        """Change it. Only an owner may."""
        check_owner(self.grant.tenant_id, request.user)
        policy = policy_of(self.grant.tenant_id)
        asked = serializers.HealingPolicySerializer(policy, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        for name, value in asked.validated_data.items():
            setattr(policy, name, value)
        saved = save_policy(policy, Author(self.actor, self.now))
        return Response(serializers.HealingPolicySerializer(saved).data)

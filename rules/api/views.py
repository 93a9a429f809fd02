"""REST views of rules, alerts and deliveries."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from alertsite.core.clock import from_datetime
from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from rules.api import serializers
from rules.api.filters import AlertFilter, MessageFilter, RuleFilter, TransitionFilter
from rules.api.handling import HandledAlerts
from rules.api.trying import TriedReceivers
from rules.models import (
    AlertInstance,
    AlertTransition,
    Datasource,
    LedgerEntry,
    OutboxMessage,
    Receiver,
    Rule,
    RuleGroup,
    ToldAlert,
)
from rules.notify.wording import LANGUAGES
from rules.services import authoring, datasources, delivery, receivers, tracing
from rules.services.authoring import RuleDraft
from rules.services.linting import warnings_after_save

GRACE = timedelta(seconds=30)
"""How long an alert may be on its way before it counts as undelivered."""


class ByPosition(CursorPages):
    """Rules as they stand in their groups."""

    ordering = ("group_id", "position", "id")


class NewestActive(CursorPages):
    """Alerts, the newest first."""

    ordering = ("-active_since", "id")


class NewestChange(CursorPages):
    """Transitions, the newest first."""

    ordering = ("-at", "id")


class NewestMessage(CursorPages):
    """Messages, the newest first."""

    ordering = ("-created_at", "id")


class NewestTick(CursorPages):
    """Ledger, the newest first."""

    ordering = ("-due_at", "id")


class RuleGroupViewSet(EditableViewSet):
    """Rule groups."""

    nothing = RuleGroup.across_tenants.none()
    serializer_class = serializers.RuleGroupSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[RuleGroup]:
        return RuleGroup.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: RuleGroup) -> RuleGroup:
        return authoring.save_group(row, self.author)

    def remove(self, row: RuleGroup) -> None:
        authoring.delete_group(row, self.author)


class RuleViewSet(EditableViewSet):
    """Rules. Each save is a version."""

    nothing = Rule.across_tenants.none()
    serializer_class = serializers.RuleSerializer
    filterset_class = RuleFilter
    pagination_class = ByPosition

    def rows(self) -> QuerySet[Rule]:
        return Rule.objects.for_tenant(self.grant.tenant_id).select_related("group")

    def perform_create(self, serializer: BaseSerializer[Rule]) -> None:
        """Save by the service; warn of what lint finds."""
        assert isinstance(serializer, serializers.RuleSerializer)
        group = serializer.validated_data["group"]
        draft = serializer.draft(None)
        serializer.instance = authoring.save_rule(group, draft, self.author)
        self._warn(serializer, draft, group)

    def perform_update(self, serializer: BaseSerializer[Rule]) -> None:
        """Save a version by the service; warn of what lint finds."""
        assert isinstance(serializer, serializers.RuleSerializer)
        rule = serializer.instance
        assert rule is not None
        group = serializer.validated_data.get("group", rule.group)
        draft = serializer.draft(authoring.draft_of(rule))
        authoring.save_rule(group, draft, self.author, rule=rule)
        self._warn(serializer, draft, group)

    def _warn(self, serializer: serializers.RuleSerializer, draft: RuleDraft, group: RuleGroup) -> None:
        """Answer a save with what lint says of it."""
        advice = warnings_after_save(self.grant.tenant_id, draft, group)
        serializer.instance.warnings = [asdict(one) for one in advice]  # type: ignore[union-attr]

    def remove(self, row: Rule) -> None:
        authoring.delete_rule(row, self.author)

    @action(detail=True, serializer_class=serializers.RuleVersionSerializer, filterset_class=None)
    def versions(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Every version, the newest first."""
        return Response(self.get_serializer(self.get_object().versions.all(), many=True).data)

    @action(detail=True, methods=["post"], filterset_class=None)
    def pause(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Stop evaluating; its alerts resolve."""
        return self._change_state(Rule.State.PAUSED)

    @action(detail=True, methods=["post"], filterset_class=None)
    def activate(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Evaluate from now on."""
        return self._change_state(Rule.State.ACTIVE)

    @action(detail=True, methods=["post"], filterset_class=None)
    def archive(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Keep for the record only."""
        return self._change_state(Rule.State.ARCHIVED)

    def _change_state(self, state: str) -> Response:
        rule = authoring.change_state(self.get_object(), state, self.author)
        return Response(self.get_serializer(rule).data)


class AlertViewSet(HandledAlerts, mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Active alerts; one that has resolved is still found by its id."""

    nothing = AlertInstance.across_tenants.none()
    serializer_class = serializers.AlertSerializer
    filterset_class = AlertFilter
    pagination_class = NewestActive

    def rows(self) -> QuerySet[AlertInstance]:
        return AlertInstance.objects.for_tenant(self.grant.tenant_id)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """The active alert, or the last change of one that is over."""
        alert = self.rows().filter(pk=kwargs["pk"]).first()
        if alert is not None:
            return Response(self.get_serializer(alert).data)
        history = self._history(kwargs["pk"])
        last = history.filter(state="resolved").first() or history.last()
        if last is None:
            raise Http404
        return Response(
            {
                "id": last.alert_id,
                "rule": last.rule_id,
                "state": last.state,
                "labels": last.labels,
                "annotations": last.annotations,
                "value": last.value,
                "resolved_at": last.at,
            }
        )

    @action(detail=True, serializer_class=serializers.TransitionSerializer, filterset_class=None)
    def transitions(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Every change of state, in order."""
        history = self._history(pk)
        if not history:
            raise Http404
        return Response(self.get_serializer(history, many=True).data)

    @action(detail=True, filterset_class=None)
    def trace(self, request: Request, pk: UUID) -> Response:
        """The whole story in order, and why people were or were not told; `?language=fr` in French."""
        found = tracing.trace(self.grant.tenant_id, pk)
        if found is None:
            raise Http404
        asked = request.query_params.get("language", "en")
        language = asked if asked in LANGUAGES else "en"
        entries, verdict = tracing.in_words(found, language)
        return Response({"alert": pk, "language": language, "verdict": verdict, "entries": entries})

    def _history(self, alert_id: UUID) -> QuerySet[AlertTransition]:
        return (
            AlertTransition.objects.for_tenant(self.grant.tenant_id)
            .filter(alert_id=alert_id)
            .order_by("at", "id")
        )


class TransitionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """History of every alert."""

    nothing = AlertTransition.across_tenants.none()
    serializer_class = serializers.TransitionSerializer
    filterset_class = TransitionFilter
    pagination_class = NewestChange

    def rows(self) -> QuerySet[AlertTransition]:
        return AlertTransition.objects.for_tenant(self.grant.tenant_id)


class ReceiverViewSet(TriedReceivers, EditableViewSet):
    """Receivers."""

    nothing = Receiver.across_tenants.none()
    serializer_class = serializers.ReceiverSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[Receiver]:
        return Receiver.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: Receiver) -> Receiver:
        return receivers.save_receiver(row, self.author)

    def remove(self, row: Receiver) -> None:
        receivers.delete_receiver(row, self.author)


class DatasourceViewSet(EditableViewSet):
    """Prometheus-compatible servers that answer the queries of rules."""

    nothing = Datasource.across_tenants.none()
    serializer_class = serializers.DatasourceSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[Datasource]:
        return Datasource.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: Datasource) -> Datasource:
        return datasources.save_datasource(row, self.author)

    def remove(self, row: Datasource) -> None:
        datasources.delete_datasource(row, self.author)

    @extend_schema(request=None, responses=serializers.ProbeSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Ask it for the value of `1` and for its version."""
        found = datasources.probe(self.get_object(), now_ms=from_datetime(self.now))
        return Response(asdict(found))


class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """The outbox: every notification, with each attempt."""

    nothing = OutboxMessage.across_tenants.none()
    serializer_class = serializers.MessageSerializer
    filterset_class = MessageFilter
    pagination_class = NewestMessage

    def rows(self) -> QuerySet[OutboxMessage]:
        """Messages with their attempts and what each tells."""
        messages = OutboxMessage.objects.for_tenant(self.grant.tenant_id)
        told = Prefetch(
            "told", ToldAlert.objects.for_tenant(self.grant.tenant_id).select_related("transition")
        )
        return messages.prefetch_related("history", told)

    @action(detail=False, serializer_class=serializers.TransitionSerializer, filterset_class=None)
    def undelivered(self, request: Request) -> Response:  # noqa: ARG002 (DRF's interface)
        """Alerts that fired and nobody was told of, though nothing kept them silent: there should be none."""
        rows = tracing.undelivered(self.grant.tenant_id, before=self.now - GRACE)
        return Response(self.get_serializer(rows, many=True).data)


class DeadLetterViewSet(DeliveryViewSet):
    """Notifications that were given up."""

    def rows(self) -> QuerySet[OutboxMessage]:
        return super().rows().filter(status=OutboxMessage.Status.DEAD)

    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Make it due again, with the same idempotency key."""
        delivery.replay_dead(self.get_object(), now=self.now)
        return Response(status=status.HTTP_202_ACCEPTED)


class LedgerViewSet(mixins.ListModelMixin, TenantViewSet):
    """What became of each tick of each shard."""

    nothing = LedgerEntry.across_tenants.none()
    serializer_class = serializers.TickSerializer
    pagination_class = NewestTick

    def rows(self) -> QuerySet[LedgerEntry]:
        return LedgerEntry.objects.for_tenant(self.grant.tenant_id).select_related("layout")

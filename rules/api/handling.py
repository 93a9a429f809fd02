"""What people do with alerts, by REST: one alert below its address, many with `POST /api/alerts/bulk/`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.views import TenantView
from rules.api.serializers import DurationField
from rules.models import AlertAction, AlertInstance, AlertTransition, Feedback
from rules.services.authoring import Author
from rules.services.handling import MAX_AT_ONCE, Handler

ACTIONS = (
    "acknowledge",
    "unacknowledge",
    "assign",
    "comment",
    "snooze",
    "unsnooze",
    "undamp",
    "resolve",
)
LONGEST_TEXT = 5_000


class HandlingSerializer(serializers.Serializer[Any]):
    """What an action needs: `text` of a comment or reason, `assignee`, `until` or `for` of a snooze."""

    text = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_TEXT, default="")
    assignee = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    until = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """The fields, with `for`, which is no name Python allows."""
        return super().get_fields() | {"for": DurationField(required=False)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An action that waits needs its end."""
        wants = attrs.get("action") or self.context["action"]
        if wants == "snooze" and "until" not in attrs and "for" not in attrs:
            raise serializers.ValidationError({"until": "a snooze needs `until` or `for`"})
        if wants == "comment" and not attrs["text"].strip():
            raise serializers.ValidationError({"text": "a comment needs a text"})
        return attrs


class BulkSerializer(HandlingSerializer):
    """An action on many alerts."""

    action = serializers.ChoiceField(choices=ACTIONS)
    alerts = serializers.ListField(child=serializers.UUIDField(), max_length=MAX_AT_ONCE, required=False)
    labels = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="Instead of `alerts`: all with these.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Which alerts has to be said, in one way."""
        if ("alerts" in attrs) == ("labels" in attrs):
            raise serializers.ValidationError({"alerts": "say either `alerts` or `labels`"})
        return super().validate(attrs)


def carry_out(handler: Handler, what: str, alerts: list[UUID], values: dict[str, Any]) -> int:
    """Do what was asked. How many alerts it changed."""
    text = values["text"]
    if what == "assign":
        return handler.assign(alerts, values["assignee"])
    if what == "snooze":
        until = values.get("until") or handler.author.now + timedelta(seconds=values["for"])
        return handler.snooze(alerts, until, text)
    if what in ("unsnooze", "undamp"):
        return handler.unsnooze(alerts) if what == "unsnooze" else handler.undamp(alerts)
    perform = {
        "acknowledge": handler.acknowledge,
        "unacknowledge": handler.unacknowledge,
        "comment": handler.comment,
        "resolve": handler.resolve,
    }[what]
    return perform(alerts, text)


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    """Whether an alert was useful or noise."""

    verdict = serializers.ChoiceField(choices=[Feedback.Verdict.USEFUL, Feedback.Verdict.NOISE])

    class Meta:
        model = Feedback
        fields = [
            "id",
            "verdict",
            "comment",
            "alert_id",
            "rule",
            "labels",
            "starts_at",
            "ends_at",
            "actor",
            "at",
        ]
        read_only_fields = ["id", "alert_id", "rule", "labels", "starts_at", "ends_at", "actor", "at"]


class ActionSerializer(serializers.ModelSerializer[AlertAction]):
    """One thing a person did with an alert."""

    class Meta:
        model = AlertAction
        fields = ["kind", "actor", "at", "text"]


class BulkView(TenantView):
    """`POST /api/alerts/bulk/`: one action on many alerts."""

    @extend_schema(request=BulkSerializer, responses={200: dict[str, int]})
    def post(self, request: Request) -> Response:
        """Carry it out on those that fire. Answers how many changed."""
        asked = BulkSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        if "labels" in values:
            rows = AlertInstance.objects.for_tenant(self.grant.tenant_id).filter(
                state="firing", labels__contains=values["labels"]
            )
            alerts = list(rows.order_by().values_list("pk", flat=True)[:MAX_AT_ONCE])
        else:
            alerts = values["alerts"]
        handler = Handler(self.grant.tenant_id, Author(self.actor, self.now))
        return Response({"changed": carry_out(handler, values["action"], alerts, values)})


class HandledAlerts:
    """Mixed into the view of alerts: an address for each action below an alert's own."""

    def _known(self, alert_id: UUID) -> None:
        view: Any = self
        if not AlertTransition.objects.for_tenant(view.grant.tenant_id).filter(alert_id=alert_id).exists():
            raise Http404

    def _handle(self, request: Request, alert_id: UUID, what: str) -> Response:
        view: Any = self
        self._known(alert_id)
        asked = HandlingSerializer(data=request.data, context={"action": what})
        asked.is_valid(raise_exception=True)
        handler = Handler(view.grant.tenant_id, Author(view.actor, view.now))
        return Response({"changed": carry_out(handler, what, [alert_id], asked.validated_data)})

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def acknowledge(self, request: Request, pk: UUID) -> Response:
        """Say that somebody is on it: no repeats, no escalation."""
        return self._handle(request, pk, "acknowledge")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def unacknowledge(self, request: Request, pk: UUID) -> Response:
        """Take an acknowledgement back."""
        return self._handle(request, pk, "unacknowledge")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def assign(self, request: Request, pk: UUID) -> Response:
        """Say whose it is."""
        return self._handle(request, pk, "assign")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def comment(self, request: Request, pk: UUID) -> Response:
        """Say something about it."""
        return self._handle(request, pk, "comment")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def snooze(self, request: Request, pk: UUID) -> Response:
        """Not to be told of it until a moment."""
        return self._handle(request, pk, "snooze")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def unsnooze(self, request: Request, pk: UUID) -> Response:
        """To be told of it again."""
        return self._handle(request, pk, "unsnooze")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def undamp(self, request: Request, pk: UUID) -> Response:
        """Tell of it as of others, though it flaps."""
        return self._handle(request, pk, "undamp")

    @action(detail=True, methods=["post"], serializer_class=HandlingSerializer, filterset_class=None)
    def resolve(self, request: Request, pk: UUID) -> Response:
        """Say that it is over for people."""
        return self._handle(request, pk, "resolve")

    @action(detail=True, serializer_class=ActionSerializer, filterset_class=None)
    def actions(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """What people did with it, in order."""
        view: Any = self
        self._known(pk)
        rows = AlertAction.objects.for_tenant(view.grant.tenant_id).filter(alert_id=pk)
        return Response(ActionSerializer(rows, many=True).data)

    @action(detail=True, methods=["post"], serializer_class=FeedbackSerializer, filterset_class=None)
    def feedback(self, request: Request, pk: UUID) -> Response:
        """Say whether it was useful or noise."""
        view: Any = self
        self._known(pk)
        asked = FeedbackSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        handler = Handler(view.grant.tenant_id, Author(view.actor, view.now))
        verdict, comment = asked.validated_data["verdict"], asked.validated_data.get("comment", "")
        return Response(FeedbackSerializer(handler.judge(pk, verdict, comment)).data, status=201)

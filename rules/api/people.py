"""People, teams, on-call schedules and escalation policies, by REST."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from rules.alerts.notation import FIRST_YEAR, LAST_YEAR
from rules.api.serializers import DurationField
from rules.api.tokened import TokenView
from rules.models import (
    Escalation,
    EscalationPolicy,
    EscalationStep,
    OnCallOverride,
    OnCallSchedule,
    Person,
    Receiver,
    Team,
)
from rules.services import people, schedules

MAX_CALENDAR = 1 << 20


def _within_years(moment: datetime) -> None:
    """Refuse what no time zone could shift without leaving the calendar."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise serializers.ValidationError(f"year {moment.year} is none of {FIRST_YEAR} to {LAST_YEAR}")


class CalendarParser(BaseParser):
    """A calendar as its text."""

    media_type = "text/calendar"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        """The text.

        Raises
        ------
        ParseError
            If it is too long, no UTF-8, or holds a NUL.
        """
        body: bytes = stream.read(MAX_CALENDAR + 1)
        if len(body) > MAX_CALENDAR or b"\0" in body:
            raise ParseError(f"the calendar is longer than {MAX_CALENDAR} bytes, or holds a NUL")
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise ParseError(f"the calendar is no UTF-8: {error}") from None


class NewestEscalation(CursorPages):
    """Escalations, the newest first."""

    ordering = ("-started_at", "id")


class ByStart(CursorPages):
    """Overrides by when they begin."""

    ordering = ("starts_at", "id")


class OwnSerializer(serializers.ModelSerializer[Any]):
    """A row that names others of the tenant: `own` has the model behind each such field."""

    own: ClassVar[Mapping[str, type[Any]]] = {}

    def get_fields(self) -> dict[str, Any]:
        """The fields, each choosing among the tenant's rows; none while the OpenAPI document is made."""
        fields = super().get_fields()
        grant = getattr(self.context.get("view"), "grant", None)
        for name, model in self.own.items():
            choice: Any = getattr(fields[name], "child_relation", fields[name])
            nothing = model.across_tenants.none()
            choice.queryset = nothing if grant is None else model.objects.for_tenant(grant.tenant_id)
        return fields


class PersonSerializer(OwnSerializer):
    """Somebody who is told, and by which receivers."""

    own = {"receivers": Receiver}

    class Meta:
        model = Person
        fields = ["id", "name", "receivers", "language"]
        read_only_fields = ["id"]


class TeamSerializer(OwnSerializer):
    """People who are told together."""

    own = {"members": Person}

    class Meta:
        model = Team
        fields = ["id", "name", "members"]
        read_only_fields = ["id"]


class ScheduleSerializer(serializers.ModelSerializer[OnCallSchedule]):
    """Who is on call when. `calendar` is where calendar programs subscribe."""

    layers = serializers.JSONField(required=False)
    ical = serializers.CharField(required=False, allow_blank=True, max_length=MAX_CALENDAR)
    calendar = serializers.SerializerMethodField()

    class Meta:
        model = OnCallSchedule
        fields = ["id", "name", "timezone", "layers", "ical", "calendar"]
        read_only_fields = ["id"]

    def get_calendar(self, schedule: OnCallSchedule) -> str:
        """The address of its calendar."""
        return schedules.calendar_url(schedule)


class OverrideSerializer(OwnSerializer):
    """Somebody takes a shift in everyone's place."""

    own = {"schedule": OnCallSchedule, "person": Person}

    class Meta:
        model = OnCallOverride
        fields = ["id", "schedule", "person", "starts_at", "ends_at", "author"]
        read_only_fields = ["id", "author"]
        extra_kwargs = {name: {"validators": [_within_years]} for name in ("starts_at", "ends_at")}


class PolicySerializer(OwnSerializer):
    """Timed steps: whom to tell after how long."""

    own = {"hand_over_to": EscalationPolicy}
    steps = serializers.JSONField()
    repeat_delay = DurationField(source="repeat_delay_s", required=False)

    class Meta:
        model = EscalationPolicy
        fields = ["id", "name", "steps", "repeat_count", "repeat_delay", "hand_over_to"]
        read_only_fields = ["id"]


class StepSerializer(serializers.ModelSerializer[EscalationStep]):
    """A step that was taken."""

    class Meta:
        model = EscalationStep
        fields = ["at", "round", "step", "told", "message"]


class EscalationSerializer(serializers.ModelSerializer[Escalation]):
    """A policy at work on a group."""

    group_key = serializers.CharField(source="group.group_key")
    taken = StepSerializer(many=True)

    class Meta:
        model = Escalation
        fields = [
            "id",
            "policy",
            "group_key",
            "status",
            "step",
            "round",
            "started_at",
            "next_at",
            "ended_at",
            "taken",
        ]


class MomentSerializer(serializers.Serializer[Any]):
    """`?at=`: a moment, now without it."""

    at = serializers.DateTimeField(required=False, validators=[_within_years])


class SpanSerializer(serializers.Serializer[Any]):
    """`?from=&to=`: a span, the coming week without them."""

    to = serializers.DateTimeField(required=False, validators=[_within_years])

    def get_fields(self) -> dict[str, Any]:
        """The fields, with `from`, which is no name Python allows."""
        begin = serializers.DateTimeField(required=False, validators=[_within_years])
        return super().get_fields() | {"from": begin}


class NamedSerializer(serializers.ModelSerializer[Person]):
    """A person in a shift."""

    class Meta:
        model = Person
        fields = ["id", "name"]


class ShiftSerializer(serializers.Serializer[Any]):
    """People on call for a time; the end is excluded."""

    people = NamedSerializer(many=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class RelatedViewSet(EditableViewSet):
    """Base of the resources whose rows are related to several others, in one field."""

    relation: ClassVar[str]

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = dict(serializer.validated_data)
        related = {self.relation: values.pop(self.relation, [])}
        row = self.nothing.model(tenant_id=self.grant.tenant_id, **values)
        serializer.instance = people.save(row, self.author, related)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Save by the service, with what is related."""
        values = dict(serializer.validated_data)
        related = {self.relation: values.pop(self.relation)} if self.relation in values else {}
        row: Any = serializer.instance
        for name, value in values.items():
            setattr(row, name, value)
        people.save(row, self.author, related)

    def remove(self, row: Any) -> None:
        people.delete(row, self.author)


class PersonViewSet(RelatedViewSet):
    """People."""

    nothing = Person.across_tenants.none()
    serializer_class = PersonSerializer
    pagination_class = ByName
    relation = "receivers"

    def rows(self) -> QuerySet[Person]:
        return Person.objects.for_tenant(self.grant.tenant_id).prefetch_related("receivers")


class TeamViewSet(RelatedViewSet):
    """Teams."""

    nothing = Team.across_tenants.none()
    serializer_class = TeamSerializer
    pagination_class = ByName
    relation = "members"

    def rows(self) -> QuerySet[Team]:
        return Team.objects.for_tenant(self.grant.tenant_id).prefetch_related("members")


class ScheduleViewSet(EditableViewSet):
    """On-call schedules."""

    nothing = OnCallSchedule.across_tenants.none()
    serializer_class = ScheduleSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[OnCallSchedule]:
        return OnCallSchedule.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: OnCallSchedule) -> OnCallSchedule:
        return people.save(row, self.author)

    def remove(self, row: OnCallSchedule) -> None:
        people.delete(row, self.author)

    @extend_schema(parameters=[MomentSerializer], responses={200: dict[str, Any]})
    @action(detail=True, url_path="on-call")
    def on_call(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Who is on call at a moment."""
        asked = MomentSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data.get("at", self.now)
        found = schedules.people_on_call(self.get_object(), at)
        return Response({"at": at, "people": NamedSerializer(found, many=True).data})

    @extend_schema(parameters=[SpanSerializer], responses=ShiftSerializer(many=True))
    @action(detail=True)
    def shifts(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """The shifts of a span, in order."""
        asked = SpanSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        starts_at: datetime = asked.validated_data.get("from", self.now)
        ends_at = asked.validated_data.get("to", starts_at + timedelta(days=7))
        found = schedules.shifts(self.get_object(), starts_at, ends_at)
        return Response(ShiftSerializer(found, many=True).data)

    @extend_schema(request={"text/calendar": str}, responses=ScheduleSerializer)
    @action(detail=True, methods=["put"], parser_classes=[CalendarParser])
    def ical(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Follow the calendar that is sent, as text/calendar."""
        schedule = self.get_object()
        schedule.ical = request.data
        return Response(self.get_serializer(self.save(schedule)).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="replace-calendar")
    def replace_calendar(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Make the calendar's address void, for another."""
        schedule = schedules.replace_calendar_url(self.get_object(), self.author)
        return Response(self.get_serializer(schedule).data)


class OverrideViewSet(EditableViewSet):
    """Overrides of on-call schedules."""

    nothing = OnCallOverride.across_tenants.none()
    serializer_class = OverrideSerializer
    pagination_class = ByStart

    def rows(self) -> QuerySet[OnCallOverride]:
        return OnCallOverride.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: OnCallOverride) -> OnCallOverride:
        row.author = self.actor
        return people.save(row, self.author)

    def remove(self, row: OnCallOverride) -> None:
        people.delete(row, self.author)


class PolicyViewSet(EditableViewSet):
    """Escalation policies."""

    nothing = EscalationPolicy.across_tenants.none()
    serializer_class = PolicySerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[EscalationPolicy]:
        return EscalationPolicy.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: EscalationPolicy) -> EscalationPolicy:
        return people.save(row, self.author)

    def remove(self, row: EscalationPolicy) -> None:
        people.delete(row, self.author)


class EscalationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Escalations with the steps they took."""

    nothing = Escalation.across_tenants.none()
    serializer_class = EscalationSerializer
    pagination_class = NewestEscalation

    def rows(self) -> QuerySet[Escalation]:
        rows = Escalation.objects.for_tenant(self.grant.tenant_id).select_related("group")
        return rows.prefetch_related("taken")


class CalendarView(TokenView):
    """`/ical/<token>/schedule.ics`: the shifts of a schedule, for calendar programs."""

    throttle_scope = "read"

    @extend_schema(responses={(200, "text/calendar"): str})
    def get(self, request: Request, token: str) -> HttpResponse:  # noqa: ARG002 (DRF's interface)
        text = schedules.calendar_of(token, now=to_datetime(SystemClock().now_ms()))
        return HttpResponse(text, content_type="text/calendar; charset=utf-8")

"""Reports over REST: their schedules, the reports that were made, and both forms of each for download."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from alertsite.web.downloads import page_response, pdf_response
from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from rules.models import Report, ReportSchedule
from rules.reports.rendering import file_name
from rules.services import reporting, reportschedules
from rules.services.reportschedules import Timing

_HEAVY: Final = ("facts", "html", "pdf")


class ReportScheduleSerializer(serializers.ModelSerializer[ReportSchedule]):
    """When a report is made, what it tells, and who gets it."""

    crontab = serializers.CharField(
        max_length=300, help_text="Minute, hour, day of month, month, day of week: `0 7 * * 1`."
    )
    timezone = serializers.CharField(
        max_length=63, required=False, help_text="In which it is read, and days begin. Default: UTC."
    )

    class Meta:
        model = ReportSchedule
        fields = [
            "id",
            "name",
            "kind",
            "crontab",
            "timezone",
            "recipients",
            "language",
            "options",
            "enabled",
            "created_at",
        ]
        read_only_fields = ["id", "created_at"]


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report, without what it says."""

    class Meta:
        model = Report
        fields = [
            "id",
            "schedule",
            "name",
            "kind",
            "language",
            "timezone",
            "period_start",
            "period_end",
            "status",
            "cause",
            "recipients",
            "receipts",
            "attempts",
            "created_at",
            "finished_at",
            "delivered_at",
        ]
        read_only_fields = fields


class ReportFactsSerializer(ReportSerializer):
    """A report with its numbers."""

    class Meta(ReportSerializer.Meta):
        fields = [*ReportSerializer.Meta.fields, "facts"]
        read_only_fields = fields


class ReportFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """Reports."""

    class Meta:
        model = Report
        fields = ["schedule", "kind", "status"]


class NewestReport(CursorPages):
    """Reports, the newest first."""

    ordering = ("-created_at", "id")


class ReportScheduleViewSet(EditableViewSet):
    """Schedules of reports. `POST run/` makes one of the last whole period now."""

    nothing = ReportSchedule.across_tenants.none()
    serializer_class = ReportScheduleSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[ReportSchedule]:
        schedules = ReportSchedule.objects.for_tenant(self.grant.tenant_id)
        return schedules.select_related("periodic_task__crontab")

    def perform_create(self, serializer: BaseSerializer[ReportSchedule]) -> None:
        values = dict(serializer.validated_data)
        timing = Timing(values.pop("crontab"), values.pop("timezone", "UTC"))
        row = ReportSchedule(tenant_id=self.grant.tenant_id, **values)
        serializer.instance = reportschedules.save_schedule(row, timing, self.author)

    def perform_update(self, serializer: BaseSerializer[ReportSchedule]) -> None:
        """Save by the service, with the crontab."""
        row, values = serializer.instance, dict(serializer.validated_data)
        assert row is not None
        timing = Timing(values.pop("crontab", row.crontab), values.pop("timezone", row.timezone))
        for name, value in values.items():
            setattr(row, name, value)
        reportschedules.save_schedule(row, timing, self.author)

    def remove(self, row: ReportSchedule) -> None:
        reportschedules.delete_schedule(row, self.author)

    @extend_schema(request=None, responses={202: ReportSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Ask for a report of the last whole period, sent as the scheduled ones are."""
        report = reporting.run_now(self.get_object(), self.author)
        return Response(ReportSerializer(report).data, status=status.HTTP_202_ACCEPTED)


class ReportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Reports that were made, or are due."""

    nothing = Report.across_tenants.none()
    filterset_class = ReportFilter
    pagination_class = NewestReport

    def rows(self) -> QuerySet[Report]:
        reports = Report.objects.for_tenant(self.grant.tenant_id)
        return reports.defer(*_HEAVY) if self.action == "list" else reports

    def get_serializer_class(self) -> type[ReportSerializer]:
        """The numbers come with one report, not with many."""
        return ReportSerializer if self.action == "list" else ReportFactsSerializer

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, filterset_class=None)
    def html(self, request: Request, pk: UUID) -> HttpResponse:  # noqa: ARG002 (DRF's interface)
        """The report as a page."""
        return page_response(self.get_object().html)

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, filterset_class=None)
    def pdf(self, request: Request, pk: UUID) -> HttpResponse:  # noqa: ARG002 (DRF's interface)
        """The report as PDF."""
        report = self.get_object()
        return pdf_response(report.pdf, file_name(report.kind, report.period_end))

"""Admin of reports: schedules with their crontab, a report now, and both forms for download."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from alertsite.web.admin import ReadOnlyAdmin
from alertsite.web.downloads import page_response, pdf_response
from rules.admin.presenting import author_of, pretty
from rules.models import Report, ReportSchedule
from rules.reports.rendering import file_name
from rules.services import reporting, reportschedules
from rules.services.reportschedules import InvalidReportSchedule, Timing


class ReportScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    """The schedule with its crontab, which is a row of django-celery-beat."""

    crontab = forms.CharField(
        initial="0 7 * * 1",
        help_text="Minute, hour, day of month, month, day of week.",
        widget=UnfoldAdminTextInputWidget,
    )
    timezone = forms.CharField(
        initial="UTC", help_text="Such as Europe/Paris.", widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = ReportSchedule
        fields = ["tenant", "name", "kind", "recipients", "language", "options", "enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.periodic_task is not None:
            self.initial.update(crontab=self.instance.crontab, timezone=self.instance.timezone)

    def clean(self) -> dict[str, Any]:
        """Say at each field what is wrong with it."""
        values = super().clean() or {}
        if self.errors:
            return values
        draft = ReportSchedule(
            tenant=values["tenant"],
            kind=values["kind"],
            recipients=values["recipients"] or [],
            options=values["options"] or {},
        )
        try:
            reportschedules.check_schedule(draft, self.timing)
        except InvalidReportSchedule as error:
            raise ValidationError(error.errors) from None
        return values

    @property
    def timing(self) -> Timing:
        """When, as the form says."""
        return Timing(self.cleaned_data["crontab"], self.cleaned_data["timezone"])


@admin.register(ReportSchedule)
class ReportScheduleAdmin(ModelAdmin):  # type: ignore[misc]
    form = ReportScheduleForm
    list_display = ["name", "tenant", "kind", "crontab", "timezone", "language", "enabled"]
    list_filter = ["tenant", "kind", "enabled"]
    list_select_related = ["tenant", "periodic_task__crontab"]
    search_fields = ["name"]
    actions = ["run_now"]

    @admin.action(description="Make reports now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        """Ask for a report of the last whole period of each."""
        for schedule in queryset.select_related("periodic_task__crontab"):
            reporting.run_now(schedule, author_of(request))
        messages.success(request, "The reports are due; they are made and sent within a minute.")

    def save_model(
        self,
        request: HttpRequest,
        obj: ReportSchedule,
        form: ReportScheduleForm,
        change: Any,  # noqa: ARG002
    ) -> None:
        """Save by the service, with the crontab."""
        obj.recipients, obj.options = obj.recipients or [], obj.options or {}
        reportschedules.save_schedule(obj, form.timing, author_of(request))

    def delete_model(self, request: HttpRequest, obj: ReportSchedule) -> None:
        reportschedules.delete_schedule(obj, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        for schedule in queryset:
            reportschedules.delete_schedule(schedule, author_of(request))


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ["name", "tenant", "kind", "period_start", "period_end", "status", "delivered_at"]
    list_filter = ["tenant", "kind", "status"]
    list_select_related = ["tenant"]
    fields = [
        "name",
        "tenant",
        "schedule",
        "kind",
        "language",
        "timezone",
        "period_start",
        "period_end",
        "status",
        "cause",
        "created_at",
        "finished_at",
        "delivered_at",
        "mail",
        "numbers",
    ]
    actions_detail = ["page", "pdf"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        reports: QuerySet[Report] = super().get_queryset(request)
        return reports.defer("html", "pdf", "facts")

    @admin.display(description="receipts")
    def mail(self, report: Report) -> str:
        """What became of the mail, by recipient."""
        return pretty(report.receipts)

    @admin.display(description="facts")
    def numbers(self, report: Report) -> str:
        """Every number of the report."""
        return pretty(report.facts)

    @action(description="Show the page", url_path="page", permissions=["view"])  # type: ignore[untyped-decorator]
    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:  # noqa: ARG002
        """The report as a page."""
        return page_response(get_object_or_404(Report.across_tenants, pk=object_id).html)

    @action(description="Download the PDF", url_path="pdf", permissions=["view"])  # type: ignore[untyped-decorator]
    def pdf(self, request: HttpRequest, object_id: UUID) -> HttpResponse:  # noqa: ARG002
        """The report as PDF."""
        report = get_object_or_404(Report.across_tenants, pk=object_id)
        return pdf_response(report.pdf, file_name(report.kind, report.period_end))

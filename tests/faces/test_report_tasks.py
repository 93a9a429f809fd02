"""The tasks of reports as beat and workers run them: outside any tenant's scope, to the operator's server."""

from __future__ import annotations

import pytest

from alertsite.tenancy.scope import platform_scope
from rules.models import Report, ReportSchedule
from rules.services import reporting, reportschedules
from rules.services.reportschedules import Timing
from rules.tasks.reporting import make_report, request_report, wake_reports
from tests.factories.rows import AUTHOR, make_tenant
from tests.fakes.smtp_server import smtp_server


@pytest.fixture
def schedule(db, redis_url) -> ReportSchedule:
    with platform_scope():
        row = ReportSchedule(
            tenant=make_tenant("acme"),
            name="Daily",
            kind="alert_quality",
            recipients=["ops@example.org"],
        )
        return reportschedules.save_schedule(row, Timing("0 7 * * *", "UTC"), AUTHOR)


def test_from_beat_to_the_mailbox(schedule, settings, monkeypatch, django_capture_on_commit_callbacks):
    with smtp_server() as mailbox:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
        monkeypatch.setattr(make_report, "delay", make_report)
        with django_capture_on_commit_callbacks() as nudges:
            assert request_report(str(schedule.pk)) == {"requested": True}
            assert request_report(str(schedule.pk)) == {"requested": False}
        assert len(nudges) == 1
        assert wake_reports() == {"reports": 1}
        assert wake_reports() == {"reports": 0}
    (message,) = mailbox.messages
    assert message["To"] == "ops@example.org"
    with platform_scope():
        report = Report.objects.for_tenant(schedule.tenant_id).get()
    assert (report.status, report.attempts) == ("done", 1)


def test_a_nudge_names_a_task_that_exists():
    assert wake_reports.name == reporting.WAKE_REPORTS
    assert request_report.name == reportschedules.REQUEST_REPORT

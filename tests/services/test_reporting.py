"""From a schedule to a mail with a PDF whose numbers are those of the database."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from pypdf import PdfReader

from alertsite.audit.models import AuditEvent
from alertsite.tenancy.models import Quota
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertAction, Report, ReportSchedule
from rules.notify.receivers.email.receiver import SmtpServer
from rules.services import archiving, reporting, reportschedules
from rules.services.reporting import ReportClaim, carry_out, claim_due_reports
from rules.services.reportschedules import InvalidReportSchedule, Timing
from tests.factories.rows import AUTHOR, NOON, make_message, make_receiver, make_tenant, make_transition
from tests.fakes.clock import FakeClock
from tests.fakes.smtp_server import FakeMailbox, smtp_server

MORNING = Timing("30 7 * * *", "Europe/Paris")
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture
def acme(db, redis_url):
    with platform_scope():
        yield make_tenant("acme")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def mailbox():
    with smtp_server() as box:
        yield box


def make_schedule(tenant, timing: Timing = MORNING, **values) -> ReportSchedule:
    row = {"name": "Daily", "kind": "operations_daily", "recipients": ["ops@example.org"]} | values
    return reportschedules.save_schedule(ReportSchedule(tenant=tenant, **row), timing, AUTHOR)


def server_of(box: FakeMailbox) -> SmtpServer:
    return SmtpServer("127.0.0.1", box.port, "alertsite@example.org", timeout_s=5.0)


def run_due(clock: FakeClock, box: FakeMailbox) -> list[str]:
    claims = claim_due_reports(now=clock.now())
    return [carry_out(one, clock, server=server_of(box), random=Random(1)) for one in claims]


def request(tenant, clock: FakeClock, **values) -> Report:
    report = reporting.request_scheduled(make_schedule(tenant, **values).pk, now=clock.now())
    assert report is not None
    return report


def text_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def pdf_in(box: FakeMailbox) -> bytes:
    (attached,) = box.messages[-1].iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    return attached.get_content()


def test_schedule_is_a_row_of_beat(acme):
    schedule = make_schedule(acme)
    row = PeriodicTask.objects.get(report_schedule=schedule)
    assert (row.task, json.loads(row.args), row.enabled) == (
        "rules.tasks.reporting.request_report",
        [str(schedule.pk)],
        True,
    )
    assert (schedule.crontab, schedule.timezone) == ("30 7 * * *", "Europe/Paris")
    schedule.enabled = False
    reportschedules.save_schedule(schedule, replace(MORNING, crontab="0 8 * * 1-5"), AUTHOR)
    row.refresh_from_db()
    assert (row.enabled, schedule.crontab) == (False, "0 8 * * 1-5")
    assert PeriodicTask.objects.filter(task=row.task).count() == 1
    reportschedules.delete_schedule(schedule, AUTHOR)
    assert not PeriodicTask.objects.filter(task=row.task).exists()
    deeds = AuditEvent.objects.for_tenant(acme).values_list("action", flat=True)
    assert sorted(deeds) == [
        "report_schedule.deleted",
        "report_schedule.saved",
        "report_schedule.saved",
    ]


def test_the_crontab_may_be_changed_where_beat_keeps_it(acme):
    schedule = make_schedule(acme)
    row = schedule.periodic_task
    row.crontab = CrontabSchedule.objects.create(minute="5", hour="6", timezone="Asia/Tokyo")
    row.save()
    found = ReportSchedule.objects.for_tenant(acme).get()
    assert (found.crontab, found.timezone) == ("5 6 * * *", "Asia/Tokyo")


LEVEL = {"name": "up", "expr": "avg(up)", "objective": 0.99}


@pytest.mark.parametrize(
    ("values", "timing", "field"),
    [
        pytest.param({}, Timing("30 7 * *", "UTC"), "crontab", id="four fields"),
        pytest.param({}, Timing("61 7 * * *", "UTC"), "crontab", id="no such minute"),
        pytest.param({}, Timing("0 7 * * *", "Mars/Olympus"), "timezone", id="no such zone"),
        pytest.param({"recipients": ["nobody"]}, MORNING, "recipients", id="no address"),
        pytest.param({"recipients": ["a@example.org\nBcc: b@c.de"]}, MORNING, "recipients", id="a header"),
        pytest.param({"recipients": ["a@example.org"] * 51}, MORNING, "recipients", id="too many"),
        pytest.param({"recipients": "a@example.org"}, MORNING, "recipients", id="not a list"),
        pytest.param({"options": {"levels": [LEVEL]}}, MORNING, "options", id="of another kind"),
        pytest.param({"kind": "service_levels"}, MORNING, "options", id="no objective"),
        pytest.param(
            {"kind": "service_levels", "options": {"levels": [LEVEL | {"objective": 1}]}},
            MORNING,
            "options",
            id="no budget",
        ),
        pytest.param(
            {"kind": "service_levels", "options": {"levels": [LEVEL | {"expr": "sum(("}]}},
            MORNING,
            "options",
            id="no expression",
        ),
        pytest.param(
            {
                "kind": "service_levels",
                "options": {
                    "levels": [
                        {"name": "x", "rule": "00000000-0000-0000-0000-000000000001", "objective": 0.9}
                    ]
                },
            },
            MORNING,
            "options",
            id="a rule of nobody",
        ),
    ],
)
def test_a_schedule_that_cannot_work_is_refused(acme, values, timing, field):
    with pytest.raises(InvalidReportSchedule) as refused:
        make_schedule(acme, timing, **values)
    assert list(refused.value.errors)[-1:] == [field] or field in refused.value.errors
    assert not PeriodicTask.objects.filter(task=reportschedules.REQUEST_REPORT).exists()


def test_an_unknown_language_is_refused(acme):
    with pytest.raises(ValidationError):
        make_schedule(acme, language="de")


def test_two_beats_ask_for_one_report(acme, clock):
    schedule = make_schedule(acme)
    first = reporting.request_scheduled(schedule.pk, now=clock.now())
    assert first is not None
    assert first.period_end == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert reporting.request_scheduled(schedule.pk, now=clock.now() + timedelta(minutes=5)) is None
    assert Report.objects.for_tenant(acme).count() == 1
    clock.advance(seconds=86_400)
    assert reporting.request_scheduled(schedule.pk, now=clock.now()) is not None


def test_nobody_asks_for_what_is_switched_off_or_gone(acme, clock):
    schedule = make_schedule(acme, enabled=False)
    assert reporting.request_scheduled(schedule.pk, now=clock.now()) is None
    reportschedules.delete_schedule(schedule, AUTHOR)
    assert reporting.request_scheduled(acme.pk, now=clock.now()) is None


def test_the_mail_carries_a_pdf_whose_numbers_are_those_of_the_database(acme, clock, mailbox):
    receiver = make_receiver(acme, name="pager")
    for number in range(7):
        labels = {"alertname": "HostDown", "severity": "critical", "service": "api", "n": str(number)}
        fired = make_transition(acme, at=YESTERDAY, labels=labels)
        make_message(receiver, fired, status="delivered", delivered_at=YESTERDAY + timedelta(seconds=2))
        if number < 3:
            AlertAction.objects.create(
                tenant=acme,
                alert_id=fired.alert_id,
                kind="acknowledged",
                actor="alice",
                at=YESTERDAY + timedelta(minutes=4),
            )
        if number < 5:
            make_transition(
                acme,
                alert_id=fired.alert_id,
                state="resolved",
                fired_at=YESTERDAY,
                at=YESTERDAY + timedelta(minutes=10),
                labels=labels,
            )
    report = request(acme, clock)
    assert run_due(clock, mailbox) == ["done"]
    report.refresh_from_db()
    now = report.facts["now"]
    assert (now["fired"], now["resolved"], now["acknowledged"]) == (7, 5, 3)
    text = text_of(pdf_in(mailbox)).replace("\u00a0", " ")
    for figure in ("3 of 7", "7 of 7", "HostDown", "critical", "4 min", "10 min", "pager"):
        assert figure in text, figure
    message = mailbox.messages[0]
    assert message["Message-ID"] == f"<report.{report.pk}@example.org>"
    assert message.get_body(("html",)).get_content().splitlines() == report.html.splitlines()
    assert bytes(report.pdf) == pdf_in(mailbox)
    assert report.receipts["ops@example.org"]["outcome"] == "accepted"
    assert report.delivered_at == clock.now()


def test_a_killed_worker_leaves_one_report_and_one_mail(acme, clock, mailbox):
    report = request(acme, clock)
    (lost,) = claim_due_reports(now=clock.now())
    assert claim_due_reports(now=clock.now()) == []  # held
    clock.advance(seconds=61)
    (taken,) = claim_due_reports(now=clock.now())
    assert taken.fencing_token == lost.fencing_token + 1
    assert carry_out(lost, clock, server=server_of(mailbox)) == "lost"
    assert carry_out(taken, clock, server=server_of(mailbox)) == "done"
    assert carry_out(taken, clock, server=server_of(mailbox)) == "lost"  # a message that came twice
    assert len(mailbox.messages) == 1
    report.refresh_from_db()
    assert report.attempts == 1


def test_what_was_made_is_kept_while_the_mail_is_tried_again(acme, clock, mailbox):
    report = request(acme, clock, recipients=["now@example.org", "later@example.org", "never@example.org"])
    mailbox.recipients = {"later@example.org": "451 greylisted", "never@example.org": "550 no such user"}
    assert run_due(clock, mailbox) == ["due"]
    report.refresh_from_db()
    made = bytes(report.pdf)
    outcomes = {one: said["outcome"] for one, said in report.receipts.items()}
    assert outcomes == {
        "now@example.org": "accepted",
        "later@example.org": "later",
        "never@example.org": "refused",
    }
    assert run_due(clock, mailbox) == []  # not yet
    mailbox.recipients = {}
    clock.advance(seconds=3600)
    assert run_due(clock, mailbox) == ["done"]
    report.refresh_from_db()
    assert bytes(report.pdf) == made
    assert report.receipts["never@example.org"]["outcome"] == "refused"
    assert len(mailbox.messages) == 2  # the second to the one alone


@pytest.mark.parametrize(
    ("data", "drops"),
    [pytest.param("250 OK", True, id="hangs up"), pytest.param("451 busy", False, id="is busy")],
)
def test_a_server_that_fails_is_tried_again(acme, clock, mailbox, data, drops):
    report = request(acme, clock)
    mailbox.data, mailbox.drops = data, drops
    assert run_due(clock, mailbox) == ["due"]
    report.refresh_from_db()
    assert report.cause.startswith("mail: ")
    assert report.delivered_at is None


def test_it_is_given_up_with_the_cause_and_can_still_be_downloaded(acme, clock, mailbox):
    report = request(acme, clock)
    mailbox.data = "451 busy"
    outcomes = []
    for _ in range(15):
        outcomes += run_due(clock, mailbox)
        clock.advance(seconds=3600)
    assert outcomes == ["due"] * 14 + ["failed"]
    report.refresh_from_db()
    assert "15 attempts failed" in report.cause
    assert bytes(report.pdf).startswith(b"%PDF")


def test_nobody_wants_it(acme, clock, mailbox):
    report = request(acme, clock)
    mailbox.recipients = {"ops@example.org": "550 no such user"}
    assert run_due(clock, mailbox) == ["failed"]
    report.refresh_from_db()
    assert report.cause == "every recipient refused the mail"


def test_without_recipients_it_is_kept_for_download(acme, clock, mailbox):
    report = request(acme, clock, recipients=[])
    assert run_due(clock, mailbox) == ["done"]
    report.refresh_from_db()
    assert (report.delivered_at, mailbox.messages) == (None, [])


def test_a_report_that_kills_its_workers_is_given_up(acme, clock, mailbox):
    report = request(acme, clock)
    Report.objects.for_tenant(acme).update(attempts=15)
    assert run_due(clock, mailbox) == ["failed"]
    report.refresh_from_db()
    assert "never ended" in report.cause


def test_run_now_makes_another_one(acme, clock, mailbox):
    schedule = make_schedule(acme)
    reporting.request_scheduled(schedule.pk, now=clock.now())
    reporting.run_now(schedule, AUTHOR)
    assert run_due(clock, mailbox) == ["done", "done"]
    assert Report.objects.for_tenant(acme).count() == 2


def test_reports_stay_when_their_schedule_goes_and_end_with_the_quota(acme, clock, mailbox):
    report = request(acme, clock)
    run_due(clock, mailbox)
    reportschedules.delete_schedule(report.schedule, AUTHOR)
    Quota.objects.filter(tenant=acme).update(report_retention_days=2)
    clock.advance(seconds=86_400)
    assert archiving.expire_history(clock)["reports"] == 0
    clock.advance(seconds=2 * 86_400)
    assert archiving.expire_history(clock)["reports"] == 1


def test_a_claim_that_nobody_has_is_lost(acme, clock, mailbox):
    assert carry_out(ReportClaim(acme.pk, 1), clock, server=server_of(mailbox)) == "lost"

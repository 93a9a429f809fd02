"""Reports by REST and in the admin: schedules, a report now, downloads, and whose they are."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from alertsite.core.clock import SystemClock, to_datetime
from rules.models import Report, ReportSchedule
from rules.services import reporting
from tests.factories.rows import make_user

WEEKLY = {
    "name": "Weekly",
    "kind": "operations_weekly",
    "crontab": "0 7 * * 1",
    "timezone": "Europe/Paris",
    "language": "fr",
}


@pytest.fixture
def schedule(alice) -> str:
    answer = alice.post("/api/report-schedules/", WEEKLY, format="json")
    assert answer.status_code == 201, answer.json()
    return f"/api/report-schedules/{answer.json()['id']}/"


@pytest.fixture
def report(alice, acme, schedule) -> str:
    asked = alice.post(f"{schedule}run/")
    assert (asked.status_code, asked.json()["status"]) == (202, "due")
    clock = SystemClock()
    (claim,) = reporting.claim_due_reports(now=to_datetime(clock.now_ms()))
    assert reporting.carry_out(claim, clock) == "done"
    return f"/api/reports/{asked.json()['id']}/"


def test_schedule_is_made_changed_and_removed(alice, acme, schedule):
    shown = alice.get(schedule).json()
    assert {name: shown[name] for name in WEEKLY} == WEEKLY
    changed = alice.patch(schedule, {"crontab": "30 6 1 * *"}, format="json").json()
    assert (changed["crontab"], changed["timezone"]) == ("30 6 1 * *", "Europe/Paris")
    assert [one["name"] for one in alice.get("/api/report-schedules/").json()["results"]] == ["Weekly"]
    assert alice.delete(schedule).status_code == 204
    assert not PeriodicTask.objects.filter(task="rules.tasks.reporting.request_report").exists()


def test_what_is_wrong_stands_at_its_field(alice, acme):
    asked = WEEKLY | {"crontab": "0 25 * * 1", "timezone": "Mars", "recipients": ["x"]}
    answer = alice.post("/api/report-schedules/", asked, format="json")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"crontab", "timezone", "recipients"}
    assert not ReportSchedule.objects.for_tenant(acme).exists()


def test_report_is_listed_read_and_downloaded(alice, acme, report):
    (listed,) = alice.get("/api/reports/", {"kind": "operations_weekly"}).json()["results"]
    assert listed["status"] == "done"
    assert "facts" not in listed
    assert alice.get(report).json()["facts"]["now"]["fired"] == 0
    page = alice.get(f"{report}html/")
    assert page["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Exploitation de la semaine" in page.content.decode()
    pdf = alice.get(f"{report}pdf/")
    assert pdf.content.startswith(b"%PDF")
    assert "operations-weekly-" in pdf["Content-Disposition"]


def test_what_is_not_made_yet_is_not_found(alice, schedule):
    waiting = alice.post(f"{schedule}run/").json()["id"]
    assert alice.get(f"/api/reports/{waiting}/html/").status_code == 404
    assert alice.get(f"/api/reports/{waiting}/pdf/").status_code == 404


def test_outsiders_find_nothing_and_viewers_change_nothing(charlie, bob, schedule, report):
    for address in (schedule, report, f"{report}html/", f"{report}pdf/"):
        assert charlie.get(address).status_code == 404
        assert bob.get(address).status_code == 200
    assert charlie.post(f"{schedule}run/").status_code == 404
    assert bob.post(f"{schedule}run/").status_code == 403
    assert charlie.get("/api/reports/").json()["results"] == []


@pytest.fixture
def operator_pages(client, acme):
    client.force_login(make_user("operator", is_superuser=True, is_staff=True))
    return client


FORM = {
    "name": "Daily",
    "kind": "operations_daily",
    "crontab": "0 7 * * *",
    "timezone": "UTC",
    "recipients": "[]",
    "options": "{}",
    "language": "en",
    "enabled": "on",
}


def test_operator_makes_a_schedule_runs_it_and_downloads(operator_pages, acme):
    add = reverse("admin:rules_reportschedule_add")
    answer = operator_pages.post(add, FORM | {"tenant": str(acme.pk)})
    assert answer.status_code == 302, answer.context["errors"]
    schedule = ReportSchedule.objects.for_tenant(acme).get()
    change = reverse("admin:rules_reportschedule_change", args=[schedule.pk])
    assert b"0 7 * * *" in operator_pages.get(change).content
    chosen = {"action": "run_now", "_selected_action": [str(schedule.pk)]}
    asked = operator_pages.post(reverse("admin:rules_reportschedule_changelist"), chosen)
    assert asked.status_code == 302
    clock = SystemClock()
    for claim in reporting.claim_due_reports(now=to_datetime(clock.now_ms())):
        reporting.carry_out(claim, clock)
    report = Report.objects.for_tenant(acme).get()
    assert operator_pages.get(reverse("admin:rules_report_change", args=[report.pk])).status_code == 200
    assert operator_pages.get(f"/admin/rules/report/{report.pk}/pdf/").content.startswith(b"%PDF")
    assert b"<h1" in operator_pages.get(f"/admin/rules/report/{report.pk}/page/").content


def test_a_fault_stands_at_its_field_in_the_admin(operator_pages, acme):
    add = reverse("admin:rules_reportschedule_add")
    answer = operator_pages.post(add, FORM | {"tenant": str(acme.pk), "crontab": "x", "options": '{"a": 1}'})
    assert set(answer.context["adminform"].form.errors) == {"crontab", "options"}

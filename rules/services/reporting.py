"""Reports, from asked for to delivered: made once whoever dies, sent until every recipient has it.

A report is a row. It is claimed with a lease and a fencing token, like every other due thing; what is made is
stored only by who holds the newest token, and then it is only sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random, SystemRandom
from time import monotonic
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

import redis
import structlog
from celery import current_app
from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet

from alertsite.audit.services import Deed, record
from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import Report, ReportSchedule
from rules.notify.notification import DeliveryFailed
from rules.notify.receivers.email.receiver import SmtpServer
from rules.notify.retries import Retry, after_failure
from rules.reports.mail import Posted, ReportMail, message_of, post
from rules.reports.periods import Period, ReportKind, last_period, zone_of
from rules.reports.rendering import render, subtitle_of
from rules.services.authoring import Author
from rules.services.receivers import smtp_server
from rules.services.reportcontents import facts_of, heading_of

log = structlog.get_logger(__name__)

WAKE_REPORTS: Final = "rules.tasks.reporting.wake_reports"
"""Task that hands out what is due, known here by name: services do not import tasks."""
QUEUE_LEASE: Final = timedelta(seconds=60)
"""How long a claimed report may wait for its turn."""
MAKE_LEASE: Final = timedelta(seconds=310)
"""Longer than the task may run."""
MAX_ATTEMPTS: Final = 15

_CLAIM: Final = """
UPDATE rules_report report
SET leased_until = %(until)s, fencing_token = report.fencing_token + 1
FROM (
    SELECT id FROM rules_report
    WHERE status IN ('due', 'running') AND next_attempt_at <= %(now)s AND leased_until <= %(now)s
    ORDER BY next_attempt_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) AS taken
WHERE report.id = taken.id
RETURNING report.id, report.fencing_token
"""


class ClaimLost(PlatformError):
    """Somebody else has taken the report over."""

    code: ClassVar[str] = "report.claim_lost"


@dataclass(frozen=True, slots=True)
class ReportClaim:
    """A report that is ours to make and send while nobody holds a newer token."""

    report_id: UUID
    fencing_token: int


def request_scheduled(schedule_id: UUID, *, now: datetime) -> Report | None:
    """Write down that a report of the last whole period is due. None if it is already, or none is wanted."""
    with platform_scope():
        schedules = ReportSchedule.across_tenants.select_related("periodic_task__crontab")
        schedule = schedules.filter(pk=schedule_id, enabled=True).first()
    if schedule is None:
        return None
    with tenant_scope(schedule.tenant_id), transaction.atomic():
        period = _last_period(schedule, now)
        report, made = Report.objects.for_tenant(schedule.tenant_id).get_or_create(
            schedule=schedule, key=period.key, defaults=_terms(schedule, period, now)
        )
        if made:
            nudge()
    return report if made else None


def run_now(schedule: ReportSchedule, author: Author) -> Report:
    """Write down that a report of the last whole period is due, though there may be one already."""
    period = _last_period(schedule, author.now)
    with transaction.atomic():
        report: Report = Report.objects.create(
            schedule=schedule, key=f"now:{uuid4()}", **_terms(schedule, period, author.now)
        )
        deed = Deed(author.name, "report.requested", f"report:{report.pk}", {"name": schedule.name})
        record(schedule.tenant_id, deed, at=author.now)
        nudge()
    return report


def nudge() -> None:
    """Have what is due handed out once this transaction is committed."""
    transaction.on_commit(lambda: current_app.send_task(WAKE_REPORTS))


def _last_period(schedule: ReportSchedule, now: datetime) -> Period:
    return last_period(ReportKind(schedule.kind), now, zone_of(schedule.timezone))


def _terms(schedule: ReportSchedule, period: Period, now: datetime) -> dict[str, Any]:
    """What a report takes over from its schedule."""
    return {
        "tenant_id": schedule.tenant_id,
        "name": schedule.name,
        "kind": schedule.kind,
        "language": schedule.language,
        "timezone": schedule.timezone,
        "recipients": schedule.recipients,
        "options": schedule.options,
        "period_start": period.start,
        "period_end": period.end,
        "created_at": now,
        "next_attempt_at": now,
        "leased_until": now,
    }


def claim_due_reports(*, now: datetime, limit: int = 20) -> list[ReportClaim]:
    """Take reports that are due and free, those of workers that were lost included."""
    parameters: dict[str, Any] = {"now": now, "until": now + QUEUE_LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [ReportClaim(*row) for row in cursor.fetchall()]


def carry_out(
    claim: ReportClaim,
    clock: Clock,
    *,
    server: SmtpServer | None = None,
    random: Random | None = None,
    seconds: Callable[[], float] = monotonic,
) -> str:
    """Make a claimed report unless it is made, then send it. Its status afterwards, or `lost`.

    1. Check the token, count the attempt, take the longer lease.
    2. Gather, render and store, where the token still holds: a report is made once.
    3. Send to whoever has not accepted it; store each answer. A worker lost here sends again, with the same
       Message-ID.
    """
    with platform_scope():
        report = _begin(claim, to_datetime(clock.now_ms()))
    if report is None:
        return "lost"
    with tenant_scope(report.tenant_id):
        run = _Run(report, claim, clock, server or smtp_server(), random or SystemRandom(), seconds)
        try:
            return run.run()
        except ClaimLost:
            return "lost"


def _begin(claim: ReportClaim, now: datetime) -> Report | None:
    held = Report.across_tenants.filter(
        pk=claim.report_id, fencing_token=claim.fencing_token, status__in=["due", "running"]
    )
    taken = held.update(
        status=Report.Status.RUNNING, leased_until=now + MAKE_LEASE, attempts=F("attempts") + 1
    )
    return held.select_related("tenant").first() if taken else None


@dataclass(frozen=True, slots=True)
class _Run:
    report: Report
    claim: ReportClaim
    clock: Clock
    server: SmtpServer
    random: Random
    seconds: Callable[[], float]

    def run(self) -> str:
        """Make the report unless it is made, then send it. Its status afterwards."""
        if self.report.attempts > MAX_ATTEMPTS:
            return self._fail(f"it was begun {MAX_ATTEMPTS} times and never ended")
        try:
            if self.report.finished_at is None:
                self._make()
            return self._send()
        except ClaimLost:
            raise
        except DeliveryFailed as error:
            return self._again(f"mail: {error}")
        except PlatformError as error:
            return self._again(str(error)) if error.retryable else self._fail(str(error))
        except (OperationalError, redis.RedisError) as error:
            return self._again(f"{type(error).__name__}: {error}")

    def _make(self) -> None:
        report = self.report
        heading = heading_of(report)
        facts = facts_of(report, now=self._now, seconds=self.seconds)
        made = render(heading, facts)
        report.facts, report.html, report.pdf = asdict(facts), made.html, made.pdf
        report.finished_at = self._now
        self._store(facts=report.facts, html=made.html, pdf=made.pdf, finished_at=report.finished_at)

    def _send(self) -> str:
        report = self.report
        settled = {one for one, said in report.receipts.items() if said["outcome"] != "later"}
        pending = [one for one in report.recipients if one not in settled]
        if not pending:
            return self._end()
        assert report.pdf is not None
        heading = heading_of(report)
        mail = ReportMail(
            identity=f"report.{report.pk}",
            heading=heading,
            subtitle=subtitle_of(heading),
            html=report.html,
            pdf=bytes(report.pdf),
            made_at=report.finished_at or self._now,
            recipients=report.recipients,
        )
        self._note(post(message_of(mail, self.server.sender), pending, self.server))
        later = [said["answer"] for said in report.receipts.values() if said["outcome"] == "later"]
        return self._again(f"mail: {later[0]}") if later else self._end()

    def _note(self, posted: Posted) -> None:
        at = self._now.isoformat()
        outcomes = {"accepted": posted.accepted, "refused": posted.refused, "later": posted.later}
        for outcome, answers in outcomes.items():
            for one, answer in answers.items():
                self.report.receipts[one] = {"outcome": outcome, "answer": answer, "at": at}
        self._store(receipts=self.report.receipts)

    def _end(self) -> str:
        """All recipients are settled: done, unless there were some and each refused."""
        outcomes = {said["outcome"] for said in self.report.receipts.values()}
        if outcomes == {"refused"}:
            return self._fail("every recipient refused the mail")
        delivered_at = self._now if outcomes else None
        self._store(status=Report.Status.DONE, cause="", delivered_at=delivered_at)
        return str(Report.Status.DONE)

    def _again(self, reason: str) -> str:
        verdict = after_failure(reason, attempts=self.report.attempts, retry_after_s=None, random=self.random)
        if not isinstance(verdict, Retry):
            return self._fail(verdict.cause)
        log.warning("report.retried", report=str(self.report.pk), reason=reason)
        due_at = self._now + timedelta(seconds=verdict.delay_s)
        self._store(
            status=Report.Status.DUE, cause=reason[:300], next_attempt_at=due_at, leased_until=self._now
        )
        return str(Report.Status.DUE)

    def _fail(self, cause: str) -> str:
        log.error("report.failed", report=str(self.report.pk), cause=cause)
        self._store(status=Report.Status.FAILED, cause=cause[:300])
        return str(Report.Status.FAILED)

    def _store(self, **values: Any) -> None:
        """Write where the token is still the newest; else somebody else has taken over."""
        if not self._held.update(**values):
            raise ClaimLost

    @property
    def _held(self) -> QuerySet[Report]:
        rows = Report.objects.for_tenant(self.report.tenant_id)
        return rows.filter(pk=self.report.pk, fencing_token=self.claim.fencing_token)

    @property
    def _now(self) -> datetime:
        return to_datetime(self.clock.now_ms())

"""Reports: asked for by beat, handed out, made and sent."""

from __future__ import annotations

from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import reporting


@task(capability="report", soft_time_limit=8, time_limit=10, expires=15)
def wake_reports() -> dict[str, int]:
    """Claim reports that are due and hand them out. Idempotency key: the claim's fencing token."""
    claims = reporting.claim_due_reports(now=to_datetime(SystemClock().now_ms()))
    for claim in claims:
        make_report.delay(str(claim.report_id), claim.fencing_token)
    return {"reports": len(claims)}


@task(capability="report", soft_time_limit=8, time_limit=10)
def request_report(schedule_id: str) -> dict[str, bool]:
    """Write down that a schedule's report is due; beat sends it. Idempotency key: (schedule, period)."""
    report = reporting.request_scheduled(UUID(schedule_id), now=to_datetime(SystemClock().now_ms()))
    return {"requested": report is not None}


@task(capability="report", soft_time_limit=280, time_limit=300)
def make_report(report_id: str, fencing_token: int) -> dict[str, str]:
    """Make a claimed report and send it. Idempotency key: (report, fencing token)."""
    claim = reporting.ReportClaim(UUID(report_id), fencing_token)
    return {"status": reporting.carry_out(claim, SystemClock())}

"""What happened in a period, counted in PostgreSQL: the facts of the operations digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, F, Q

from alertsite.core.labels import format_labels, label_set
from rules.models import LedgerEntry, Silence, Suppression
from rules.notify.notification import TEST
from rules.reports.facts import Counted, LongAlert, Operations, ReceiverFacts, Spread, TickFacts
from rules.reports.periods import Period
from rules.services.archiving import LEDGER_RETENTION
from rules.services.reportsources import SOURCES
from rules.services.tracing import nobody_told
from rules.services.watching import CANARY_REASON

TOP: Final = 20
LONGEST: Final = 10
HOURLY_BELOW: Final = timedelta(days=2)

_FIRED: Final = """
fired AS (
    SELECT alert_id, labels, at FROM rules_alerttransition
    WHERE tenant_id = %(tenant)s AND state = 'firing' AND at >= %(start)s AND at < %(end)s
)
"""
# An alert that was resolved by hand may have ended twice, before it was kept apart; a canary never fired.
_ENDED: Final = """
ended AS (
    SELECT alert_id, min(at) AS at, min(fired_at) AS fired_at FROM rules_alerttransition
    WHERE tenant_id = %(tenant)s AND state = 'resolved' AND at >= %(start)s AND at < %(end)s
        AND trace->>'reason' IS DISTINCT FROM %(canary)s
    GROUP BY 1
)
"""
_NAMED: Final = {
    "severity": "labels->>'severity'",
    "rule": "labels->>'alertname'",
    "service": "coalesce(labels->>'service', labels->>'job')",
}
_COUNT_BY: Final = """
WITH {fired}
SELECT coalesce({name}, '') AS name, count(*) FROM fired GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(top)s
"""
_OVER_TIME: Final = """
WITH {fired}
SELECT width_bucket(at, %(bounds)s::timestamptz[]) AS bucket, count(*) FROM fired GROUP BY 1
"""
_TO_ACKNOWLEDGE: Final = """
WITH {fired}, acknowledged AS (
    SELECT alert_id, min(at) AS at FROM rules_alertaction
    WHERE tenant_id = %(tenant)s AND kind = 'acknowledged' AND at >= %(start)s GROUP BY 1
)
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY took),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY took)
FROM (
    SELECT extract(epoch FROM acknowledged.at - fired.at)::float8 AS took
    FROM fired JOIN acknowledged USING (alert_id)
) AS each
"""
_TO_REPAIR: Final = """
WITH {ended}
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY took),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY took)
FROM (
    SELECT extract(epoch FROM at - fired_at)::float8 AS took FROM ended WHERE fired_at IS NOT NULL
) AS each
"""
_RESOLVED: Final = """
WITH {ended}
SELECT count(*) FROM ended
"""
# An alert that is still firing, or ended after the period, counts up to its end.
_LONGEST: Final = """
SELECT labels, fired_at, extract(epoch FROM least(until, %(end)s) - fired_at)::float8 AS took,
    until < %(end)s AS over
FROM (
    (SELECT DISTINCT ON (alert_id) labels, fired_at, at AS until FROM rules_alerttransition
    WHERE tenant_id = %(tenant)s AND state = 'resolved' AND at >= %(start)s
        AND trace->>'reason' IS DISTINCT FROM %(canary)s
    ORDER BY alert_id, at)
    UNION ALL
    SELECT labels, fired_at, %(end)s FROM rules_alertinstance
    WHERE tenant_id = %(tenant)s AND state = 'firing' AND closed_at IS NULL
) AS each
WHERE fired_at < %(end)s ORDER BY took DESC, fired_at LIMIT %(longest)s
"""
_RECEIVERS: Final = """
SELECT name, count(*), count(*) FILTER (WHERE status = 'delivered'), count(*) FILTER (WHERE status = 'dead'),
    count(*) FILTER (WHERE status = 'cancelled'), count(*) FILTER (WHERE status = 'due'),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.99) WITHIN GROUP (ORDER BY took)
FROM (
    SELECT receiver.id, receiver.name, message.status,
        extract(epoch FROM message.delivered_at - message.created_at)::float8 AS took
    FROM rules_outboxmessage message JOIN rules_receiver receiver ON receiver.id = message.receiver_id
    WHERE message.tenant_id = %(tenant)s
        AND message.created_at >= %(start)s AND message.created_at < %(end)s
        AND message.reason <> ALL (%(proofs)s)
) AS each
GROUP BY id, name ORDER BY 2 DESC, 1 LIMIT %(top)s
"""


def operations_of(tenant_id: UUID, period: Period, zone: ZoneInfo, *, now: datetime) -> Operations:
    """Everything that is counted of a period; names are the `TOP` most frequent."""
    counter = _Counter(tenant_id, period)
    over_time = counter.over_time(zone)
    repairs = SOURCES.repairs(tenant_id, period)
    acknowledged, repaired = counter.spread(_TO_ACKNOWLEDGE), counter.spread(_TO_REPAIR)
    return Operations(
        fired=sum(one.count for one in over_time),
        resolved=counter.rows(_RESOLVED)[0][0],
        acknowledged=acknowledged.count,
        to_acknowledge=acknowledged,
        to_repair=repaired,
        undelivered=undelivered_in(tenant_id, period),
        silences=silences_in(tenant_id, period),
        ticks=ticks_in(tenant_id, period, now=now),
        by_severity=counter.by("severity"),
        by_rule=counter.by("rule"),
        by_service=counter.by("service"),
        over_time=over_time,
        longest=[_long(*row) for row in counter.rows(_LONGEST, longest=LONGEST)],
        receivers=[ReceiverFacts(*row) for row in counter.rows(_RECEIVERS, top=TOP)],
        suppressed=_suppressed(tenant_id, period),
        repairs=repairs.newest,
        repaired=repairs.succeeded,
        repairs_begun=repairs.begun,
    )


def _long(document: str, fired_at: datetime, seconds: float, over: bool) -> LongAlert:
    labels = json.loads(document)  # Django leaves JSON of raw statements as text
    shown = format_labels(label_set(labels))
    return LongAlert(labels.get("alertname", ""), shown, fired_at.isoformat(), seconds, over)


def undelivered_in(tenant_id: UUID, period: Period) -> int:
    """Alerts that fired in a period and nobody was told of, for no recorded reason."""
    return nobody_told(tenant_id).filter(at__gte=period.start, at__lt=period.end).count()


def ticks_in(tenant_id: UUID, period: Period, *, now: datetime) -> TickFacts | None:
    """Evaluations that were due in a period; None when the ledger does not reach back so far."""
    if period.start < now - LEDGER_RETENTION:
        return None
    due = LedgerEntry.objects.for_tenant(tenant_id).filter(due_at__gte=period.start, due_at__lt=period.end)
    counts = due.aggregate(
        all=Count("pk"),
        missed=Count("pk", filter=~Q(skipped_reason="")),
        late=Count("pk", filter=Q(skipped_reason="", caught_up=True)),
    )
    return TickFacts(counts["all"] - counts["missed"] - counts["late"], counts["late"], counts["missed"])


def silences_in(tenant_id: UUID, period: Period) -> int:
    """Silences that were at work at some time of a period."""
    rows = Silence.objects.for_tenant(tenant_id).filter(starts_at__lt=period.end, ends_at__gt=period.start)
    return rows.filter(Q(needs_approval=False) | Q(approved_at__lt=period.end)).count()


def _suppressed(tenant_id: UUID, period: Period) -> list[Counted]:
    rows = Suppression.objects.for_tenant(tenant_id).filter(at__gte=period.start, at__lt=period.end)
    counts = rows.order_by().values(name=F("reason")).annotate(count=Count("alert_id", distinct=True))
    return [Counted(one["name"], one["count"]) for one in counts.order_by("-count", "name")[:TOP]]


@dataclass(frozen=True, slots=True)
class _Counter:
    tenant_id: UUID
    period: Period

    def rows(self, statement: str, **more: Any) -> Sequence[Any]:
        """The rows of a statement about this tenant and period."""
        parameters: dict[str, Any] = {
            "tenant": self.tenant_id,
            "start": self.period.start,
            "end": self.period.end,
            "canary": CANARY_REASON,
            "proofs": [CANARY_REASON, TEST],
        }
        with connection.cursor() as cursor:
            cursor.execute(statement.replace("{fired}", _FIRED).replace("{ended}", _ENDED), parameters | more)
            found: list[Any] = cursor.fetchall()
        return found

    def by(self, what: str) -> list[Counted]:
        statement = _COUNT_BY.replace("{name}", _NAMED[what])
        return [Counted(*row) for row in self.rows(statement, top=TOP)]

    def spread(self, statement: str) -> Spread:
        return Spread(*self.rows(statement)[0])

    def over_time(self, zone: ZoneInfo) -> list[Counted]:
        bounds = self._bounds(zone)
        counts = dict(self.rows(_OVER_TIME, bounds=bounds))
        return [Counted(at.isoformat(), counts.get(place, 0)) for place, at in enumerate(bounds, start=1)]

    def _bounds(self, zone: ZoneInfo) -> list[datetime]:
        """Where the bars of the plot begin: hours of a day or two, else the days of the zone."""
        start, end = self.period.start, self.period.end
        if end - start <= HOURLY_BELOW:
            hours = -((start - end) // timedelta(hours=1))
            return [start + timedelta(hours=count) for count in range(hours)]
        first = start.astimezone(zone).date()
        days = (end.astimezone(zone).date() - first).days
        return [
            datetime.combine(first + timedelta(days=count), time(), zone).astimezone(UTC)
            for count in range(days)
        ]

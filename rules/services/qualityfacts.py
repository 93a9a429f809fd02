"""How good the alerts of a period were: the facts of the report on alert quality, counted in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import redis
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Quota
from rules.language.lint import Linted, cost_of, lint
from rules.language.plan import plan
from rules.models import AlertTransition, Feedback, GroupedAlert, Rule, Silence, Suppression
from rules.reports.facts import Cost, Counted, QualityFacts, RuleQuality, StaleSilence
from rules.reports.periods import Period
from rules.services.operationsfacts import ticks_in, undelivered_in
from rules.services.stores import hot_store
from rules.services.tryingchanges import BY_ITSELF, acted_on_statement, try_changes

TOP: Final = 30
LINTED: Final = 2_000
"""Rules that are linted, at most."""
STALE_AFTER: Final = timedelta(days=7)
NO_SERIES: Final = "selector.no_series"

_RULES: Final = f"""
WITH fired AS (
    SELECT alert_id, rule_id, fingerprint, labels, at FROM rules_alerttransition
    WHERE tenant_id = %(tenant)s AND state = 'firing' AND at >= %(start)s AND at < %(end)s
), ended AS (
    SELECT alert_id, min(at) AS at FROM rules_alerttransition
    WHERE tenant_id = %(tenant)s AND state = 'resolved' AND at >= %(start)s GROUP BY 1
), acknowledged AS (
    SELECT alert_id, min(at) AS at FROM rules_alertaction
    WHERE tenant_id = %(tenant)s AND kind = 'acknowledged' AND at >= %(start)s GROUP BY 1
), acted_on AS ({acted_on_statement()}), told AS (
    SELECT DISTINCT alert_id FROM rules_toldalert
    WHERE tenant_id = %(tenant)s AND alert_id IN (SELECT alert_id FROM fired)
), judged AS (
    SELECT alert_id, count(*) FILTER (WHERE verdict = 'useful') AS useful,
        count(*) FILTER (WHERE verdict = 'noise') AS noise
    FROM rules_feedback WHERE tenant_id = %(tenant)s AND alert_id IS NOT NULL GROUP BY 1
)
SELECT coalesce(rule.name, fired.labels->>'alertname', ''), count(*), count(told.alert_id),
    count(acknowledged.at),
    count(*) FILTER (WHERE ended.at - fired.at <= %(by_itself)s AND acted_on.alert_id IS NULL),
    coalesce(sum(judged.useful), 0)::int, coalesce(sum(judged.noise), 0)::int,
    count(*)::float8 / greatest(count(DISTINCT fired.fingerprint), 1),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM acknowledged.at - fired.at)::float8),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended.at - fired.at)::float8),
    coalesce(fired.rule_id::text, '')
FROM fired LEFT JOIN rules_rule rule ON rule.id = fired.rule_id
    LEFT JOIN ended USING (alert_id) LEFT JOIN acknowledged USING (alert_id)
    LEFT JOIN acted_on USING (alert_id) LEFT JOIN told USING (alert_id) LEFT JOIN judged USING (alert_id)
GROUP BY fired.rule_id, 1 ORDER BY 2 DESC, 1 LIMIT %(top)s
"""  # noqa: S608 (a statement of our own)


def quality_of(
    tenant_id: UUID, period: Period, *, now: datetime, seconds: Callable[[], float]
) -> QualityFacts:
    """Everything about the alerts of a period. `seconds` is a clock that bounds the back-tests."""
    rules = rules_in(tenant_id, period)
    tried = try_changes(tenant_id, period, [one.rule_id for one in rules if one.rule_id], seconds=seconds)
    linted = _lint(tenant_id)
    silent = _never_fired(tenant_id, period)
    missed = Feedback.objects.for_tenant(tenant_id).filter(
        verdict=Feedback.Verdict.MISSED, starts_at__gte=period.start, starts_at__lt=period.end
    )
    return QualityFacts(
        rules=rules,
        rule_count=_alerting(tenant_id).count(),
        undelivered=undelivered_in(tenant_id, period),
        missed_by_people=missed.count(),
        ticks=ticks_in(tenant_id, period, now=now),
        never_fired=list(silent.values_list("name", flat=True)[:TOP]),
        never_fired_count=silent.count(),
        never_matching=linted.never_matching[:TOP],
        stale_silences=_stale_silences(tenant_id, period),
        costs=sorted(linted.costs, key=lambda one: (-one.samples, one.rule))[:TOP],
        changes=tried.changes,
        tried=tried.count,
        faults=[*linted.faults, *tried.faults],
    )


def rules_in(tenant_id: UUID, period: Period) -> list[RuleQuality]:
    """Rules whose alerts fired in a period, the noisiest first."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "start": period.start,
        "end": period.end,
        "by_itself": BY_ITSELF,
        "top": TOP,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RULES, parameters)
        return [RuleQuality(*row) for row in cursor.fetchall()]


def _alerting(tenant_id: UUID) -> QuerySet[Rule]:
    rows = Rule.objects.for_tenant(tenant_id)
    return rows.filter(kind=Rule.Kind.ALERTING, state=Rule.State.ACTIVE).order_by("name", "id")


def _never_fired(tenant_id: UUID, period: Period) -> QuerySet[Rule]:
    """Active rules without any alert that fired, up to the end of the period."""
    fired = AlertTransition.objects.for_tenant(tenant_id).filter(
        rule=OuterRef("pk"), state="firing", at__lt=period.end
    )
    return _alerting(tenant_id).filter(~Exists(fired))


def _stale_silences(tenant_id: UUID, period: Period) -> list[StaleSilence]:
    """Silences that have been at work for long and kept nothing back in the period."""
    rows = Silence.objects.for_tenant(tenant_id).filter(
        starts_at__lt=period.end - STALE_AFTER, ends_at__gt=period.end
    )
    rows = rows.filter(Q(needs_approval=False) | Q(approved_at__isnull=False)).order_by("starts_at", "id")
    kept = Suppression.objects.for_tenant(tenant_id).filter(
        reason="silenced", at__gte=period.start, at__lt=period.end
    )
    keeps = GroupedAlert.objects.for_tenant(tenant_id).filter(verdict="silenced")
    used = {*kept.values_list("detail", flat=True), *keeps.values_list("detail", flat=True)}
    return [
        StaleSilence(", ".join(one.matchers), one.author, one.starts_at.isoformat(), one.ends_at.isoformat())
        for one in rows
        if str(one.pk) not in used
    ][:TOP]


@dataclass(slots=True)
class _Advice:
    never_matching: list[Counted] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def _lint(tenant_id: UUID) -> _Advice:
    """What lint says of the rules that our own store answers."""
    found = _Advice()
    ours = _alerting(tenant_id).filter(datasource=None, group__datasource=None)
    rules = list(ours[: LINTED + 1])
    if len(rules) > LINTED:
        found.faults.append(f"only the first {LINTED} rules were linted")
    try:
        _lint_into(found, tenant_id, rules[:LINTED])
    except redis.RedisError as error:
        found.faults.append(f"the series cannot be read: {error}")
    return found


def _lint_into(found: _Advice, tenant_id: UUID, rules: Sequence[Rule]) -> None:
    recording = Rule.objects.for_tenant(tenant_id).filter(kind=Rule.Kind.RECORDING, state=Rule.State.ACTIVE)
    written = frozenset(recording.values_list("name", flat=True))
    reader, budget = hot_store(tenant_id), Quota.objects.get(pk=tenant_id).max_samples_per_query
    for rule in rules:
        looked_at = Linted(True, rule.expr, rule.hold_for_s * 1000, rule.labels, written)
        try:
            warned = lint(looked_at, reader, budget_samples=budget)
            cost = cost_of(plan(rule.expr), reader, budget_samples=budget)
        except PlatformError as error:
            found.faults.append(f"{rule.name}: {error}")
            continue
        blind = sum(one.code == NO_SERIES for one in warned)
        if blind:
            found.never_matching.append(Counted(rule.name, blind))
        found.costs.append(Cost(rule.name, cost.series, cost.samples))

"""Back-testing what could be changed about the loudest rules, over the latest history, within bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

import redis
from django.db import connection

from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import label_set
from rules.evaluation.replay import Replay
from rules.models import Rule
from rules.reports.facts import Change
from rules.reports.improvements import (
    Candidate,
    ChangeKind,
    Fired,
    LoudRule,
    Trial,
    candidates,
    judged,
    most_worth,
)
from rules.reports.periods import Period
from rules.services import backtesting
from rules.services.authoring import RuleDraft, draft_of
from rules.services.backtesting import backtest

T = TypeVar("T")

BY_ITSELF: Final = timedelta(minutes=5)
RULES: Final = 5
MAX_TICKS: Final = 3_000
"""Of one replay: at the group's own interval, so that it does what live evaluation would."""
BUDGET_S: Final = 90.0
"""For all trials together; one that is under way may take a back-test's own limit more."""
VALUES: Final = 1_000

_ACTED_ON: Final = """
    SELECT alert_id FROM rules_alertaction
    WHERE tenant_id = %(tenant)s AND kind IN ('acknowledged', 'assigned', 'commented', 'snoozed', 'resolved')
        AND at >= %(start)s
    UNION
    SELECT alert_id FROM rules_feedback
    WHERE tenant_id = %(tenant)s AND verdict = 'useful' AND alert_id IS NOT NULL
"""
_FIRED: Final = f"""
WITH acted_on AS ({_ACTED_ON})
SELECT fired.labels, fired.at, min(ended.at), max(fired.value), bool_or(acted_on.alert_id IS NOT NULL)
FROM rules_alerttransition fired
    LEFT JOIN rules_alerttransition ended
        ON ended.alert_id = fired.alert_id AND ended.state = 'resolved' AND ended.at >= fired.at
    LEFT JOIN acted_on ON acted_on.alert_id = fired.alert_id
WHERE fired.tenant_id = %(tenant)s AND fired.rule_id = %(rule)s AND fired.state = 'firing'
    AND fired.at >= %(start)s AND fired.at < %(end)s
GROUP BY fired.id ORDER BY fired.at DESC LIMIT %(limit)s
"""  # noqa: S608 (a statement of our own)


def acted_on_statement() -> str:
    """SQL: alerts that somebody handled since `start`, or called useful."""
    return _ACTED_ON


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of the trials: the best changes, how many were tried, what went wrong."""

    changes: Sequence[Change]
    count: int
    faults: Sequence[str]


def try_changes(
    tenant_id: UUID, period: Period, rule_ids: Sequence[str], *, seconds: Callable[[], float]
) -> Tried:
    """Back-test candidates for the first few rules and keep the best; nothing is changed.

    Parameters
    ----------
    rule_ids
        The loudest first.
    seconds
        A monotonic clock: once `BUDGET_S` are gone, no further back-test begins.
    """
    trials, changes = _Trials(seconds, seconds() + BUDGET_S), list[Change]()
    rows = Rule.objects.for_tenant(tenant_id).select_related("group")
    known = {str(rule.pk): rule for rule in rows.filter(pk__in=rule_ids[:RULES], state="active")}
    for rule in filter(None, map(known.get, rule_ids[:RULES])):
        bench = _Bench.of(rule, period)
        live = trials.run(rule.name, bench.replay)
        if live is None:
            continue
        for candidate in candidates(bench.loud):
            change = trials.run(f"{rule.name}, {candidate.kind}", partial(bench.judge, candidate, live))
            if change is not None:
                changes.append(change)
    if trials.late:
        trials.faults.append(f"there was no time to try more than {len(changes)} changes")
    return Tried(most_worth(changes), len(changes), trials.faults)


@dataclass(slots=True)
class _Trials:
    """Runs what may fail while there is time."""

    seconds: Callable[[], float]
    ends: float
    faults: list[str] = field(default_factory=list)
    late: bool = False

    def run(self, what: str, trial: Callable[[], T]) -> T | None:
        """What came of a trial; None when it failed, or there was no time."""
        self.late = self.late or self.seconds() >= self.ends
        if self.late:
            return None
        try:
            return trial()
        except (PlatformError, redis.RedisError) as error:
            self.faults.append(f"{what}: {error}")
            return None


@dataclass(frozen=True, slots=True)
class _Bench:
    """One rule with what it did, ready for trials over the latest history of the period."""

    rule: Rule
    loud: LoudRule
    start_ms: int
    end_ms: int
    acted_on: Sequence[Fired]

    @classmethod
    def of(cls, rule: Rule, period: Period) -> _Bench:
        """What a rule did in the period."""
        start = max(period.start, period.end - timedelta(seconds=rule.group.interval_s * (MAX_TICKS - 1)))
        fired = _fired(rule, period)
        acted_on = [one for *_, one in fired if one]
        loud = LoudRule(
            rule_id=str(rule.pk),
            name=rule.name,
            expr=rule.expr,
            recovery_expr=rule.recovery_expr,
            hold_for_s=rule.hold_for_s,
            fired=len(fired),
            acted_on=len(acted_on),
            values=[value for _, _, _, value, _ in fired if value is not None],
        )
        handled = [
            _stretch(labels, at, ended or period.end)
            for labels, at, ended, _, acted in fired
            if acted and at >= start
        ]
        return cls(rule, loud, from_datetime(start), from_datetime(period.end), handled)

    def replay(self, draft: RuleDraft | None = None) -> Replay:
        """What a draft of the rule would have done, or the rule as it is."""
        rule = None if draft is not None else self.rule
        trial = backtesting.Trial(self.start_ms, self.end_ms, rule=rule, draft=draft, group=self.rule.group)
        return backtest(self.rule.tenant_id, trial, now_ms=self.end_ms).verdict.replay

    def judge(self, candidate: Candidate, live: Replay) -> Change:
        """What a candidate would have done, beside what the rule did."""
        removed = candidate.kind is ChangeKind.REMOVE
        changed = Replay() if removed else self.replay(self._draft(candidate))
        trial = Trial(
            rule=self.loud,
            candidate=candidate,
            hours=(self.end_ms - self.start_ms) / 3_600_000,
            notifications=(live.notifications, changed.notifications),
            before=_stretches(live),
            after=_stretches(changed),
        )
        return judged(trial, self.acted_on)

    def _draft(self, candidate: Candidate) -> RuleDraft:
        """The rule with the change; a structured condition gives way to its expression."""
        values = {
            name: value
            for name in ("expr", "recovery_expr", "hold_for_s")
            if (value := getattr(candidate, name)) is not None
        }
        as_it_is = {"expr": self.rule.expr, "recovery_expr": self.rule.recovery_expr, "condition": None}
        return replace(draft_of(self.rule), **(as_it_is | values))


def _fired(rule: Rule, period: Period) -> list[tuple[Any, ...]]:
    """Labels, when it fired and ended, value, whether somebody acted on it; the newest first."""
    parameters: dict[str, Any] = {
        "tenant": rule.tenant_id,
        "rule": rule.pk,
        "start": period.start,
        "end": period.end,
        "limit": VALUES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIRED, parameters)
        return [(json.loads(labels), *others) for labels, *others in cursor.fetchall()]


def _stretch(labels: dict[str, str], start: datetime, end: datetime) -> Fired:
    return Fired(label_set(labels), from_datetime(start), from_datetime(end))


def _stretches(done: Replay) -> list[Fired]:
    return [Fired(label_set(one.labels), one.start_ms, one.end_ms) for one in done.intervals]

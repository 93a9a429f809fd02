"""Back-tests: what a rule, saved or not, would have done over stored history. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final
from uuid import UUID, uuid4

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet
from alertsite.tenancy.models import Quota
from rules.evaluation.plots import Line, Plot, threshold_of
from rules.evaluation.remote import Answer, Question
from rules.evaluation.replay import Helpers, Replay, replay
from rules.evaluation.scoring import Difference, Score, Span, difference, episodes, score
from rules.evaluation.specs import RuleSpec
from rules.language.engine import EvaluationLimits, evaluate_range
from rules.language.format import format_expr
from rules.language.frames import QueryRange
from rules.language.plan import plan, plan_expr
from rules.language.syntax import Expr
from rules.models import Rule, RuleGroup
from rules.series.protocols import SeriesReader
from rules.services.authoring import RuleDraft, check_draft
from rules.services.datasources import ranged_queries
from rules.services.programs import spec_of
from rules.services.querying import TenantQueries
from rules.services.templating import rule_templates
from rules.services.transitions import finite

MAX_TICKS: Final = 50_000
MAX_LINES: Final = 20
MAX_POINTS: Final = 500
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: a saved rule, a draft, or both, and then they are compared. The draft stands in `group`
    or in the group of the rule; `step_ms` 0 takes the group's interval.
    """

    start_ms: int
    end_ms: int
    step_ms: int = 0
    rule: Rule | None = None
    draft: RuleDraft | None = None
    group: RuleGroup | None = None
    incidents: Sequence[Span] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule would have done. Transitions and intervals are those of the rule alone."""

    replay: Replay
    score: Score | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of a trial: of the draft where there is one, else of the rule."""

    verdict: Verdict
    live: Verdict | None
    difference: Difference | None
    plot: Plot


def backtest(tenant_id: UUID, trial: Trial, *, now_ms: int) -> Backtest:
    """Replay the trial over the tenant's history.

    Raises
    ------
    InvalidParameter
        If there is nothing to try, or the ticks are none or too many.
    InvalidRule
        If the draft cannot be saved either.
    QueryTooExpensive, QueryTimeout
    """
    return _Trying(tenant_id, trial, now_ms).run()


class _Trying:
    """One trial under way: limits and reader are shared by its replays."""

    def __init__(self, tenant_id: UUID, trial: Trial, now_ms: int) -> None:
        self._trial = trial
        self._group = trial.group or (trial.rule.group if trial.rule else None)
        self._ticks = _ticks(trial, self._group)
        deadline = time.monotonic() + TIMEOUT_S
        self._limits = EvaluationLimits(
            max_samples=Quota.objects.get(pk=tenant_id).max_samples_per_query,
            out_of_time=lambda: time.monotonic() > deadline,
        )
        self._queries = TenantQueries(tenant_id, now_ms)
        self._remote = ranged_queries(tenant_id, self._ticks, self._limits)

    def run(self) -> Backtest:
        """Replay the saved rule, the draft, or both."""
        trial = self._trial
        saved = None if trial.rule is None else _saved_spec(trial.rule)
        tried = saved if trial.draft is None else _draft_spec(trial.draft, self._group)
        if tried is None:
            raise InvalidParameter("rule", None, "a saved rule or a draft")
        verdict = self._verdict(tried)
        live = None if saved is None or trial.draft is None else self._verdict(saved)
        return Backtest(
            verdict,
            live,
            None if live is None else difference(live.replay, verdict.replay),
            self._plot(tried, verdict.replay),
        )

    def _verdict(self, spec: RuleSpec) -> Verdict:
        specs = [*self._inputs(spec), spec]
        done = replay(
            specs, self._reader(specs), self._ticks, self._limits, Helpers(rule_templates, self._remote)
        )
        alone = _of_rule(done, len(specs) - 1)
        incidents = self._trial.incidents
        return Verdict(alone, score(episodes(alone.intervals), incidents) if incidents else None)

    def _inputs(self, spec: RuleSpec) -> list[RuleSpec]:
        """Recording rules of the group that the rule reads, and those that they read, in order."""
        if self._group is None or spec.datasource:
            return []
        rules = self._group.rules.filter(kind=Rule.Kind.RECORDING, state=Rule.State.ACTIVE)
        wanted, kept = set(plan(spec.expr).metric_names), list[RuleSpec]()
        for rule in rules.order_by("-position", "-id"):
            if rule.name in wanted and rule.pk != spec.id:
                kept.insert(0, _saved_spec(rule))
                wanted |= plan(rule.expr).metric_names
        return kept

    def _reader(self, specs: Sequence[RuleSpec]) -> SeriesReader:
        local = [spec for spec in specs if not spec.datasource]
        windows = [window for spec in local for window in plan(spec.expr).windows]
        if any(window.pinned for window in windows):
            return self._queries.reader_since(0)
        reach_ms = max((window.reach_ms for window in windows), default=0)
        offset_ms = max(spec.query_offset_ms for spec in specs)
        return self._queries.reader_since(self._ticks[0] - reach_ms - offset_ms - self._limits.lookback_ms)

    def _plot(self, spec: RuleSpec, done: Replay) -> Plot:
        """What the rule looks at, at up to `MAX_POINTS` of the ticks."""
        expr, threshold = threshold_of(spec.expr)
        ticks = self._ticks
        step_ms = ticks.step * -(-len(ticks) // MAX_POINTS)
        shown = range(ticks[0], ticks[-1] + 1, step_ms)
        lines = self._remote_lines(spec, expr, shown) if spec.datasource else self._lines(spec, expr, shown)
        return Plot(np.array(shown), lines, threshold, episodes(done.intervals))

    def _lines(self, spec: RuleSpec, expr: Expr, shown: range) -> list[Line]:
        query = QueryRange(shown[0], shown[-1], shown.step)
        found = evaluate_range(plan_expr(expr), self._reader([spec]), query, self._limits)
        return [
            Line(
                labels,
                [finite(v) if p else None for v, p in zip(values.tolist(), present.tolist(), strict=True)],
            )
            for labels, values, present in zip(
                found.labels[:MAX_LINES], found.values, found.present, strict=False
            )
        ]

    def _remote_lines(self, spec: RuleSpec, expr: Expr, shown: range) -> list[Line]:
        """As `_lines`, from the datasource; what it does not answer is not drawn."""
        questions = [Question(spec.datasource, format_expr(expr), at_ms) for at_ms in shown]
        columns: dict[LabelSet, dict[int, float]] = {}
        for question, answer in zip(questions, self._remote.over(shown).ask(questions), strict=True):
            if isinstance(answer, Answer):
                for labels, value in zip(answer.label_sets, answer.values.tolist(), strict=True):
                    columns.setdefault(labels, {})[question.at_ms] = value
        return [
            Line(labels, [finite(found[at_ms]) if at_ms in found else None for at_ms in shown])
            for labels, found in list(columns.items())[:MAX_LINES]
        ]


def _ticks(trial: Trial, group: RuleGroup | None) -> range:
    step_ms = trial.step_ms or (group.interval_s * 1000 if group else 60_000)
    if step_ms < 1000:
        raise InvalidParameter("step", f"{step_ms} ms", "at least 1s")
    first_ms = -(-trial.start_ms // step_ms) * step_ms
    ticks = range(first_ms, trial.end_ms + 1, step_ms)
    if not 0 < len(ticks) <= MAX_TICKS:
        raise InvalidParameter("ticks", len(ticks), f"1 to {MAX_TICKS} from start to end at this step")
    return ticks


def _of_rule(done: Replay, position: int) -> Replay:
    """The part of a replay that concerns one rule; what was read counts whole."""
    return replace(
        done,
        transitions=[one for one in done.transitions if one.told.change.rule == position],
        intervals=[one for one in done.intervals if one.rule == position],
        without_data={0: done.without_data.get(position, 0)},
        failures={0: done.failures.get(position, 0)},
        errors={0: done.errors[position]} if position in done.errors else {},
    )


def _saved_spec(rule: Rule) -> RuleSpec:
    group = rule.group
    values = {name: getattr(rule, name) for name in RuleDraft.__dataclass_fields__}
    return _spec(values | {"id": rule.pk, "version": rule.version}, group)


def _draft_spec(draft: RuleDraft, group: RuleGroup | None) -> RuleSpec:
    return _spec(asdict(draft) | check_draft(draft) | {"id": uuid4(), "version": 0}, group)


def _spec(values: dict[str, object], group: RuleGroup | None) -> RuleSpec:
    of_group = {
        "query_offset_s": group.query_offset_s if group else 0,
        "group__alert_limit": group.alert_limit if group else 0,
        "group__datasource_id": group.datasource_id if group else None,
    }
    return spec_of(values | of_group, group="backtest")

"""Running unit tests of rules: input series, ticks from time zero, and what must be true at some of them.

In: groups of rules, a test. Out: failures in words, none when the test passes. The ticks are `run_tick`'s, so
that what is tested is what runs live. Verdicts are promtool's: alerts are compared by labels and annotations,
annotations with the value of the evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.core.identifiers import RuleId
from alertsite.core.labels import LabelSet, fingerprint, format_labels, label_set, without_name
from rules.evaluation.program import ShardProgram
from rules.evaluation.publishing import SeriesPublisher
from rules.evaluation.ruletestfile import AlertTest, ExpressionTest, RuleTest, RuleTestFile
from rules.evaluation.specs import RuleSpec
from rules.evaluation.states import NEVER, NOTIFIED, ActiveAlerts
from rules.evaluation.tick import ALERT_NAME, Expander, Surroundings, Tick, run_tick
from rules.language.engine import EvaluationLimits, evaluate_instant
from rules.language.errors import QueryTimeout
from rules.language.notation import MAX_VALUES, parse_series, parse_values
from rules.language.plan import plan
from rules.language.rulefile import FileGroup, FileRule
from rules.series.backends.memory import MemorySeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch, SeriesReader

MAX_TICKS: Final = 100_000
_ANY_TIME = SeriesLimits(lateness_ms=1 << 60, future_ms=1 << 60)
_FUZZ = 1e-9
_ROUNDING = 1e-13
_DUST = 1e-12
"""What summing in another order may change: of a value, and of what should have come out as zero."""


@dataclass(frozen=True, slots=True)
class TestWorld:
    """What templates of a test may ask for at one tick."""

    __test__ = False  # no test class, whatever its name begins with

    external_labels: Mapping[str, str]
    external_url: str
    reader: SeriesReader
    limits: EvaluationLimits
    at_ms: int


ExpanderMaker = Callable[[TestWorld], Expander]
"""Makes the expander of a tick."""
Shown = tuple[LabelSet, LabelSet]
"""Labels and annotations of an alert."""


def run_tests(
    file: RuleTestFile, groups: Sequence[FileGroup], expander: ExpanderMaker, limits: EvaluationLimits
) -> list[str]:
    """The failures of all tests of a file, a text each.

    Raises
    ------
    InvalidNotation
        If a series or label set is malformed, or the series of a test have too many values together.
    InvalidParameter
        If a test has too many ticks.
    QueryTimeout
        Once `limits.out_of_time` says so.
    """
    specs = specs_of(groups, file.group_eval_order or ())
    failures: list[str] = []
    for number, test in enumerate(file.tests):
        run = _TestRun(test, specs, file, expander, limits)
        name = test.name or f"test {number + 1}"
        failures += [f"{name}: {failure}" for failure in run.failures()]
    return failures


def specs_of(groups: Sequence[FileGroup], order: Sequence[str]) -> list[RuleSpec]:
    """The rules of files as the evaluator knows them, all in one sequence: groups in the order asked, the
    others before them, each rule seeing what those before it wrote.
    """
    place = {name: number for number, name in enumerate(order)}
    rules = [
        (group, rule)
        for group in sorted(groups, key=lambda group: place.get(group.name, -1))
        for rule in group.rules
    ]
    return [_spec(group, rule, number) for number, (group, rule) in enumerate(rules)]


def _spec(group: FileGroup, rule: FileRule, number: int) -> RuleSpec:
    own = rule.own
    return RuleSpec(
        id=RuleId(UUID(int=number)),
        version=1,
        alerting=bool(rule.alert),
        name=rule.name,
        expr=rule.expr,
        group="tested",
        recovery_expr=own.get("recovery_expr", ""),
        query_offset_ms=group.query_offset_ms,
        hold_for_ms=rule.hold_for_ms,
        keep_firing_for_ms=rule.keep_firing_for_ms,
        alert_limit=own.get("alert_limit", 0) or group.limit,
        labels=tuple({**group.labels, **rule.labels}.items()),
        annotations=tuple(rule.annotations.items()),
        no_data_policy=own.get("no_data_policy", "ok"),
        error_policy=own.get("error_policy", "keep_state"),
    )


@dataclass(slots=True)
class _TestRun:
    """One test under way."""

    test: RuleTest
    specs: Sequence[RuleSpec]
    file: RuleTestFile
    expander: ExpanderMaker
    limits: EvaluationLimits
    store: MemorySeries = field(default_factory=lambda: MemorySeries(_ANY_TIME))
    annotated: dict[tuple[int, int], Mapping[str, str]] = field(default_factory=dict)
    """Annotations of each alert when it last changed state."""

    def failures(self) -> Iterator[str]:
        """Run the test; each difference in words."""
        self._load()
        step_ms = self.file.evaluation_interval
        checks = self.test.alert_rule_test or []
        for tick in self._ticks(step_ms):
            for check in checks:
                if tick.at_ms <= check.eval_time < tick.at_ms + step_ms:
                    yield from self._check_alerts(check, tick)
        for expectation in self.test.promql_expr_test or []:
            yield from self._check_expression(expectation)

    def _load(self) -> None:
        room = MAX_VALUES
        for one in self.test.input_series or []:
            expanded = parse_values(one.values, room)
            room -= len(expanded)
            rows = [
                (index * self.test.interval, value)
                for index, value in enumerate(expanded)
                if value is not None
            ]
            times = np.array([at_ms for at_ms, _ in rows], np.int64)
            values = np.array([value for _, value in rows], np.float64)
            batch = SampleBatch([parse_series(one.series)], np.zeros(len(rows), np.int64), times, values)
            self.store.append(batch, now_ms=0)

    def _ticks(self, step_ms: int) -> Iterator[Tick]:
        times = [one.eval_time for one in self.test.alert_rule_test or []]
        times += [one.eval_time for one in self.test.promql_expr_test or []]
        ticks = range(0, max(times, default=0) + 1, step_ms)
        if len(ticks) > MAX_TICKS:
            raise InvalidParameter("eval_time", f"{len(ticks)} evaluations", f"at most {MAX_TICKS}")
        program, recorded = ShardProgram(self.specs), dict[RuleId, set[LabelSet]]()
        alerts, labels = ActiveAlerts.none(), list[LabelSet]()
        for at_ms in ticks:
            if self.limits.out_of_time():
                raise QueryTimeout
            publisher = SeriesPublisher(self.store, program, recorded, now_ms=at_ms)
            around = Surroundings(self.store, self.limits, self._expander(at_ms), publisher.publish)
            tick = run_tick(program, alerts, labels, around, at_ms)
            alerts, labels = tick.alerts, tick.labels
            for item in tick.changes:
                self.annotated[item.change.rule, item.fingerprint] = item.annotations
            yield tick

    def _check_alerts(self, check: AlertTest, tick: Tick) -> Iterator[str]:
        at = f"alertname {check.alertname}, time {format_duration_ms(check.eval_time)}"
        for rule, error in tick.errors.items():
            if self.specs[rule].name == check.alertname:
                yield f"{at}: {error}"
        wanted = sorted(_wanted(check))
        found = sorted(self._found(check, tick))
        if found != wanted:
            yield f"{at}, {check.state}:\n  exp: {_listed(wanted)}\n  got: {_listed(found)}"
        if check.notified is not None:
            told = sorted(
                item.change.state.value
                for item in tick.changes
                if item.spec.name == check.alertname and item.change.state in NOTIFIED
            )
            if told != sorted(check.notified):
                yield f"{at}, notified:\n  exp: {sorted(check.notified)}\n  got: {told}"

    def _found(self, check: AlertTest, tick: Tick) -> Iterator[Shown]:
        """Alerts of the name in the state, with annotations as of this tick."""
        fires = check.state == "firing"
        values: dict[int, dict[int, float]] = {}
        for position, labels in enumerate(tick.labels):
            rule = int(tick.alerts.rule[position])
            if self.specs[rule].name != check.alertname:
                continue
            if bool(tick.alerts.fired_at_ms[position] != NEVER) is not fires:
                continue
            if rule not in values:
                values[rule] = self._values(self.specs[rule], tick.at_ms)
            mark = int(tick.alerts.fingerprint[position])
            yield labels, self._annotations(tick, position, values[rule].get(mark))

    def _values(self, spec: RuleSpec, at_ms: int) -> dict[int, float]:
        """The rule's value for each element, by fingerprint."""
        result = evaluate_instant(plan(spec.expr), self.store, at_ms - spec.query_offset_ms, self.limits)
        prints = (fingerprint(without_name(labels)) for labels in result.labels)
        return dict(zip(prints, result.values.tolist(), strict=True))

    def _annotations(self, tick: Tick, position: int, value: float | None) -> LabelSet:
        """Annotations of an active alert, with the value that its rule has at this tick."""
        rule, mark = int(tick.alerts.rule[position]), int(tick.alerts.fingerprint[position])
        if value is None:  # kept firing without a value
            return tuple(sorted(self.annotated.get((rule, mark), {}).items()))
        expander, known = self._expander(tick.at_ms), dict(tick.labels[position])
        return tuple(
            sorted(
                (name, _expanded(expander, text, known, value)) for name, text in self.specs[rule].annotations
            )
        )

    def _expander(self, at_ms: int) -> Expander:
        labels, url = self.test.external_labels or {}, self.test.external_url
        return self.expander(TestWorld(labels, url, self.store, self.limits, at_ms))

    def _check_expression(self, check: ExpressionTest) -> Iterator[str]:
        at = f"expr {check.expr!r}, time {format_duration_ms(check.eval_time)}"
        try:
            result = evaluate_instant(plan(check.expr), self.store, check.eval_time, self.limits)
        except PlatformError as error:
            yield f"{at}: {error}"
            return
        if result.kind not in {"vector", "scalar"}:
            yield f"{at}: the expression is a {result.kind}, not a vector or scalar"
            return
        wanted = sorted((parse_series(one.labels), one.value) for one in check.exp_samples or [])
        found = sorted(zip(result.labels, result.values.tolist(), strict=True))
        tolerance = _FUZZ if self.file.fuzzy_compare else _ROUNDING
        same = [labels for labels, _ in wanted] == [labels for labels, _ in found] and all(
            _close(one, other, tolerance) for (_, one), (_, other) in zip(wanted, found, strict=True)
        )
        if not same:
            yield f"{at}:\n  exp: {_samples(wanted)}\n  got: {_samples(found)}"


def _expanded(expander: Expander, text: str, labels: Mapping[str, str], value: float) -> str:
    try:
        return expander.expand(text, labels, value) if "{{" in text else text
    except PlatformError as error:
        return f"<error expanding template: {error}>"


def _wanted(check: AlertTest) -> Iterator[Shown]:
    for one in check.exp_alerts or []:
        labels = label_set({**(one.exp_labels or {}), ALERT_NAME: check.alertname})
        yield labels, tuple(sorted((one.exp_annotations or {}).items()))


def _close(one: float, other: float, tolerance: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=tolerance, abs_tol=_DUST)


def _listed(alerts: Sequence[Shown]) -> str:
    parts = [f"{format_labels(labels)} {dict(annotations)}" for labels, annotations in alerts]
    return "[" + ", ".join(parts) + "]"


def _samples(samples: Sequence[tuple[LabelSet, float]]) -> str:
    return "[" + ", ".join(f"{format_labels(labels)} {value:.16g}" for labels, value in samples) + "]"

"""Rules over a stretch of history: what they would have done, told by the code that runs live.

In: rules, a reader, ticks. Out: every change of state, when each alert fired, what was read. Nothing is
written but to a store of the replay's own, where recorded series and `ALERTS` of the replayed rules are
visible to later rules and ticks; what the same rules left in the store meanwhile is out of sight. Refused:
more samples than the limits allow (`QueryTooExpensive`), more time (`QueryTimeout`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.identifiers import RuleId
from alertsite.core.labels import METRIC_NAME, LabelSet
from alertsite.core.samples import Bools, Columns
from rules.evaluation.outcomes import KIND_BITS, Outcome
from rules.evaluation.program import ALERTS, ALERTS_FOR_STATE, ShardProgram
from rules.evaluation.publishing import SeriesPublisher
from rules.evaluation.remote import NobodyAnswers, RemoteQueries
from rules.evaluation.specs import RuleSpec
from rules.evaluation.states import NOTIFIED, ActiveAlerts, State
from rules.evaluation.tick import (
    ALERT_NAME,
    ERROR_ALERT,
    NO_DATA_ALERT,
    RULE_NAME,
    AlertChange,
    Expander,
    Surroundings,
    Tick,
    run_tick,
)
from rules.language.engine import EvaluationLimits
from rules.language.errors import QueryTimeout, QueryTooExpensive
from rules.language.plan import SelectorWindow, plan
from rules.series.backends.memory import MemorySeries
from rules.series.backends.snapshot import OverlaySeries, SnapshotSeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch, SeriesReader

ExpanderMaker = Callable[[SeriesReader, EvaluationLimits, int], Expander]
"""Makes the expander of a tick: templates may ask for series, and for the time."""
_ANY_TIME = SeriesLimits(lateness_ms=1 << 60, future_ms=1 << 60)


@dataclass(frozen=True, slots=True)
class Helpers:
    """What a replay needs besides series: templates, and who answers rules that are answered elsewhere."""

    expander: ExpanderMaker
    remote: RemoteQueries = field(default_factory=NobodyAnswers)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state of one alert."""

    at_ms: int
    told: AlertChange

    @property
    def notified(self) -> bool:
        """Whether people are told."""
        return self.told.change.state in NOTIFIED


@dataclass(frozen=True, slots=True)
class FiringInterval:
    """From when to when an alert fired. One that fires at the last tick is `open` and ends there."""

    rule: int
    fingerprint: int
    labels: LabelSet
    start_ms: int
    end_ms: int
    open: bool = False


@dataclass(slots=True)
class Replay:
    """What rules would have done. Rules are positions in the list replayed."""

    transitions: list[Transition] = field(default_factory=list)
    intervals: list[FiringInterval] = field(default_factory=list)
    """In the order in which they end."""
    ticks: int = 0
    samples_read: int = 0
    without_data: dict[int, int] = field(default_factory=dict)
    """Ticks at which a rule found no sample."""
    failures: dict[int, int] = field(default_factory=dict)
    """Ticks at which a rule was in error."""
    errors: dict[int, str] = field(default_factory=dict)
    """The last error of each rule that had one."""

    @property
    def notifications(self) -> int:
        """Changes that each receiver would be told about."""
        return sum(transition.notified for transition in self.transitions)

    @property
    def alert_minutes(self) -> float:
        """Minutes that alerts fired, of all alerts together."""
        return sum(one.end_ms - one.start_ms for one in self.intervals) / 60_000


def replay(
    specs: Sequence[RuleSpec],
    reader: SeriesReader,
    ticks: range,
    limits: EvaluationLimits,
    helpers: Helpers,
) -> Replay:
    """Evaluate the rules at each tick, beginning without any alert.

    Raises
    ------
    QueryTooExpensive
        If the rules read more samples over the whole time than a query may.
    QueryTimeout
        Once `limits.out_of_time` says so.
    """
    program = ShardProgram(specs)
    own = MemorySeries(_ANY_TIME)
    overlay = OverlaySeries(_history(program, reader, ticks, limits, own), own)
    recorded: dict[RuleId, set[LabelSet]] = {}
    told = _Log()
    alerts, labels = ActiveAlerts.none(), list[LabelSet]()
    for at_ms in ticks:
        if limits.out_of_time():
            raise QueryTimeout
        publisher = SeriesPublisher(own, program, recorded, now_ms=at_ms)
        expander = helpers.expander(overlay, limits, at_ms)
        around = Surroundings(overlay, limits, expander, publisher.publish, helpers.remote)
        tick = run_tick(program, alerts, labels, around, at_ms)
        told.note(tick)
        alerts, labels = tick.alerts, tick.labels
    return told.finished(ticks, overlay.samples_read)


class _Log:
    """Ticks, as they become a replay."""

    def __init__(self) -> None:
        self._replay = Replay()
        self._firing: dict[tuple[int, int], tuple[int, LabelSet]] = {}

    def note(self, tick: Tick) -> None:
        """Keep what a tick changed."""
        for item in tick.changes:
            self._replay.transitions.append(Transition(tick.at_ms, item))
            key = item.change.rule, item.fingerprint
            if item.change.state is State.FIRING:
                self._firing[key] = tick.at_ms, item.labels
            elif key in self._firing:
                self._end(key, tick.at_ms, still=False)
        kinds = tick.outcomes & KIND_BITS
        _count(self._replay.without_data, kinds == Outcome.NO_DATA)
        _count(self._replay.failures, kinds == Outcome.ERROR)
        self._replay.errors.update({rule: str(error) for rule, error in tick.errors.items()})

    def _end(self, key: tuple[int, int], at_ms: int, *, still: bool) -> None:
        start_ms, labels = self._firing.pop(key)
        self._replay.intervals.append(FiringInterval(*key, labels, start_ms, at_ms, open=still))

    def finished(self, ticks: range, samples_read: int) -> Replay:
        for key in list(self._firing):
            self._end(key, ticks[-1], still=True)
        self._replay.ticks, self._replay.samples_read = len(ticks), samples_read
        return self._replay


def _count(counts: dict[int, int], marks: Bools) -> None:
    for rule in np.flatnonzero(marks).tolist():
        counts[rule] = counts.get(rule, 0) + 1


def _history(
    program: ShardProgram, reader: SeriesReader, ticks: range, limits: EvaluationLimits, own: MemorySeries
) -> SnapshotSeries:
    """Everything the rules may read, but what they write themselves. What recording rules had written before
    the first tick begins their series in `own`.
    """
    windows = [window for spec in program.specs for window in _windows(spec)]
    if not windows or not ticks:
        return SnapshotSeries((), Columns.empty())
    numbers = np.unique(np.concatenate([reader.select(window.matchers) for window in windows]))
    columns = reader.read(numbers, *_span(windows, ticks, limits))
    if len(columns.values) > limits.max_samples:
        raise QueryTooExpensive(what="samples", wanted=len(columns.values), limit=limits.max_samples)
    label_sets = reader.labels(numbers)
    writers = _Writers.of(program.specs)
    recorded = np.array([writers.record(labels) for labels in label_sets], np.bool_)
    states = np.array([writers.state(labels) for labels in label_sets], np.bool_)
    _write_before(own, _Part.of(label_sets, columns, recorded), ticks[0])
    base = _Part.of(label_sets, columns, ~(recorded | states))
    return SnapshotSeries(base.label_sets, base.columns)


def _windows(spec: RuleSpec) -> Iterator[SelectorWindow]:
    """What the rule reads here, its query offset counted in; nothing if it cannot be planned."""
    if spec.datasource:
        return
    for text in filter(None, (spec.expr, spec.recovery_expr)):
        try:
            windows = plan(text).windows
        except PlatformError:  # every tick of the rule says so
            continue
        for window in windows:
            shift = spec.query_offset_ms
            yield replace(window, reach_ms=window.reach_ms + shift, offset_ms=window.offset_ms + shift)


def _span(windows: Sequence[SelectorWindow], ticks: range, limits: EvaluationLimits) -> tuple[int, int]:
    """From when to when samples may be read at any tick; a selector that is pinned may look anywhere."""
    end_ms = ticks[-1] - min(window.offset_ms for window in windows) + limits.lookback_ms
    if any(window.pinned for window in windows):
        return 0, max(end_ms, ticks[-1])
    return ticks[0] - max(window.reach_ms for window in windows) - limits.lookback_ms, end_ms


@dataclass(frozen=True, slots=True)
class _Writers:
    """Names under which the replayed rules write."""

    recorded: frozenset[str]
    alerts: frozenset[str]

    @classmethod
    def of(cls, specs: Sequence[RuleSpec]) -> _Writers:
        return cls(
            frozenset(spec.name for spec in specs if not spec.alerting),
            frozenset(spec.name for spec in specs if spec.alerting),
        )

    def record(self, labels: LabelSet) -> bool:
        return dict(labels).get(METRIC_NAME) in self.recorded

    def state(self, labels: LabelSet) -> bool:
        """Whether a series is the state of one of these alerts."""
        known = dict(labels)
        named = ALERT_NAME
        if known.get(named) in {NO_DATA_ALERT, ERROR_ALERT}:
            named = RULE_NAME
        return known.get(METRIC_NAME) in {ALERTS, ALERTS_FOR_STATE} and known.get(named) in self.alerts


@dataclass(frozen=True, slots=True)
class _Part:
    """Some series with their samples."""

    label_sets: Sequence[LabelSet]
    columns: Columns

    @classmethod
    def of(cls, label_sets: Sequence[LabelSet], columns: Columns, chosen: Bools) -> _Part:
        """The chosen series with their samples."""
        counts = np.diff(columns.offsets)
        inside = np.repeat(chosen, counts)
        return cls(
            [labels for labels, mine in zip(label_sets, chosen.tolist(), strict=True) if mine],
            Columns(
                np.concatenate(([0], np.cumsum(counts[chosen]))),
                columns.timestamps_ms[inside],
                columns.values[inside],
            ),
        )


def _write_before(own: MemorySeries, part: _Part, moment_ms: int) -> None:
    """Store what of these series is older than a moment."""
    columns = part.columns
    series = np.repeat(np.arange(len(columns)), np.diff(columns.offsets))
    older = columns.timestamps_ms < moment_ms
    batch = SampleBatch(part.label_sets, series[older], columns.timestamps_ms[older], columns.values[older])
    own.append(batch, now_ms=moment_ms)

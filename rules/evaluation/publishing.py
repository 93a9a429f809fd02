"""Alert states and recorded series, written where any rule may read them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from alertsite.core.identifiers import RuleId
from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from alertsite.core.samples import STALE_NAN
from rules.evaluation.program import ALERTS, ALERTS_FOR_STATE, ShardProgram
from rules.evaluation.states import NEVER, State
from rules.evaluation.tick import Recorded, Tick
from rules.series.protocols import SampleBatch, SeriesWriter


@dataclass(slots=True)
class _Samples:
    """One sample for each label set, gathered."""

    label_sets: list[LabelSet] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[np.float64] = field(default_factory=list)  # NumPy scalars keep the bits of stale markers

    def add(self, labels: LabelSet, at_ms: int, value: np.float64) -> None:
        self.label_sets.append(labels)
        self.timestamps_ms.append(at_ms)
        self.values.append(value)

    def batch(self) -> SampleBatch:
        """What was gathered, for the writer."""
        return SampleBatch(
            self.label_sets,
            np.arange(len(self.label_sets)),
            np.array(self.timestamps_ms, np.int64),
            np.array(self.values, np.float64),
        )


@dataclass(slots=True)
class SeriesPublisher:
    """Writes what a tick produced. A series that ends gets a stale marker, as Prometheus gives it."""

    writer: SeriesWriter
    program: ShardProgram
    recorded: dict[RuleId, set[LabelSet]]
    """Series each recording rule wrote last: one that is missing from its next result is marked stale."""
    now_ms: int

    def publish(self, tick: Tick, recorded: Recorded) -> None:
        """Store what one level recorded and the alerts as they stand after it."""
        samples = _Samples()
        self._add_recorded(tick, recorded, samples)
        self._add_alerts(tick, samples)
        if samples.label_sets:
            self.writer.append(samples.batch(), now_ms=self.now_ms)

    def _at(self, tick: Tick, rule: int) -> int:
        return tick.at_ms - self.program.specs.shared(rule).query_offset_ms

    def _add_recorded(self, tick: Tick, recorded: Recorded, samples: _Samples) -> None:
        written: defaultdict[int, set[LabelSet]] = defaultdict(set)
        rows = zip(recorded.rule.tolist(), recorded.label_sets, recorded.values, strict=True)
        for rule, labels, value in rows:
            written[rule].add(labels)
            samples.add(labels, self._at(tick, rule), value)
        for rule in recorded.complete:
            rule_id = self.program.specs[rule].id
            for labels in self.recorded.get(rule_id, set()) - written[rule]:
                samples.add(labels, self._at(tick, rule), STALE_NAN)
            self.recorded[rule_id] = written[rule]

    def _add_alerts(self, tick: Tick, samples: _Samples) -> None:
        """`ALERTS` and `ALERTS_FOR_STATE` of what is active, and the end of the series of what changed."""
        for item in tick.changes:
            at_ms = self._at(tick, item.change.rule)
            if item.change.previous != State.INACTIVE:
                samples.add(state_series(item.labels, item.change.previous), at_ms, STALE_NAN)
            if item.change.state in {State.INACTIVE, State.RESOLVED}:
                samples.add(since_series(item.labels), at_ms, STALE_NAN)
        alerts = tick.alerts
        active = zip(
            tick.labels,
            alerts.rule.tolist(),
            (alerts.fired_at_ms != NEVER).tolist(),
            alerts.active_since_ms // 1000,
            strict=True,
        )
        for labels, rule, fires, since_s in active:
            at_ms = self._at(tick, rule)
            samples.add(state_series(labels, State.FIRING if fires else State.PENDING), at_ms, np.float64(1))
            samples.add(since_series(labels), at_ms, np.float64(since_s))


def state_series(labels: LabelSet, state: State) -> LabelSet:
    """`ALERTS{alertstate="…"}` of an alert."""
    return label_set({**dict(labels), METRIC_NAME: ALERTS, "alertstate": state.value})


def since_series(labels: LabelSet) -> LabelSet:
    """`ALERTS_FOR_STATE` of an alert; its value is the second since which it is active."""
    return label_set({**dict(labels), METRIC_NAME: ALERTS_FOR_STATE})

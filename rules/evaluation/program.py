"""A shard's rules, made ready to be evaluated: plans fused by level, terms as columns.

In: rule definitions in the order of the shard's layout. Refused: nothing; a definition that does not parse
becomes a rule whose every tick is an error, and its neighbours are untouched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, MatchOp
from alertsite.core.samples import Ints
from rules.evaluation.specs import PackedSpecs, RuleSpec
from rules.evaluation.states import Terms
from rules.language.fusion import ShardPlan
from rules.language.plan import Plan, plan

ALERTS = "ALERTS"
ALERTS_FOR_STATE = "ALERTS_FOR_STATE"


@dataclass(frozen=True, slots=True)
class PlannedRules:
    """Rules that are evaluated together: one store read, shapes fused."""

    rules: Ints
    """Shape (k,): positions in the shard."""
    plan: ShardPlan
    query_offset_ms: int


@dataclass(frozen=True, slots=True)
class Level:
    """Rules none of which reads another one's result of this tick."""

    conditions: Sequence[PlannedRules]
    recoveries: Sequence[PlannedRules]
    remote: Ints
    """Shape (m,): positions of the rules that are answered elsewhere."""


class ShardProgram:
    """Immutable; cached by the shard's content version."""

    def __init__(self, specs: Sequence[RuleSpec]) -> None:
        self.specs = PackedSpecs(specs)
        self.errors: dict[int, PlatformError] = {}
        """Rules that cannot be planned, by position."""
        self.remote = np.array([at for at, spec in enumerate(specs) if spec.datasource], np.int64)
        """Positions of the rules that are answered elsewhere, none of which is planned here."""
        plans = [
            None if spec.datasource else self._planned(position, spec.expr)
            for position, spec in enumerate(specs)
        ]
        recoveries = [
            self._planned(position, spec.recovery_expr)
            if spec.recovery_expr and not spec.datasource
            else None
            for position, spec in enumerate(specs)
        ]
        levels = _levels(specs, plans)
        self.levels = [_level(members, specs, plans, recoveries) for members in levels]
        self.terms = Terms(
            hold_for_ms=np.array([spec.hold_for_ms for spec in specs], np.int64),
            keep_firing_for_ms=np.array([spec.keep_firing_for_ms for spec in specs], np.int64),
            alert_limit=np.array([spec.alert_limit for spec in specs], np.int64),
        )
        self.alerting = np.array([spec.alerting for spec in specs], np.bool_)

    def __len__(self) -> int:
        return len(self.specs)

    def _planned(self, position: int, expr: str) -> Plan | None:
        try:
            return plan(expr)
        except PlatformError as error:
            self.errors[position] = error
            return None


def _levels(specs: Sequence[RuleSpec], plans: Sequence[Plan | None]) -> list[list[int]]:
    """Positions by level: a rule comes after every earlier rule of its group that writes what it reads."""
    depth: dict[int, int] = {}
    for members in _groups(specs):
        written: dict[str, int] = {}  # metric -> level after which it is complete
        for position in members:
            rule_plan = plans[position]
            if rule_plan is None and not specs[position].datasource:
                continue
            # What is answered elsewhere reads nothing that is written here.
            depth[position] = 0 if rule_plan is None else _depth(rule_plan, written)
            for metric in _writes(specs[position]):
                written[metric] = max(written.get(metric, 0), depth[position] + 1)
    levels: list[list[int]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for position, level in depth.items():
        levels[level].append(position)
    return [sorted(level) for level in levels]


def _groups(specs: Sequence[RuleSpec]) -> Iterable[list[int]]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for position, spec in enumerate(specs):
        groups[spec.group].append(position)
    return groups.values()


def _depth(rule_plan: Plan, written: dict[str, int]) -> int:
    """The level at which everything the plan reads is complete; a selector without a name may read
    anything.
    """
    names = rule_plan.metric_names
    reads = written.keys() if _reads_anything(rule_plan) else names & written.keys()
    return max((written[name] for name in reads), default=0)


def _reads_anything(rule_plan: Plan) -> bool:
    """Whether a selector leaves the metric name open."""
    return not all(
        any(matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL for matcher in matchers)
        for matchers in rule_plan.selectors
    )


def _writes(spec: RuleSpec) -> tuple[str, ...]:
    return (ALERTS, ALERTS_FOR_STATE) if spec.alerting else (spec.name,)


def _level(
    members: Sequence[int],
    specs: Sequence[RuleSpec],
    plans: Sequence[Plan | None],
    recoveries: Sequence[Plan | None],
) -> Level:
    remote = np.array([position for position in members if specs[position].datasource], np.int64)
    return Level(_by_offset(members, specs, plans), _by_offset(members, specs, recoveries), remote)


def _by_offset(
    members: Sequence[int], specs: Sequence[RuleSpec], plans: Sequence[Plan | None]
) -> list[PlannedRules]:
    by_offset: defaultdict[int, list[int]] = defaultdict(list)
    for position in members:
        if plans[position] is not None:
            by_offset[specs[position].query_offset_ms].append(position)
    return [
        PlannedRules(
            np.array(positions, np.int64),
            ShardPlan([ready for at in positions if (ready := plans[at]) is not None]),
            offset_ms,
        )
        for offset_ms, positions in by_offset.items()
    ]

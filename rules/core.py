"""Door: the documented names of rules, conditions and results. They hand on what lives in its proper room.

A condition is a structured condition or PromQL; both are PromQL inside. A context holds current values of
metrics,
for trying a rule without a store. Nothing here touches a database.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, label_set
from rules.language.conditions import compile_condition
from rules.language.engine import evaluate_instant
from rules.language.plan import plan
from rules.series.backends.memory import MemorySeries
from rules.series.protocols import SampleBatch

__all__ = [
    "AlertCategory",
    "AlertRule",
    "AlertSeverity",
    "ConditionFactory",
    "ConfigValidator",
    "EvaluationResult",
    "RuleCondition",
    "RuleContext",
    "RuleFactory",
    "RuleStatus",
]

EVERYONE = "default"


class AlertSeverity(enum.StrEnum):
    """How urgent an alert is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class AlertCategory(enum.StrEnum):
    """What an alert is about. Any other text is a category too; these are the documented ones."""

    PERFORMANCE = "performance"
    AVAILABILITY = "availability"
    CAPACITY = "capacity"
    SECURITY = "security"
    BUSINESS = "business"


class RuleStatus(enum.StrEnum):
    """Where a rule is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Current values of metrics by name, as of one moment."""

    current_metrics: Mapping[str, float]
    tenant_id: str = EVERYONE
    timestamp_ms: int = 0

    def series(self) -> MemorySeries:
        """The values as one sample each."""
        store = MemorySeries()
        names = list(self.current_metrics)
        batch = SampleBatch(
            [label_set({METRIC_NAME: name}) for name in names],
            np.arange(len(names)),
            np.full(len(names), self.timestamp_ms, np.int64),
            np.array([float(self.current_metrics[name]) for name in names]),
        )
        store.append(batch, now_ms=self.timestamp_ms)
        return store


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What one rule came to. `state` is the state of its most urgent alert."""

    rule_name: str
    triggered: bool
    state: str = "inactive"
    values: Sequence[float] = ()
    labels: Sequence[Mapping[str, str]] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """When a rule holds."""

    expr: str
    recovery_expr: str = ""

    async def evaluate(self, context: RuleContext) -> bool:
        """Whether it holds for the values of a context.

        Raises
        ------
        PlatformError
            If the expression does not parse or cannot be evaluated.
        """
        result = evaluate_instant(plan(self.expr), context.series(), context.timestamp_ms)
        return bool(len(result.values)) if result.kind == "vector" else bool(result.values[0])


class ConditionFactory:
    """Makes conditions from what people write."""

    @staticmethod
    def create(condition: Mapping[str, Any] | str) -> RuleCondition:
        """A condition from its structured form or from PromQL.

        Raises
        ------
        PlatformError
            If it is malformed.
        """
        if isinstance(condition, str):
            plan(condition)
            return RuleCondition(condition)
        compiled = compile_condition(condition)
        return RuleCondition(compiled.expr, compiled.recovery)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A rule as the documented entry points take and give it."""

    name: str
    condition: Mapping[str, Any] | str
    tenant_id: str = EVERYONE
    rule_id: str = ""
    severity: str = AlertSeverity.MEDIUM
    category: str = ""
    status: str = RuleStatus.ACTIVE
    group: str = "rules"
    hold_for_s: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    async def evaluate(self, context: RuleContext) -> EvaluationResult:
        """Try the rule on the values of a context. What fails is in `error`."""
        try:
            holds = await ConditionFactory.create(self.condition).evaluate(context)
        except PlatformError as error:
            return EvaluationResult(self.name, triggered=False, error=str(error))
        return EvaluationResult(self.name, triggered=holds, state="firing" if holds else "inactive")


class InvalidRuleConfig(PlatformError):
    """A rule's configuration is malformed. `errors` has a reason for each field."""

    code = "rule.invalid_config"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


class ConfigValidator:
    """Checks a rule's configuration before anything is made of it."""

    @staticmethod
    def validate(config: Mapping[str, Any]) -> dict[str, str]:
        """A reason for each field that is wrong; empty when all is well."""
        errors = {name: "unknown field" for name in config if name not in AlertRule.__dataclass_fields__}
        if not config.get("name"):
            errors["name"] = "a name is needed"
        if not config.get("condition"):
            errors["condition"] = "a condition is needed: structured, or PromQL"
        else:
            try:
                ConditionFactory.create(config["condition"])
            except PlatformError as error:
                errors["condition"] = str(error)
        for name, known in (("severity", AlertSeverity), ("status", RuleStatus)):
            value = config.get(name)
            if value is not None and value not in list(known):
                errors[name] = f"is {value!r}, accepts {', '.join(known)}"
        return errors


class RuleFactory:
    """Makes rules from configuration."""

    @staticmethod
    def create(config: Mapping[str, Any]) -> AlertRule:
        """A rule.

        Raises
        ------
        InvalidRuleConfig
            With a reason for each field that is wrong.
        """
        errors = ConfigValidator.validate(config)
        if errors:
            raise InvalidRuleConfig(errors)
        return AlertRule(**config)

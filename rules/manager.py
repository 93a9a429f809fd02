"""Door: `create_rule_manager` and what it gives, over the services that live workers use.

The platform's settings come from the environment, so the addresses a caller names are put there before
Django starts;
that is why the services are loaded by name and not imported above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async

from alertsite.core.clock import SystemClock
from alertsite.runtime.starting import start_platform
from rules.core import AlertRule, EvaluationResult, RuleContext, RuleFactory

__all__ = [
    "EvaluationBatch",
    "RuleEvaluationCache",
    "RuleEvaluationConfig",
    "RuleEvaluator",
    "RuleManager",
    "SystemMetricsCollector",
    "create_rule_manager",
]

_SAME = ("hold_for_s", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class RuleEvaluationConfig:
    """How a manager's rules are evaluated. Seconds."""

    evaluation_interval_s: int = 15
    """Of the groups the manager makes."""
    collect_system_metrics: bool = True
    """Store this machine's metrics before each evaluation."""


@dataclass(frozen=True, slots=True)
class EvaluationBatch:
    """Rules to be tried together on one context."""

    rules: Sequence[AlertRule]
    context: RuleContext


class RuleEvaluator:
    """Tries rules on the values of a context, without a store."""

    async def evaluate(self, rule: AlertRule, context: RuleContext) -> EvaluationResult:
        """One rule."""
        return await rule.evaluate(context)

    async def evaluate_batch(self, batch: EvaluationBatch) -> list[EvaluationResult]:
        """Several rules, in order; one that fails does not stop the others."""
        return [await rule.evaluate(batch.context) for rule in batch.rules]


@dataclass(slots=True)
class RuleEvaluationCache:
    """The last results of each tenant."""

    results: dict[str, list[EvaluationResult]] = field(default_factory=dict)

    def last(self, tenant: str) -> list[EvaluationResult]:
        """What `evaluate_tenant_rules` gave last for the tenant; nothing if it was never asked."""
        return self.results.get(tenant, [])


class SystemMetricsCollector:
    """Stores this machine's metrics for a tenant."""

    async def collect(self, tenant: str) -> int:
        """Read the machine and store the samples. Returns how many."""
        return int(await sync_to_async(_tenant(tenant).collect)())


class RuleManager:
    """Rules of any tenant, saved and evaluated as the platform does it."""

    def __init__(self, config: RuleEvaluationConfig) -> None:
        self.config = config
        self.cache = RuleEvaluationCache()
        self.evaluator = RuleEvaluator()
        self.collector = SystemMetricsCollector()

    async def add_rule(self, config: Mapping[str, Any]) -> AlertRule:
        """Save a rule as a version; its tenant and group are made when they do not exist.

        Raises
        ------
        PlatformError
            With a reason for each field that is wrong; nothing is stored.
        """
        rule = RuleFactory.create(config)
        written = (
            {"expr": rule.condition} if isinstance(rule.condition, str) else {"condition": rule.condition}
        )
        shared = {name: getattr(rule, name) for name in ("name", "severity", "category", *_SAME)}
        draft = import_module("rules.services.authoring").RuleDraft(**shared, **written, state=rule.status)
        add = sync_to_async(_tenant(rule.tenant_id).add)
        saved = await add(rule.group, self.config.evaluation_interval_s, draft)
        return replace(rule, rule_id=str(saved.pk))

    async def remove_rule(self, tenant: str, rule_id: str) -> None:
        """Delete a rule. Its firing alerts resolve."""
        await sync_to_async(_tenant(tenant).remove)(rule_id)

    async def list_rules(self, tenant: str) -> list[AlertRule]:
        """Every rule of a tenant."""
        return [_presented(tenant, rule) for rule in await sync_to_async(_tenant(tenant).saved)()]

    async def evaluate_tenant_rules(self, tenant: str) -> list[EvaluationResult]:
        """Evaluate every active rule of a tenant now, with states, ledger and notifications as in a live
        tick.
        """
        if self.config.collect_system_metrics:
            await self.collector.collect(tenant)
        outcomes = await sync_to_async(_tenant(tenant).evaluate)()
        results = [
            EvaluationResult(
                rule_name=outcome.rule.name,
                triggered=outcome.state == "firing",
                state=outcome.state,
                values=[alert.value for alert in outcome.alerts if alert.value is not None],
                labels=[alert.labels for alert in outcome.alerts],
                error=outcome.rule.last_error,
            )
            for outcome in outcomes
        ]
        self.cache.results[tenant] = results
        return results


async def create_rule_manager(
    config: RuleEvaluationConfig | None = None, redis_url: str = "", database_url: str = ""
) -> RuleManager:
    """A manager over the given servers, over those of the environment, or over those that `make up` started.

    The addresses count when the platform has not been started in this process yet.
    """
    named = {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
    start_platform(named)
    return RuleManager(config or RuleEvaluationConfig())


def _tenant(slug: str) -> Any:
    return import_module("rules.services.managing").TenantRules(slug, "python", SystemClock())


def _presented(tenant: str, rule: Any) -> AlertRule:
    """A saved rule as the documented class."""
    return AlertRule(
        condition=rule.condition or rule.expr,
        tenant_id=tenant,
        rule_id=str(rule.pk),
        status=rule.state,
        group=rule.group.name,
        **{name: getattr(rule, name) for name in ("name", "severity", "category", *_SAME)},
    )

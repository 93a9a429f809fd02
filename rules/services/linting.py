"""Advice on a draft, from the tenant's own series, rules and quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import redis

from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Quota
from rules.language.lint import Cost, Linted, Warned, cost_of, lint
from rules.language.plan import plan
from rules.models import Rule, RuleGroup
from rules.services.authoring import RuleDraft, check_draft
from rules.services.stores import hot_store

UNAVAILABLE: Final = Warned("lint.unavailable", "the series cannot be read now, so the rule was not linted")


@dataclass(frozen=True, slots=True)
class Advice:
    """What lint says of a draft."""

    warnings: list[Warned]
    cost: Cost


def advise(tenant_id: UUID, draft: RuleDraft, group: RuleGroup | None = None) -> Advice:
    """Lint a draft, which stands in `group`, and estimate what a tick of it reads.

    Raises
    ------
    InvalidRule
        If it cannot be saved at all.
    """
    expr = check_draft(draft)["expr"]
    recording = Rule.objects.for_tenant(tenant_id).filter(kind=Rule.Kind.RECORDING, state=Rule.State.ACTIVE)
    rule = Linted(
        alerting=draft.kind == Rule.Kind.ALERTING,
        expr=expr,
        hold_for_ms=draft.hold_for_s * 1000,
        labels=draft.labels,
        written=frozenset(recording.values_list("name", flat=True)),
        remote=bool(draft.datasource_id or (group and group.datasource_id)),
    )
    reader = hot_store(tenant_id)
    budget = Quota.objects.get(pk=tenant_id).max_samples_per_query
    cost = Cost(0, 0, 0.0) if rule.remote else cost_of(plan(expr), reader, budget_samples=budget)
    return Advice(lint(rule, reader, budget_samples=budget), cost)


def warnings_after_save(tenant_id: UUID, draft: RuleDraft, group: RuleGroup) -> list[Warned]:
    """What lint says of a rule that is saved already: a store that does not answer fails no save."""
    try:
        return advise(tenant_id, draft, group).warnings
    except (PlatformError, redis.RedisError):
        return [UNAVAILABLE]

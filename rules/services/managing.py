"""What the documented Python entry point asks for, in terms of the other services."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, label_set
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import create_tenant
from rules.models import AlertInstance, Rule, RuleGroup
from rules.services import authoring, collecting, evaluation
from rules.services.authoring import Author, RuleDraft


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How a rule stands after an evaluation."""

    rule: Rule
    alerts: list[AlertInstance]

    @property
    def state(self) -> str:
        """Of its most urgent alert."""
        states = {alert.state for alert in self.alerts}
        return next((state for state in ("firing", "pending") if state in states), "inactive")

    @property
    def labels(self) -> list[LabelSet]:
        """Of its alerts."""
        return [label_set(alert.labels) for alert in self.alerts]


@dataclass(frozen=True, slots=True)
class TenantRules:
    """Rules of one tenant, for one author."""

    slug: str
    author: str
    clock: Clock

    def collect(self) -> int:
        """Store this machine's metrics. Returns how many samples."""
        return collecting.collect_host_for(self._tenant().pk, self.clock).accepted

    def add(self, group_name: str, interval_s: int, draft: RuleDraft) -> Rule:
        """Save a new rule; tenant and group are made when they do not exist."""
        tenant = self._tenant()
        with tenant_scope(tenant.pk):
            group = RuleGroup.objects.for_tenant(tenant).filter(name=group_name).first()
            if group is None:
                made = RuleGroup(tenant=tenant, name=group_name, interval_s=interval_s)
                group = authoring.save_group(made, self._author())
            return authoring.save_rule(group, draft, self._author())

    def remove(self, rule_id: str) -> None:
        """Delete a rule."""
        tenant = self._tenant()
        with tenant_scope(tenant.pk):
            rule = Rule.objects.for_tenant(tenant).filter(pk=UUID(rule_id)).select_related("group").first()
            if rule is None:
                raise InvalidParameter("rule_id", rule_id, f"the id of a rule of {self.slug}")
            authoring.delete_rule(rule, self._author())

    def saved(self) -> list[Rule]:
        """Every rule."""
        tenant = self._tenant()
        with tenant_scope(tenant.pk):
            return list(Rule.objects.for_tenant(tenant).select_related("group"))

    def evaluate(self) -> list[RuleOutcome]:
        """Evaluate every active rule now."""
        tenant = self._tenant()
        evaluation.evaluate_tenant_now(tenant.pk, self.clock)
        with tenant_scope(tenant.pk):
            alerts: dict[UUID, list[AlertInstance]] = {}
            for alert in AlertInstance.objects.for_tenant(tenant):
                alerts.setdefault(alert.rule_id, []).append(alert)
            active = Rule.objects.for_tenant(tenant).filter(state=Rule.State.ACTIVE)
            return [RuleOutcome(rule, alerts.get(rule.pk, [])) for rule in active]

    def _tenant(self) -> Tenant:
        with platform_scope():
            return Tenant.objects.filter(slug=self.slug).first() or create_tenant(self.slug, self.slug)

    def _author(self) -> Author:
        return Author(self.author, to_datetime(self.clock.now_ms()))

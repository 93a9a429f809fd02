"""Taking Prometheus rule files into a tenant. Groups of the same name are replaced, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import transaction

from rules.language.rulefile import FileGroup, FileRule
from rules.models import Rule, RuleGroup
from rules.services.authoring import Author, InvalidRule, RuleDraft, check_draft, replace_rules, save_group

DEFAULT_INTERVAL_S: Final = 60

_SEVERITIES: Final = {
    "critical": Rule.Severity.CRITICAL,
    "page": Rule.Severity.CRITICAL,
    "error": Rule.Severity.HIGH,
    "high": Rule.Severity.HIGH,
    "warning": Rule.Severity.MEDIUM,
    "medium": Rule.Severity.MEDIUM,
    "low": Rule.Severity.LOW,
    "info": Rule.Severity.INFO,
    "none": Rule.Severity.INFO,
}
"""Severity labels people use, and ours. The label itself is kept as it is."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that was not taken, and why."""

    group: str
    rule: str
    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of each rule."""

    taken: int = 0
    refused: list[Refusal] = field(default_factory=list)


def import_groups(tenant_id: UUID, groups: Iterable[FileGroup], author: Author) -> ImportReport:
    """Store the groups as active rules. A rule that is refused does not keep its neighbours out."""
    report = ImportReport()
    for group in groups:
        with transaction.atomic():
            _import_group(tenant_id, group, author, report)
    return report


def _import_group(tenant_id: UUID, found: FileGroup, author: Author, report: ImportReport) -> None:
    group = RuleGroup.objects.for_tenant(tenant_id).filter(name=found.name).first()
    group = group or RuleGroup(tenant_id=tenant_id, name=found.name)
    group.interval_s = max(1, found.interval_ms // 1000) if found.interval_ms else DEFAULT_INTERVAL_S
    group.query_offset_s = found.query_offset_ms // 1000
    group.alert_limit = found.limit
    save_group(group, author)
    drafts: list[RuleDraft] = []
    for position, rule in enumerate(found.rules):
        draft = draft_from_file(rule, found, position)
        try:
            check_draft(draft)
        except InvalidRule as error:
            report.refused.append(Refusal(found.name, rule.name, rule.line, str(error)))
        else:
            drafts.append(draft)
    replace_rules(group, drafts, author)
    report.taken += len(drafts)


def draft_from_file(rule: FileRule, group: FileGroup, position: int) -> RuleDraft:
    """What a rule of a file says, in our terms. Group labels count where the rule has none of that name."""
    labels = {**group.labels, **rule.labels}
    return RuleDraft(
        name=rule.name,
        kind=Rule.Kind.ALERTING if rule.alert else Rule.Kind.RECORDING,
        expr=rule.expr,
        hold_for_s=-(-rule.hold_for_ms // 1000),
        keep_firing_for_s=-(-rule.keep_firing_for_ms // 1000),
        severity=_SEVERITIES.get(labels.get("severity", ""), Rule.Severity.MEDIUM),
        category=labels.get("category", ""),
        labels=labels,
        annotations=rule.annotations,
        position=position,
    )

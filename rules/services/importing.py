"""Taking Prometheus rule files into a tenant. Groups of the same name are replaced, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import transaction

from rules.language.rulefile import FileGroup, FileRule
from rules.models import Rule, RuleGroup
from rules.services.authoring import Author, InvalidRule, RuleDraft, save_group, save_rules

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
    save_rules(group, _drafts(found), author, report)

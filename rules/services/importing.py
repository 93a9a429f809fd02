"""Taking Prometheus rule files into a tenant. Groups of the same name are replaced, rule by rule.

In: rule files as text. Out: a report with what became of each rule: taken, changed in meaning and how, or
refused and why. Refused: a file that does not read like a rule file, whole; a rule that cannot be saved,
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from alertsite.core.durations import format_duration_ms
from alertsite.core.errors import PlatformError
from rules.language.rulefile import FileGroup, FileRule, InvalidRuleFile, parse_rule_file
from rules.models import Datasource, Rule, RuleGroup
from rules.services.authoring import Author, InvalidRule, RuleDraft, check_draft, replace_rules, save_group

DEFAULT_INTERVAL_S: Final = 60
MAX_CATEGORY: Final = 50

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


class Outcome(StrEnum):
    """What became of a rule."""

    TAKEN = "taken"
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file as it came in."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ImportedRule:
    """What became of one rule; `notes` say what changed, or why it was refused."""

    file: str
    line: int
    group: str
    rule: str
    outcome: Outcome
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class ImportReport:
    """What became of each rule, in the order of the files."""

    rules: list[ImportedRule] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[ImportedRule]:
        """The rules with this outcome."""
        return [rule for rule in self.rules if rule.outcome is outcome]

    @property
    def refused(self) -> list[ImportedRule]:
        """Rules, and whole files, that were not taken."""
        return self.of(Outcome.REFUSED)

    @property
    def taken(self) -> int:
        """How many rules are in the tenant now, changed ones counted in."""
        return len(self.rules) - len(self.refused)


def import_files(tenant_id: UUID, files: Iterable[RuleFile], author: Author) -> ImportReport:
    """Store the rules of all files as active rules. What is refused does not keep its neighbours out."""
    report = ImportReport()
    owners: dict[str, str] = {}
    for file in files:
        try:
            groups = parse_rule_file(file.text)
        except InvalidRuleFile as error:
            refusal = ImportedRule(file.name, error.line, "", "", Outcome.REFUSED, (str(error),))
            report.rules.append(refusal)
            continue
        for group in groups:
            _Import(tenant_id, author, file.name, report).take(_named_apart(group, file.name, owners))
    return report


def import_groups(
    tenant_id: UUID, groups: Iterable[FileGroup], author: Author, *, file: str = ""
) -> ImportReport:
    """As `import_files`, for groups that are read already."""
    report = ImportReport()
    for group in groups:
        _Import(tenant_id, author, file, report).take((group, ()))
    return report


def _named_apart(group: FileGroup, file: str, owners: dict[str, str]) -> tuple[FileGroup, tuple[str, ...]]:
    """The group under a name that no other file of this import has: Prometheus knows groups by file."""
    owner = owners.setdefault(group.name, file)
    if owner == file:
        return group, ()
    name = f"{group.name} ({PurePath(file).stem})"
    note = f"its group is called {name!r} here, since {owner} has a group of that name"
    return replace(group, name=name), (note,)


@dataclass(frozen=True, slots=True)
class _Import:
    """One group on its way in."""

    tenant_id: UUID
    author: Author
    file: str
    report: ImportReport

    def take(self, named: tuple[FileGroup, tuple[str, ...]]) -> None:
        """Store the group; a refusal of the whole group is one of each of its rules."""
        found, notes = named
        try:
            with transaction.atomic():
                entries = self._store(found, (*notes, *_group_changes(found)))
        except (PlatformError, ValidationError) as error:
            entries = [self._entry(found, rule, Outcome.REFUSED, _reasons(error)) for rule in found.rules]
        self.report.rules.extend(entries)

    def _store(self, found: FileGroup, notes: tuple[str, ...]) -> list[ImportedRule]:
        group = RuleGroup.objects.for_tenant(self.tenant_id).filter(name=found.name).first()
        group = group or RuleGroup(tenant_id=self.tenant_id, name=found.name)
        group.interval_s = max(1, found.interval_ms // 1000) if found.interval_ms else DEFAULT_INTERVAL_S
        group.query_offset_s = found.query_offset_ms // 1000
        group.alert_limit = found.limit
        sources = self._sources()
        group.datasource = _named_source(found.datasource, sources) if found.datasource else None
        save_group(group, self.author)
        drafts: list[RuleDraft] = []
        entries: list[ImportedRule] = []
        for position, rule in enumerate(found.rules):
            try:
                draft = self._draft(rule, found, position, sources)
                check_draft(draft)
            except InvalidRule as error:
                entries.append(self._entry(found, rule, Outcome.REFUSED, _reasons(error)))
                continue
            drafts.append(draft)
            changes = (*notes, *_rule_changes(rule, found, draft))
            entries.append(self._entry(found, rule, Outcome.CHANGED if changes else Outcome.TAKEN, changes))
        replace_rules(group, drafts, self.author)
        return entries

    def _sources(self) -> dict[str, Datasource]:
        return {one.name: one for one in Datasource.objects.for_tenant(self.tenant_id)}

    def _draft(
        self, rule: FileRule, group: FileGroup, position: int, sources: Mapping[str, Datasource]
    ) -> RuleDraft:
        draft = draft_from_file(rule, group, position)
        name = rule.own.get("datasource")
        return draft if not name else replace(draft, datasource_id=str(_named_source(name, sources).pk))

    def _entry(
        self, group: FileGroup, rule: FileRule, outcome: Outcome, notes: Sequence[str]
    ) -> ImportedRule:
        return ImportedRule(self.file, rule.line, group.name, rule.name, outcome, tuple(notes))


def _named_source(name: str, sources: Mapping[str, Datasource]) -> Datasource:
    if name not in sources:
        raise InvalidRule({"datasource": f"the tenant has no datasource {name!r}"})
    return sources[name]


def _reasons(error: PlatformError | ValidationError) -> list[str]:
    if isinstance(error, InvalidRule):
        return [f"{name}: {reason}" for name, reason in error.errors.items()]
    if isinstance(error, ValidationError):
        return [f"group {name}: {' '.join(reasons)}" for name, reasons in error.message_dict.items()]
    return [str(error)]


def draft_from_file(rule: FileRule, group: FileGroup, position: int) -> RuleDraft:
    """What a rule of a file says, in our terms. Group labels count where the rule has none of that name."""
    labels = {**group.labels, **rule.labels}
    category = labels.get("category", "")
    assumed = {
        "severity": _severity(labels.get("severity")),
        "category": category if len(category) <= MAX_CATEGORY else "",
    }
    own: dict[str, Any] = {**assumed, **rule.own}
    own.pop("datasource", None)  # a name, which the tenant's datasources resolve
    return RuleDraft(
        name=rule.name,
        kind=Rule.Kind.ALERTING if rule.alert else Rule.Kind.RECORDING,
        expr="" if own.get("condition") is not None else rule.expr,
        hold_for_s=-(-rule.hold_for_ms // 1000),
        keep_firing_for_s=-(-rule.keep_firing_for_ms // 1000),
        labels=labels,
        annotations=rule.annotations,
        position=position,
        **_compiled_elsewhere(own),
    )


def _severity(label: str | None) -> str:
    """What a severity label counts as; a rule without one has no severity, so that its alerts have none."""
    return "" if not label else _SEVERITIES.get(label, Rule.Severity.MEDIUM)


def _compiled_elsewhere(own: dict[str, Any]) -> dict[str, Any]:
    """Without what the condition compiles to."""
    return own | {"recovery_expr": ""} if own.get("condition") is not None else own


def _group_changes(group: FileGroup) -> Iterator[str]:
    """How the group means something else here than in Prometheus."""
    for name, duration_ms in (("interval", group.interval_ms), ("query_offset", group.query_offset_ms)):
        kept_s = max(1, duration_ms // 1000) if name == "interval" and duration_ms else duration_ms // 1000
        if kept_s * 1000 != duration_ms:
            yield f"{name} {format_duration_ms(duration_ms)} is {format_duration_ms(kept_s * 1000)} here"
    if group.partial_response_strategy:
        yield "partial_response_strategy has no effect here"


def _rule_changes(rule: FileRule, group: FileGroup, draft: RuleDraft) -> Iterator[str]:
    """How the rule means something else here than in Prometheus."""
    rounded = (
        ("for", rule.hold_for_ms, draft.hold_for_s),
        ("keep_firing_for", rule.keep_firing_for_ms, draft.keep_firing_for_s),
    )
    for name, duration_ms, kept_s in rounded:
        if kept_s * 1000 != duration_ms:
            yield f"{name} {format_duration_ms(duration_ms)} is {format_duration_ms(kept_s * 1000)} here"
    if rule.own:
        return
    label = draft.labels.get("severity")
    if label and label != draft.severity:
        yield f"severity {label!r} counts as {draft.severity}; the label stays"
    if len(draft.labels.get("category", "")) > MAX_CATEGORY:
        yield f"category is longer than {MAX_CATEGORY} characters and stays a label alone"
    if group.limit:
        yield (
            f"with more than {group.limit} alerts the first are kept; Prometheus would drop all"
            if rule.alert
            else f"limit {group.limit} does not bound what is recorded"
        )

"""Saving groups and rules: checked whole before anything is stored, versioned, placed in a shard, audited."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LABEL_NAME, METRIC_NAME
from alertsite.tenancy.models import Quota
from rules.language.conditions import compile_condition
from rules.language.plan import plan
from rules.models import Datasource, Rule, RuleGroup, RuleVersion
from rules.notify.templates import check_template
from rules.services import sharding
from rules.services.anomalies import ensure_model_groups
from rules.services.transitions import retire_alerts

__all__ = [
    "Author",
    "InvalidRule",
    "RuleDraft",
    "TooManyRules",
    "change_state",
    "check_draft",
    "delete_group",
    "delete_rule",
    "draft_of",
    "replace_rules",
    "save_group",
    "save_rule",
]

RECORDED_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class InvalidRule(PlatformError):
    """A rule cannot be saved. `errors` has a reason for each field."""

    code = "rule.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


class TooManyRules(PlatformError):
    """The tenant has as many rules as its quota allows."""

    code = "rule.too_many"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"the tenant may have {limit} rules, and this would be more")


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """Everything a person decides about a rule. Either `expr` or `condition` says when it holds."""

    name: str
    expr: str = ""
    condition: Mapping[str, Any] | None = None
    kind: str = Rule.Kind.ALERTING
    recovery_expr: str = ""
    hold_for_s: int = 0
    keep_firing_for_s: int = 0
    severity: str = Rule.Severity.MEDIUM
    category: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    no_data_policy: str = Rule.Policy.OK
    error_policy: str = Rule.Policy.KEEP_STATE
    alert_limit: int = 0
    state: str = Rule.State.ACTIVE
    position: int = 0
    datasource_id: str = ""
    """Who answers the query; empty: whoever answers those of the group."""


def draft_of(rule: Rule) -> RuleDraft:
    """A saved rule as its author sees it: what a condition compiles to is left out."""
    values = {name: getattr(rule, name) for name in RuleDraft.__dataclass_fields__}
    values["datasource_id"] = str(rule.datasource_id or "")
    if rule.condition is not None:
        values |= {"expr": "", "recovery_expr": ""}
    return RuleDraft(**values)


def save_group(group: RuleGroup, author: Author) -> RuleGroup:
    """Store a new or changed group and place it."""
    group.full_clean()
    if group.datasource is not None and group.datasource.tenant_id != group.tenant_id:
        raise InvalidRule({"datasource": "the tenant has no such datasource"})
    with transaction.atomic():
        group.save()
        sharding.place_group(group, now=author.now)
        record(
            group.tenant_id,
            Deed(author.name, "rule_group.saved", f"rule_group:{group.pk}", {"name": group.name}),
            at=author.now,
        )
    return group


def delete_group(group: RuleGroup, author: Author) -> None:
    """Remove a group with its rules. Their firing alerts resolve, people are told, and history remains."""
    with transaction.atomic():
        sharding.hold_group(group)
        for rule in group.rules.all():
            retire_alerts(rule, now=author.now)
        deed = Deed(author.name, "rule_group.deleted", f"rule_group:{group.pk}", {"name": group.name})
        record(group.tenant_id, deed, at=author.now)
        shard = group.shard
        group.delete()
        if shard is not None:
            sharding.refresh_shard(shard)


def delete_rule(rule: Rule, author: Author) -> None:
    """Remove a rule. Its firing alerts resolve, people are told, and history remains."""
    with transaction.atomic():
        sharding.hold_group(rule.group)
        retire_alerts(rule, now=author.now)
        deed = Deed(author.name, "rule.deleted", f"rule:{rule.pk}", asdict(draft_of(rule)))
        record(rule.tenant_id, deed, at=author.now)
        group = rule.group
        rule.delete()
        sharding.place_group(group, now=author.now)


def save_rule(group: RuleGroup, draft: RuleDraft, author: Author, *, rule: Rule | None = None) -> Rule:
    """Store a rule, new or changed, as a new version.

    Raises
    ------
    InvalidRule
        With a reason for each field; nothing is stored.
    TooManyRules
        If the quota is used up.
    """
    compiled = check_draft(draft)
    _check_datasources(group, [draft])
    with transaction.atomic():
        _ensure_model_groups(group, [draft], author)
        sharding.hold_group(group)
        if rule is None:
            _spend_quota(group.tenant_id, 1)
            rule = Rule(tenant_id=group.tenant_id)
        left = rule.group if rule.pk and rule.group_id and rule.group_id != group.pk else None
        for name, value in _columns(draft, compiled).items():
            setattr(rule, name, value)
        rule.group = group
        rule.version += 1
        rule.save()
        _store_version(rule, draft, author)
        if rule.state != Rule.State.ACTIVE:
            retire_alerts(rule, now=author.now)
        sharding.place_group(group, now=author.now)
        if left is not None and left.shard is not None:
            sharding.refresh_shard(left.shard)
    return rule


def replace_rules(group: RuleGroup, drafts: Sequence[RuleDraft], author: Author) -> None:
    """Make these the rules of a group, in one sweep: all stored or none.

    A rule that is there under the same kind and name becomes a new version if it differs; one that is not
    among
    the drafts is deleted; the rest are new.
    """
    compiled = [check_draft(draft) for draft in drafts]
    _check_datasources(group, drafts)
    with transaction.atomic():
        _ensure_model_groups(group, drafts, author)
        sharding.hold_group(group)
        there: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in group.rules.order_by("position", "id"):
            there[rule.kind, rule.name].append(rule)
        fresh: list[Rule] = []
        definitions: list[RuleDraft] = []
        for draft, parts in zip(drafts, compiled, strict=True):
            known = there[draft.kind, draft.name]
            if not known:
                fresh.append(_new_rule(group, draft, parts))
                definitions.append(draft)
            elif draft_of(rule := known.pop(0)) != draft:
                save_rule(group, draft, author, rule=rule)
        for rule in [rule for rules in there.values() for rule in rules]:
            delete_rule(rule, author)
        _spend_quota(group.tenant_id, len(fresh))
        Rule.objects.for_tenant(group.tenant_id).bulk_create(fresh, batch_size=2000)
        RuleVersion.objects.for_tenant(group.tenant_id).bulk_create(
            [_version(rule, draft, author) for rule, draft in zip(fresh, definitions, strict=True)],
            batch_size=2000,
        )
        deed = Deed(
            author.name, "rule_group.rules_replaced", f"rule_group:{group.pk}", {"rules": len(drafts)}
        )
        record(group.tenant_id, deed, at=author.now)
        sharding.place_group(group, now=author.now)


def _new_rule(group: RuleGroup, draft: RuleDraft, compiled: Mapping[str, str]) -> Rule:
    return Rule(tenant_id=group.tenant_id, group=group, version=1, **_columns(draft, compiled))


def _columns(draft: RuleDraft, compiled: Mapping[str, str]) -> dict[str, Any]:
    """The draft as a row has it."""
    return {**asdict(draft), **compiled, "datasource_id": draft.datasource_id or None}


def _check_datasources(group: RuleGroup, drafts: Sequence[RuleDraft]) -> None:
    named = {draft.datasource_id for draft in drafts if draft.datasource_id}
    if named and Datasource.objects.for_tenant(group.tenant_id).filter(pk__in=named).count() != len(named):
        raise InvalidRule({"datasource": "the tenant has no such datasource"})


def _ensure_model_groups(group: RuleGroup, drafts: Sequence[RuleDraft], author: Author) -> None:
    for draft in drafts:
        errors: dict[str, str] = {}
        with _noting(errors, "condition"):
            ensure_model_groups(group.tenant_id, draft.condition, actor=author.name, now=author.now)
        if errors:
            raise InvalidRule(errors)


def change_state(rule: Rule, state: str, author: Author) -> Rule:
    """Draft, activate, pause or archive a rule; a version like any other change."""
    draft = draft_of(rule)
    return save_rule(rule.group, RuleDraft(**asdict(draft) | {"state": state}), author, rule=rule)


def check_draft(draft: RuleDraft) -> dict[str, str]:
    """What the draft's condition compiles to: `expr` and `recovery_expr`.

    Raises
    ------
    InvalidRule
        With a reason for each field that is wrong.
    """
    errors: dict[str, str] = {}
    compiled = {"expr": draft.expr.strip(), "recovery_expr": draft.recovery_expr.strip()}
    if draft.condition is not None:
        if draft.expr.strip() or draft.recovery_expr.strip():
            errors["expr"] = "give either an expression or a condition, not both"
        else:
            with _noting(errors, "condition"):
                parts = compile_condition(draft.condition)
                compiled = {"expr": parts.expr, "recovery_expr": parts.recovery}
    elif not compiled["expr"]:
        errors["expr"] = "an expression or a condition is needed"
    for name, text in compiled.items():
        if text and name not in errors:
            with _noting(errors, name if draft.condition is None else "condition"):
                plan(text)
    _check_names(draft, errors)
    _check_templates(draft, errors)
    if not errors:
        errors = _field_faults(draft, compiled)
    if errors:
        raise InvalidRule(errors)
    return compiled


@contextmanager
def _noting(errors: dict[str, str], field_name: str) -> Iterator[None]:
    """Keep the reason why a part is refused, so that one answer names every fault."""
    try:
        yield
    except PlatformError as error:
        errors[field_name] = str(error)


def _check_names(draft: RuleDraft, errors: dict[str, str]) -> None:
    if draft.kind == Rule.Kind.RECORDING:
        if not RECORDED_NAME.fullmatch(draft.name):
            errors["name"] = f"{draft.name!r} is no metric name: letters, digits, _ and :, no digit first"
        if draft.annotations or draft.hold_for_s or draft.keep_firing_for_s:
            errors["kind"] = "a recording rule has no annotations, hold_for_s or keep_firing_for_s"
    for name in draft.labels:
        if not LABEL_NAME.fullmatch(name) or name == METRIC_NAME:
            errors["labels"] = f"{name!r} is no label name a rule may set"
    for name in draft.annotations:
        if not LABEL_NAME.fullmatch(name):
            errors["annotations"] = f"{name!r} is no annotation name: letters, digits and _, no digit first"


def _check_templates(draft: RuleDraft, errors: dict[str, str]) -> None:
    for part, texts in (("labels", draft.labels), ("annotations", draft.annotations)):
        for name, text in texts.items():
            with _noting(errors, f"{part}.{name}"):
                check_template(text)


def _field_faults(draft: RuleDraft, compiled: Mapping[str, str]) -> dict[str, str]:
    """What the fields refuse by themselves; what is left are constraints, and those the database enforces."""
    try:
        Rule(**_columns(draft, compiled)).clean_fields(exclude=["tenant", "group", "datasource"])
    except ValidationError as error:
        return {name: " ".join(reasons) for name, reasons in error.message_dict.items()}
    return {}


def _spend_quota(tenant_id: UUID, count: int) -> None:
    limit = Quota.objects.get(pk=tenant_id).max_rules
    if count and Rule.objects.for_tenant(tenant_id).count() + count > limit:
        raise TooManyRules(limit=limit)


def _version(rule: Rule, draft: RuleDraft, author: Author) -> RuleVersion:
    return RuleVersion(
        tenant_id=rule.tenant_id,
        rule=rule,
        version=rule.version,
        definition=asdict(draft),
        author=author.name,
        created_at=author.now,
    )


def _store_version(rule: Rule, draft: RuleDraft, author: Author) -> None:
    _version(rule, draft, author).save(force_insert=True)
    deed = Deed(author.name, "rule.saved", f"rule:{rule.pk}", {"name": rule.name, "version": rule.version})
    record(rule.tenant_id, deed, at=author.now)

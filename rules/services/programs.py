"""Shard programs, kept by this process while the shard's content stays the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from alertsite.core.identifiers import RuleId
from alertsite.core.labels import LabelSet
from rules.evaluation.program import ShardProgram
from rules.evaluation.specs import RuleSpec
from rules.models import Rule, Shard, ShardLayout

MAX_CACHED_RULES = 500_000

T = TypeVar("T")

_COLUMNS = (
    "id",
    "version",
    "kind",
    "name",
    "expr",
    "group_id",
    "recovery_expr",
    "group__query_offset_s",
    "hold_for_s",
    "keep_firing_for_s",
    "alert_limit",
    "group__alert_limit",
    "severity",
    "category",
    "labels",
    "annotations",
    "no_data_policy",
    "error_policy",
    "datasource_id",
    "group__datasource_id",
)


@dataclass(slots=True)
class LoadedShard:
    """A shard's program with what this process remembers between ticks."""

    content_version: int
    layout_id: int
    """Of the `ShardLayout` row, which itself is not kept: it names every rule."""
    program: ShardProgram
    recorded: dict[RuleId, set[LabelSet]] = field(default_factory=dict)
    """Series each recording rule wrote last: one that is missing from its next result is marked stale."""


_loaded: OrderedDict[UUID, LoadedShard] = OrderedDict()
_lock = Lock()


def load_shard(shard: Shard) -> LoadedShard:
    """The shard's program, planned anew only when its content has changed."""
    with _lock:
        known = _loaded.get(shard.pk)
        if known is not None and known.content_version == shard.content_version:
            _loaded.move_to_end(shard.pk)
            return known
    fresh = _load(shard)
    if known is not None:
        fresh.recorded = known.recorded
    with _lock:
        _loaded[shard.pk] = fresh
        _loaded.move_to_end(shard.pk)
        while len(_loaded) > 1 and sum(len(one.program) for one in _loaded.values()) > MAX_CACHED_RULES:
            _loaded.popitem(last=False)
    return fresh


def _load(shard: Shard) -> LoadedShard:
    rows = list(
        Rule.objects.for_tenant(shard.tenant_id)
        .filter(group__shard=shard, state=Rule.State.ACTIVE)
        .order_by("group_id", "position", "id")
        .values_list(*_COLUMNS)
    )
    share = _Shared()
    specs = [_spec(dict(zip(_COLUMNS, row, strict=True)), share) for row in rows]
    layout, _ = ShardLayout.across_tenants.get_or_create(
        shard=shard,
        content_version=shard.content_version,
        defaults={
            "tenant_id": shard.tenant_id,
            "rule_ids": [spec.id for spec in specs],
            "rule_versions": [spec.version for spec in specs],
        },
    )
    return LoadedShard(shard.content_version, layout.pk, ShardProgram(specs))


class _Shared(dict[object, Any]):
    """One object for equal values: rules of a shard repeat groups and labels by the thousand."""

    def __call__(self, value: T) -> T:
        """The first of the values equal to this one."""
        return self.setdefault(value, value)  # type: ignore[no-any-return]


def _spec(row: dict[str, object], share: _Shared) -> RuleSpec:
    spec = spec_of(row | {"query_offset_s": row["group__query_offset_s"]}, group=share(str(row["group_id"])))
    return replace(spec, labels=share(spec.labels), annotations=share(spec.annotations))


def spec_of(row: dict[str, object], *, group: str) -> RuleSpec:
    """The evaluator's view of a rule, from a row or from a draft that was never saved."""
    labels = dict(row["labels"])  # type: ignore[call-overload]
    alerting = row["kind"] == Rule.Kind.ALERTING
    if alerting:
        if row["severity"]:
            labels.setdefault("severity", row["severity"])
        if row["category"]:
            labels.setdefault("category", row["category"])
    return RuleSpec(
        id=RuleId(row["id"]),  # type: ignore[arg-type]
        version=int(str(row["version"])),
        alerting=alerting,
        name=str(row["name"]),
        expr=str(row["expr"]),
        group=group,
        recovery_expr=str(row["recovery_expr"]),
        query_offset_ms=int(str(row["query_offset_s"])) * 1000,
        hold_for_ms=int(str(row["hold_for_s"])) * 1000,
        keep_firing_for_ms=int(str(row["keep_firing_for_s"])) * 1000,
        alert_limit=int(str(row["alert_limit"])) or int(str(row["group__alert_limit"])),
        labels=tuple(labels.items()),
        annotations=tuple(dict(row["annotations"]).items()),  # type: ignore[call-overload]
        no_data_policy=str(row["no_data_policy"]),
        error_policy=str(row["error_policy"]),
        datasource=str(row["datasource_id"] or row["group__datasource_id"] or ""),
    )

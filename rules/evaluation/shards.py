"""Which slice of a tenant's groups a group belongs to, by stable hash."""

from __future__ import annotations

from uuid import UUID

import xxhash

RULES_PER_SHARD = 10_000
"""A shard much larger than this would keep one worker busy while others are idle."""


def slot_of(group_id: UUID, *, slots: int) -> int:
    """The slice a group falls into. Growing from n to n + 1 slices moves about one group in n + 1."""
    weights = [xxhash.xxh3_64_intdigest(group_id.bytes, seed=slot) for slot in range(slots)]
    return weights.index(max(weights))


def slots_for(rule_count: int, rules_per_shard: int = RULES_PER_SHARD) -> int:
    """How many slices a tenant needs for this many rules of one interval."""
    return max(1, -(-rule_count // rules_per_shard))


def phase_of(tenant_id: UUID, slot: int, *, interval_ms: int) -> int:
    """Where in its interval a shard ticks, in whole seconds, spread evenly over tenants and slices."""
    spread_ms = interval_ms - interval_ms % 1000
    digest = xxhash.xxh3_64_intdigest(tenant_id.bytes, seed=slot)
    return digest % spread_ms // 1000 * 1000

"""Sizes that may be set while the platform runs: how many shards a task takes, how many rules a shard."""

from __future__ import annotations

from typing import Final

from rules.evaluation.shards import RULES_PER_SHARD
from rules.models import Size

SHARDS_A_TASK: Final = "batch"
RULES_A_SHARD: Final = "shard_rules"
DEFAULTS: Final = {SHARDS_A_TASK: 50, RULES_A_SHARD: RULES_PER_SHARD}


def size_of(name: str) -> int:
    """The size as it was set last, or the one in the code."""
    return Size.objects.filter(name=name).values_list("value", flat=True).first() or DEFAULTS[name]


def set_size(name: str, value: int) -> None:
    """Set a size; it holds from the next time that it is asked for."""
    Size.objects.update_or_create(name=name, defaults={"value": value})

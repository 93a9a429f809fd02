"""How each rule's last evaluation went, kept on the rule; written only when it differs from the tick
before.
"""

from __future__ import annotations

import numpy as np
from django.db import connection

from alertsite.core.errors import PlatformError
from alertsite.core.labels import storable
from rules.evaluation.outcomes import KIND_BITS, TRUNCATED, Outcome
from rules.evaluation.tick import Tick
from rules.models import LedgerEntry, Rule, Shard
from rules.services.programs import LoadedShard

_HEALTH = {Outcome.OK: Rule.Health.OK, Outcome.ERROR: Rule.Health.ERROR, Outcome.NO_DATA: Rule.Health.NO_DATA}

_WRITE = """
UPDATE rules_rule rule SET health = seen.health, last_error = seen.error, truncated = seen.truncated
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::boolean[]) AS seen (id, health, error, truncated)
WHERE rule.id = seen.id AND (rule.health, rule.last_error, rule.truncated)
    IS DISTINCT FROM (seen.health, seen.error, seen.truncated)
"""


def reason_of(error: PlatformError) -> str:
    """An error as it is stored: it may quote a label value."""
    return storable(str(error))


def note_health(shard: Shard, loaded: LoadedShard, tick: Tick) -> None:
    """Write health, error and truncation of the rules whose outcome is not that of the previous tick."""
    rules = _differing(shard, loaded, tick)
    if not len(rules):
        return
    specs = loaded.program.specs
    chosen = rules.tolist()
    outcomes = tick.outcomes[rules]
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            [
                [specs[rule].id for rule in chosen],
                [_HEALTH[Outcome(kind)].value for kind in (outcomes & KIND_BITS).tolist()],
                [reason_of(tick.errors[rule]) if rule in tick.errors else "" for rule in chosen],
                (outcomes & TRUNCATED).astype(bool).tolist(),
            ],
        )


def _differing(shard: Shard, loaded: LoadedShard, tick: Tick) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    last = (
        LedgerEntry.objects.for_tenant(shard.tenant_id)
        .filter(shard=shard, layout=loaded.layout_id, skipped_reason="")
        .order_by("-due_at")
        .values_list("outcomes", "errors")
        .first()
    )
    if last is None:
        return np.arange(len(loaded.program))
    seen = KIND_BITS | TRUNCATED
    before = np.frombuffer(last[0], np.uint8) & seen
    differs = before != (tick.outcomes & seen)
    for rule, error in tick.errors.items():
        differs[rule] |= last[1].get(str(loaded.program.specs[rule].id)) != reason_of(error)
    return np.flatnonzero(differs)

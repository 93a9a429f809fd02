"""The platform's own sizes: measured on the live ledger and queue, proposed, and set where that is allowed.

In: the ticks of the last minutes, the queue's length, the processors of the machine, the workers. Out:
changes with the figures they come from. What is set here holds from the next wake; processes hold until
their worker starts again; how many tasks a process reserves is read at the start of a worker alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection

from alertsite.audit.services import Author
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope
from healing.automation.terms import TuneTerms
from healing.automation.tuning import Allowed, Measured, Sizes
from healing.automation.tuning import propose as propose_sizes
from healing.models import Automation, Proposal
from healing.services import proposals
from healing.services.fleet import EVALUATE, Fleet, shares
from healing.services.looking import series_that_hold
from healing.services.proposals import Change
from rules.services import sharding, sizes
from rules.services.stores import redis_client

OVER: Final = timedelta(minutes=5)
BUSY: Final = "avg(avg_over_time(cpu_usage[5m])) / 100"
_TICKS: Final = """
SELECT count(*),
    coalesce(avg(extract(epoch FROM finished_at - started_at)), 0)::float8,
    coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - due_at)), 0)::float8
FROM rules_ledgerentry WHERE due_at >= %s AND due_at < %s AND skipped_reason = ''
"""


class NothingMeasured(PlatformError):
    """No worker answered, or no tick was due: sizes cannot be judged."""

    code = "automation.nothing_measured"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured, what is set, and the figures as they are kept with a proposal."""

    measured: Measured
    sizes: Sizes
    figures: Mapping[str, Any]


def look(tenant_id: UUID, fleet: Fleet, *, now: datetime) -> Seen:
    """Measure the pool that evaluates.

    Raises
    ------
    NothingMeasured
    """
    workers = fleet.processes()
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_TICKS, [now - OVER, now])
        ticks, tick_s, late_s = cursor.fetchone()
    if not workers or not ticks:
        raise NothingMeasured(f"{len(workers)} workers answered, {ticks} ticks were due in {OVER}")
    batch = sizes.size_of(sizes.SHARDS_A_TASK)
    ticks_per_s = ticks / OVER.total_seconds()
    carried = min(float(batch), max(ticks_per_s, 1.0))  # a wake a second hands out what came due in it
    measured = Measured(
        arrivals_per_s=ticks_per_s / carried,
        service_s=tick_s * carried,
        lateness_p99_s=late_s,
        filled_ratio=carried / batch,
        busy_ratio=_busy(tenant_id, now),
    )
    found = Sizes(
        workers=sum(workers.values()),
        prefetch=settings.CELERY_WORKER_PREFETCH_MULTIPLIER,
        batch=batch,
        shard_rules=sizes.size_of(sizes.RULES_A_SHARD),
    )
    figures = {
        "ticks": ticks,
        "tick_s": tick_s,
        "lateness_p99_s": late_s,
        "queue_length": _queue_length(),
        "busy_ratio": measured.busy_ratio,
        "workers": dict(workers),
    }
    return Seen(measured, found, figures)


def _busy(tenant_id: UUID, now: datetime) -> float:
    """Of the machines whose metrics the operator's tenant has; 0 if nothing is known."""
    try:
        found = series_that_hold(tenant_id, BUSY, now=now)
    except (PlatformError, redis.RedisError):
        return 0.0
    return found[0][1] if found else 0.0


def _queue_length() -> int:
    length: Any = redis_client().llen(EVALUATE)
    return int(length)


def changes(seen: Seen, terms: TuneTerms) -> list[Change]:
    """What should be changed, if anything."""
    allowed = Allowed(terms.lateness_s, {str(name): bounds for name, bounds in terms.ranges.items()})
    return [
        Change(one.subject, str(one.current), str(one.proposed), one.evidence, seen.figures)
        for one in propose_sizes(seen.measured, seen.sizes, allowed)
    ]


def carry_out(automation: Automation, fleet: Fleet, *, now: datetime) -> int:
    """Set what was approved. How many proposals ended."""
    rows = Proposal.objects.for_tenant(automation.tenant_id).filter(
        automation=automation, state=Proposal.State.APPROVED
    )
    ended = 0
    for proposal in rows:
        detail = _set(proposal, fleet, now=now)
        if detail:
            proposals.end(proposal, Proposal.State.APPLIED, detail, now=now)
            ended += 1
    return ended


def _set(proposal: Proposal, fleet: Fleet, *, now: datetime) -> str:
    """What was done, in words; empty while it waits for a restart, or for a worker to answer."""
    value = int(proposal.proposed)
    if proposal.subject == "workers":
        processes = fleet.processes()
        if not processes:
            return ""
        for worker, by in shares(processes, value).items():
            fleet.resize(worker, by)
        return "set; a worker that starts again has what it is started with"
    if proposal.subject == "prefetch":
        return "set at the start of the workers" if _is_started_with(value) else ""
    sizes.set_size(proposal.subject, value)
    if proposal.subject == sizes.RULES_A_SHARD:
        with platform_scope():
            return f"set; {sharding.spread(now=now)} groups of large shards were placed anew"
    return "set"


def _is_started_with(prefetch: int) -> bool:
    started: int = settings.CELERY_WORKER_PREFETCH_MULTIPLIER
    return started == prefetch


def standing(automation: Automation, now: datetime) -> Author:
    """Who let the automation act."""
    return Author(automation.armed_by, now)

"""Evaluating claimed shards: every due tick ends with a ledger row, or stays due.

A pass over one shard reads what is active, evaluates, and writes the difference in one transaction that
checks
the fencing token. Whoever lost the claim meanwhile writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import redis
import structlog
from django.db import DatabaseError, transaction

from alertsite.core.clock import Clock, from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Quota
from alertsite.tenancy.scope import tenant_scope
from rules.datasources.live import Allowance
from rules.evaluation.outcomes import CAUGHT_UP, Outcome
from rules.evaluation.publishing import SeriesPublisher
from rules.evaluation.remote import NobodyAnswers, RemoteQueries
from rules.evaluation.tick import Surroundings, Tick, run_tick
from rules.evaluation.ticks import DueTicks, Timetable, due_ticks
from rules.language.engine import EvaluationLimits
from rules.models import LedgerEntry, Shard
from rules.services import transitions, waking
from rules.services.anomalies import with_anomalies
from rules.services.datasources import live_queries, new_allowance
from rules.services.health import note_health, reason_of
from rules.services.programs import LoadedShard, load_shard
from rules.services.stores import hot_store
from rules.services.templating import rule_templates
from rules.services.waking import LEASE, Claim

log = structlog.get_logger(__name__)

BEHIND: Final = "behind by more ticks than the tenant's max_catch_up_ticks"
EVALUATION_BUDGET_NS: Final = 10_000_000_000


class ShardChanged(PlatformError):
    """Its rules were changed while a tick was evaluated: nothing of the tick was written."""

    code = "shard.changed"


class LeaseLost(PlatformError):
    """Another worker holds a newer claim on the shard: nothing of this pass was written."""

    code = "shard.lease_lost"


@dataclass(slots=True)
class PassSummary:
    """What a pass over a batch of shards came to."""

    ticks: int = 0
    rules: int = 0
    transitions: int = 0
    groups: int = 0
    """Groups of alerts that became due."""
    failed_shards: int = 0


def evaluate_claims(claims: Sequence[Claim], clock: Clock) -> PassSummary:
    """Evaluate every due tick of every claimed shard. A shard that fails stays due and stops no other."""
    summary = PassSummary()
    allowance = new_allowance()
    for claim in claims:
        try:
            with tenant_scope(claim.tenant_id):
                _evaluate_shard(claim, Means(clock, allowance), summary)
        except LeaseLost:
            log.info("shard.lease_lost", shard=str(claim.shard_id))
        except (PlatformError, DatabaseError, redis.RedisError) as error:
            summary.failed_shards += 1
            log.warning("shard.failed", shard=str(claim.shard_id), error=str(error))
    return summary


@dataclass(frozen=True, slots=True)
class Means:
    """What a pass works with: the clock, and how long it may wait for datasources."""

    clock: Clock
    allowance: Allowance


def _evaluate_shard(claim: Claim, means: Means, summary: PassSummary) -> None:
    """Evaluate what is due."""
    _with_rules_as_committed(claim, lambda: _run_due(claim, means, summary))


def _with_rules_as_committed(claim: Claim, run: Callable[[], None]) -> None:
    """Run again while rules change under the run: each tick commits with the rules as they are then."""
    while True:
        try:
            return run()
        except ShardChanged:
            log.info("shard.changed", shard=str(claim.shard_id))


def _run_due(claim: Claim, means: Means, summary: PassSummary) -> None:
    clock = means.clock
    shard = _claimed_shard(claim)
    loaded = load_shard(shard)
    quota = Quota.objects.get(pk=claim.tenant_id)
    due = due_ticks(
        Timetable(shard.interval_s * 1000, shard.phase_ms),
        next_due_ms=from_datetime(shard.next_due_at),
        now_ms=clock.now_ms(),
        max_catch_up=quota.max_catch_up_ticks,
    )
    if due.skipped:
        _record_skipped(shard, loaded, due, clock)
    if not due.evaluate:
        advance_shard(shard, shard.next_due_at, clock, release=True)
        return
    work = ShardPass(shard, loaded, quota, means)
    for at_ms in due.evaluate:
        following = Step(at_ms, at_ms + due.evaluate.step, release=at_ms == due.evaluate[-1])
        work.run(following, summary)


def _claimed_shard(claim: Claim) -> Shard:
    shard: Shard | None = Shard.objects.for_tenant(claim.tenant_id).filter(pk=claim.shard_id).first()
    if shard is None or shard.fencing_token != claim.fencing_token:
        raise LeaseLost(f"shard {claim.shard_id} is claimed with a newer token than {claim.fencing_token}")
    return shard


def _run_now(claim: Claim, means: Means, summary: PassSummary) -> None:
    shard = _claimed_shard(claim)
    work = ShardPass(shard, load_shard(shard), Quota.objects.get(pk=claim.tenant_id), means)
    work.run(Step(means.clock.now_ms(), from_datetime(shard.next_due_at), release=True), summary)


def evaluate_tenant_now(tenant_id: UUID, clock: Clock) -> PassSummary:
    """Catch up the tenant's due ticks, then evaluate every rule once more as of this moment.

    The extra tick goes through the same state machine and ledger and leaves the timetable as it is. Shards
    that
    somebody else holds are left to them.
    """
    summary = evaluate_claims(
        waking.claim_due_shards(now=to_datetime(clock.now_ms()), tenant_id=tenant_id), clock
    )
    means = Means(clock, new_allowance())
    for claim in waking.claim_tenant(tenant_id, now=to_datetime(clock.now_ms())):
        with tenant_scope(tenant_id):
            _with_rules_as_committed(claim, partial(_run_now, claim, means, summary))
    return summary


def _record_skipped(shard: Shard, loaded: LoadedShard, due: DueTicks, clock: Clock) -> None:
    """A ledger row for each tick that is too old to be caught up."""
    outcomes = bytes([Outcome.SKIPPED]) * len(loaded.program)
    now = to_datetime(clock.now_ms())
    rows = [
        LedgerEntry(
            tenant_id=shard.tenant_id,
            shard=shard,
            due_at=to_datetime(at_ms),
            started_at=now,
            finished_at=now,
            data_as_of=to_datetime(at_ms),
            layout_id=loaded.layout_id,
            fencing_token=shard.fencing_token,
            outcomes=outcomes,
            skipped_reason=BEHIND,
        )
        for at_ms in due.skipped
    ]
    with transaction.atomic():
        advance_shard(shard, to_datetime(due.skipped.stop), clock, release=False)
        LedgerEntry.objects.for_tenant(shard.tenant_id).bulk_create(rows, batch_size=1000)


def advance_shard(shard: Shard, next_due_at: datetime, clock: Clock, *, release: bool) -> None:
    """Move the shard to its next tick if the claim is still ours; prolong the lease or give it back.

    Raises
    ------
    LeaseLost
        If somebody holds a newer token.
    ShardChanged
        If a rule was changed since the shard was loaded.
    """
    now = to_datetime(clock.now_ms())
    held = Shard.objects.for_tenant(shard.tenant_id).filter(pk=shard.pk, fencing_token=shard.fencing_token)
    unchanged = held.filter(content_version=shard.content_version)
    if unchanged.update(next_due_at=next_due_at, leased_until=now if release else now + LEASE):
        return
    if held.exists():
        raise ShardChanged(f"the rules of shard {shard.pk} are newer than {shard.content_version}")
    raise LeaseLost(f"shard {shard.pk} is claimed with a newer token than {shard.fencing_token}")


@dataclass(frozen=True, slots=True)
class Step:
    """One tick to be evaluated, what is due after it, and whether the claim ends with it."""

    at_ms: int
    next_due_ms: int
    release: bool


@dataclass(slots=True)
class ShardPass:
    """One claim's work on one shard: what was active carries over from tick to tick."""

    shard: Shard
    loaded: LoadedShard
    quota: Quota
    means: Means
    active: transitions.ActiveRows = field(init=False)

    def __post_init__(self) -> None:
        self.active = transitions.read_active(self.shard, self.loaded)

    def run(self, step: Step, summary: PassSummary) -> None:
        """Evaluate one tick and commit what it changed.

        1. Evaluate. Recorded series and alert series go to the hot store first: should the commit fail, the
           tick is evaluated again and writes the same samples at the same times.
        2. In one transaction: check the token, write transitions, alerts, outbox rows and the ledger row.
        """
        started_ms = self.means.clock.now_ms()
        store = hot_store(self.shard.tenant_id)
        publisher = SeriesPublisher(store, self.loaded.program, self.loaded.recorded, now_ms=started_ms)
        limits = EvaluationLimits(max_samples=self.quota.max_samples_per_query)
        around = Surroundings(
            reader=store,
            limits=limits,
            expander=rule_templates(store, limits, step.at_ms),
            publish=publisher.publish,
            remote=self._remote(),
        )
        tick = run_tick(self.loaded.program, self.active.alerts, self.active.labels, around, step.at_ms)
        tick.changes = with_anomalies(self.shard.tenant_id, tick.changes, at_ms=step.at_ms)
        self._commit(tick, step, started_ms, summary)

    def _remote(self) -> RemoteQueries:
        """Who answers the rules that are answered elsewhere; most shards have none."""
        if not len(self.loaded.program.remote):
            return NobodyAnswers()
        return live_queries(self.shard.tenant_id, self.means.allowance)

    def _commit(self, tick: Tick, step: Step, started_ms: int, summary: PassSummary) -> None:
        shard, interval_ms = self.shard, self.shard.interval_s * 1000
        late = started_ms - tick.at_ms >= interval_ms
        if late:
            tick.outcomes |= CAUGHT_UP
        lateness_ms = max(0, started_ms - tick.at_ms)
        with transaction.atomic():
            advance_shard(shard, to_datetime(step.next_due_ms), self.means.clock, release=step.release)
            stored = transitions.store(shard, self.loaded, self.active, tick, lateness_ms=lateness_ms)
            note_health(shard, self.loaded, tick)
            LedgerEntry.objects.create(
                tenant_id=shard.tenant_id,
                shard=shard,
                due_at=to_datetime(tick.at_ms),
                started_at=to_datetime(started_ms),
                finished_at=to_datetime(self.means.clock.now_ms()),
                data_as_of=to_datetime(tick.at_ms),
                layout_id=self.loaded.layout_id,
                fencing_token=shard.fencing_token,
                outcomes=tick.outcomes.tobytes(),
                caught_up=late,
                errors={
                    str(self.loaded.program.specs[rule].id): reason_of(error)
                    for rule, error in tick.errors.items()
                },
                transition_count=len(tick.changes),
            )
        self.active = stored.active
        summary.ticks += 1
        summary.rules += len(self.loaded.program)
        summary.transitions += len(tick.changes)
        summary.groups += stored.groups

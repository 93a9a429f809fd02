"""Measuring passes: claim, read, evaluate, write, over the path that live workers take.

Time is made up: the clock moves one interval a pass, so that a pass begins as soon as the one before it
ended.
Writing the samples of a tick is ingestion and is not counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope
from alertsite.tenancy.services import create_tenant
from rules.bench.accounting import NONE, CpuSeconds, Meter, resident_mb
from rules.bench.workloads import HISTORY_TICKS, INTERVAL_MS, RULES_PER_GROUP, SampleSource, Workload
from rules.language.engine import EvaluationLimits
from rules.models import RuleGroup, Shard
from rules.services import waking
from rules.services.authoring import Author, RuleDraft, replace_rules, save_group
from rules.services.evaluation import evaluate_claims
from rules.services.programs import load_shard
from rules.services.sizes import DEFAULTS, SHARDS_A_TASK
from rules.services.stores import hot_store, redis_client

WARM_UP_PASSES: Final = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one workload."""

    work: str
    rules: int
    series: int
    passes: int
    cpu_s_per_pass: float
    worker_cpu_s: float
    redis_cpu_s: float
    postgres_cpu_s: float
    us_per_rule: float
    engine_cpu_s_per_pass: float
    p99_lateness_s: float
    rss_mb: float
    bytes_per_rule: float


class IncompletePass(PlatformError):
    """A pass left rules out: its figure would be worth nothing."""

    code = "bench.incomplete_pass"

    def __init__(self, evaluated: int, expected: int) -> None:
        super().__init__(f"a pass evaluated {evaluated} rules of {expected}")


class SteppedClock:
    """A clock that moves when a pass begins."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ms

    def step(self) -> None:
        """One interval on."""
        self._now_ms += INTERVAL_MS


class Bench:
    """One tenant with the rules and series of one workload."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        # On a multiple of the interval, and past: the series' history must not lie in the future.
        self.clock = SteppedClock(SystemClock().now_ms() // INTERVAL_MS * INTERVAL_MS)
        self.tenant = self._make_tenant()
        self.source = SampleSource(work.label_sets())
        self.tick = 0
        self.meter = Meter(redis_client())

    def measure(self, passes: int) -> Measured:
        """Set up, warm up, measure."""
        with platform_scope():
            resident_before = resident_mb()
            self._make_rules()
            for _ in range(HISTORY_TICKS):
                self._write_samples()
            self._catch_up()
            for _ in range(WARM_UP_PASSES):
                self._pass()
            resident = resident_mb()
            runs = [self._pass() for _ in range(passes)]
            engine = statistics.median(self._engine_only() for _ in range(passes))
        return self._summed(runs, engine, resident, resident - resident_before)

    def _make_tenant(self) -> Tenant:
        slug = f"bench-{self.work.name.lower()}-{self.work.rules}-{self.clock.now_ms()}"
        tenant = create_tenant(slug, slug)
        Quota.objects.filter(pk=tenant.pk).update(max_rules=10_000_000)
        return tenant

    def _make_rules(self) -> None:
        author = Author("bench", to_datetime(self.clock.now_ms()))
        expressions = list(self.work.expressions())
        for start in range(0, len(expressions), RULES_PER_GROUP):
            group = RuleGroup(tenant=self.tenant, name=f"group {start:06d}", interval_s=INTERVAL_MS // 1000)
            save_group(group, author)
            drafts = [
                RuleDraft(name=f"Rule{start + offset}", expr=expr, position=offset, hold_for_s=60)
                for offset, expr in enumerate(expressions[start : start + RULES_PER_GROUP])
            ]
            replace_rules(group, drafts, author)

    def _write_samples(self) -> None:
        self.clock.step()
        self.tick += 1
        now_ms = self.clock.now_ms()
        # A shard ticks somewhere within the interval: the sample must be there before the first does.
        batch = self.source.at(self.tick, now_ms - INTERVAL_MS)
        hot_store(self.tenant.pk).append(batch, now_ms=now_ms)

    def _catch_up(self) -> None:
        """The ticks that came due while the history was written."""
        claims = waking.claim_due_shards(now=to_datetime(self.clock.now_ms()), tenant_id=self.tenant.pk)
        evaluate_claims(claims, self.clock)

    def _pass(self) -> tuple[CpuSeconds, list[float]]:
        """One pass: CPU seconds, and for each batch the seconds from due to committed."""
        self._write_samples()
        before = self.meter.read()
        began = time.perf_counter()
        claims = waking.claim_due_shards(now=to_datetime(self.clock.now_ms()), tenant_id=self.tenant.pk)
        late: list[float] = []
        rules = 0
        for batch in waking.batches(claims, DEFAULTS[SHARDS_A_TASK]):
            summary = evaluate_claims(batch, self.clock)
            rules += summary.rules
            late += [time.perf_counter() - began] * len(batch)
        account = self.meter.read() - before
        if rules != self.work.rules:
            raise IncompletePass(rules, self.work.rules)
        return account, late

    def _engine_only(self) -> float:
        """CPU seconds of evaluation and store reads alone."""
        self._write_samples()
        store = hot_store(self.tenant.pk)
        limits = EvaluationLimits()
        before = self.meter.read()
        for shard in Shard.objects.for_tenant(self.tenant).filter(rule_count__gt=0):
            for level in load_shard(shard).program.levels:
                for planned in level.conditions:
                    planned.plan.evaluate(store, self.clock.now_ms(), limits)
        return (self.meter.read() - before).total

    def _summed(
        self, runs: Sequence[tuple[CpuSeconds, list[float]]], engine: float, resident: float, grown: float
    ) -> Measured:
        # The mean, not the median: PostgreSQL's account moves in steps of 10 ms.
        spent = sum((account for account, _ in runs), NONE)
        late = sorted(seconds for _, batches in runs for seconds in batches)
        count = len(runs)
        return Measured(
            work=self.work.name,
            rules=self.work.rules,
            series=self.work.rules * self.work.series_per_rule,
            passes=count,
            cpu_s_per_pass=spent.total / count,
            worker_cpu_s=spent.worker / count,
            redis_cpu_s=spent.redis / count,
            postgres_cpu_s=spent.postgres / count,
            us_per_rule=spent.total / count / self.work.rules * 1e6,
            engine_cpu_s_per_pass=engine,
            p99_lateness_s=late[min(len(late) - 1, int(len(late) * 0.99))],
            rss_mb=resident,
            bytes_per_rule=grown * 1e6 / self.work.rules,
        )

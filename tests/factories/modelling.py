"""Series of a metric, and model groups that watch it, for tests of models in operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from alertsite.core.labels import label_set
from alertsite.tenancy.models import Tenant
from ml.models import ModelGroup, ModelVersion
from ml.services import claiming, groups, scoring, training
from ml.services.reading import read_grid
from rules.series.protocols import SampleBatch
from rules.services.authoring import Author
from rules.services.stores import hot_store
from tests.fakes.clock import FakeClock

HISTORY = 240
TERMS = {"selector": "load", "warm_up_s": 1800, "season_s": 3600, "retrain_interval_s": 3600}


def write(tenant: Tenant, clock: FakeClock, values: list[float], host: str = "a") -> None:
    """One sample a minute, the last one now."""
    last_ms = clock.now_ms() // 60_000 * 60_000
    times = last_ms - 60_000 * np.arange(len(values))[::-1]
    labels = label_set({"__name__": "load", "host": host})
    batch = SampleBatch([labels], np.zeros(len(values), np.int64), times, np.array(values, float))
    assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == len(values)


def ordinary(count: int, seed: int = 1) -> list[float]:
    return list(np.random.default_rng(seed).normal(10.0, 0.5, count))


def make_models(tenant: Tenant, clock: FakeClock, **values: Any) -> ModelGroup:
    row = ModelGroup(tenant=tenant, **({"name": "hosts"} | TERMS | values))
    return groups.save_group(row, Author("alice", clock.now()))


def learn(group: ModelGroup, clock: FakeClock) -> ModelVersion | None:
    return training.train_group(group.tenant_id, group.pk, clock)


def minute(tenant: Tenant, clock: FakeClock, value: float, host: str = "a") -> scoring.ScoringSummary:
    """A sample a minute later, and what is due then."""
    clock.advance(minutes=1)
    write(tenant, clock, [value], host)
    return scoring.score_claims(claiming.claim_due(now=clock.now()), clock)


def latest(
    tenant: Tenant, clock: FakeClock, name: str = "anomaly_score", *, label: str = "host"
) -> dict[str, float]:
    """The newest value by host, or by another label."""
    now_ms = clock.now_ms() // 60_000 * 60_000
    grid = read_grid(tenant.pk, name, range(now_ms, now_ms + 1, 60_000), now_ms=clock.now_ms())
    return {dict(labels)[label]: row[-1] for labels, row in zip(grid.labels, grid.values, strict=True)}


def state_of(group: ModelGroup) -> tuple[str, str]:
    """Its state now, with the reason."""
    group.refresh_from_db()
    return group.state, group.state_reason

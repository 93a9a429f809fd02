"""Automations, workers that are only numbers, and somebody who moves automations on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alertsite.core.clock import from_datetime
from alertsite.core.labels import METRIC_NAME, label_set
from alertsite.tenancy.models import Tenant
from healing.models import Automation
from healing.services import automating, automations, proposals
from rules.models import LedgerEntry, Shard
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.healing import ALICE, Hand


@dataclass
class Workers:
    """A fleet that does what it is told."""

    of: dict[str, int] = field(default_factory=lambda: {"evaluate@one": 2, "evaluate@two": 2})

    def processes(self) -> dict[str, int]:
        return dict(self.of)

    def resize(self, worker: str, by: int) -> None:
        self.of[worker] += by


def make_automation(
    tenant: Tenant, kind: str, *, name: str = "", armed: bool = True, **terms: Any
) -> Automation:
    row = automations.save_automation(
        Automation(tenant=tenant, name=name or kind, kind=kind, terms=terms), ALICE
    )
    return automations.arm(row, ALICE, is_person=True) if armed else row


def move_on(hand: Hand, fleet: Workers | None = None) -> int:
    """Do what the waking task and the ones that it sends do, once. How many automations were due."""
    proposals.settle(now=hand.clock.now())
    claims = automating.claim_due(now=hand.clock.now())
    for claim in claims:
        assert automating.move_on(claim, hand.means, fleet or Workers())
    return len(claims)


def write(tenant: Tenant, at: datetime, value: float, name: str, **labels: str) -> None:
    """A sample of one series."""
    at_ms = from_datetime(at)
    batch = SampleBatch(
        [label_set({METRIC_NAME: name, **labels})], np.zeros(1, int), np.array([at_ms]), np.array([value])
    )
    hot_store(tenant.pk).append(batch, now_ms=at_ms)


def make_ticks(tenant: Tenant, until: datetime, *, count: int, late_s: float, took_s: float) -> None:
    """Ticks of the last five minutes, as the ledger keeps them."""
    shard = Shard.objects.create(
        tenant=tenant, interval_s=60, slot=0, phase_ms=0, next_due_at=until, leased_until=until, rule_count=1
    )
    for number in range(count):
        due = until - timedelta(seconds=299) + timedelta(seconds=298) * number / count
        began = due + timedelta(seconds=late_s)
        LedgerEntry.objects.create(
            tenant=tenant, shard=shard, due_at=due, started_at=began, data_as_of=due, fencing_token=1,
            finished_at=began + timedelta(seconds=took_s), outcomes=b"",
        )  # fmt: skip

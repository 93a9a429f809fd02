"""Accounts in memory, playbooks, alerts that fire, and somebody who moves runs on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import uuid4

from alertsite.audit.services import Author
from alertsite.core.labels import fingerprint, label_set
from alertsite.tenancy.models import Tenant
from cloud.adapters.fake.world import World, world
from cloud.models import CloudAccount
from healing.models import HealingRun, Playbook
from healing.services import advancing, claiming, playbooks
from healing.services.means import Means
from healing.services.starting import Wish, start_by_hand
from rules.models import AlertInstance, AlertTransition, Origin
from rules.services.dispatching import tell
from tests.factories.rows import NOON
from tests.fakes.clock import FakeClock

FAKE = "cloud.adapters.fake.adapter.FakeAdapter"
ALICE, BOB = Author("alice", NOON), Author("bob", NOON)
LABELS = {"alertname": "ServiceDown", "service": "checkout"}


def make_account(tenant: Tenant, name: str = "prod", **things: int) -> World:
    """An account on a world of its own."""
    there = f"{tenant.pk}-{uuid4()}"
    CloudAccount.objects.create(tenant=tenant, name=name, provider="fake", settings={"world": there})
    made = world(there)
    made.things |= things or {"checkout": 3}
    return made


def make_playbook(tenant: Tenant, text: str, *, author: Author = ALICE, armed: bool = True) -> Playbook:
    saved = playbooks.save_playbook(Playbook(tenant=tenant), playbooks.Draft(text), author)
    return playbooks.arm(saved, author, is_person=True) if armed else saved


def fire(tenant: Tenant, at: datetime = NOON, **labels: str) -> AlertInstance:
    """An alert of another system that begins to fire."""
    named = LABELS | labels
    print_ = fingerprint(label_set(named))
    alert = AlertInstance.objects.create(
        tenant=tenant, origin=Origin.FOREIGN, series_fingerprint=print_, labels=named, state="firing",
        active_since=at, fired_at=at,
    )  # fmt: skip
    tell(
        [
            AlertTransition(
                tenant=tenant, alert_id=alert.pk, origin=Origin.FOREIGN, rule_version=0, previous="inactive",
                state="firing", at=at, fired_at=at, fingerprint=print_, labels=named, trace={},
            )
        ],
        now=at,
    )  # fmt: skip
    return alert


@dataclass
class Hand:
    """Does what the workers do, on a clock that stands still between."""

    clock: FakeClock
    means: Means

    @classmethod
    def at(cls, now: datetime = NOON, **values: Any) -> Hand:
        clock = FakeClock(now)
        return cls(clock, Means(clock, Random(1), **values))

    def advance(self) -> None:
        """Claim what is due and move it on, once."""
        advancing.advance_claims(claiming.claim_due_runs(now=self.clock.now()), self.means)

    def run_for(self, seconds: float, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.advance()
            self.clock.advance(seconds=step_s)

    def start(self, playbook: Playbook, *, by: str = "zoe", dry: bool = False, **labels: str) -> HealingRun:
        """A run that somebody else than the author asked for."""
        wish = Wish(LABELS | labels, dry=dry)
        return start_by_hand(playbook, wish, Author(by, self.clock.now()), is_person=True)

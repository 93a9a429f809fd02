"""An alert that somebody resolved by hand is over once: what ends later is its condition, told to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from alertsite.core.labels import label_set
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, AlertTransition, Feedback, Route, Rule, Shard
from rules.series.protocols import SampleBatch
from rules.services import authoring, evaluation, handling, intake, tracing, waking
from rules.services.authoring import Author
from rules.services.stores import hot_store
from tests.factories.notifying import flush_due, make_route, post, told
from tests.factories.rows import NOON, make_group, make_rule, make_tenant
from tests.fakes.clock import FakeClock

ONCE = [("inactive", "firing"), ("firing", "resolved"), ("resolved", "inactive")]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def root(tenant: Tenant) -> Route:
    return make_route(tenant, group_wait_s=0, group_interval_s=1)


@pytest.fixture
def rule(tenant: Tenant, root: Route) -> Rule:
    return make_rule(make_group(tenant), expr='up{n="1"} == 0')


def tick(tenant: Tenant, clock: FakeClock, value: float) -> None:
    """A sample of the rule's metric, its next tick, and the messages that it owes."""
    due = Shard.objects.for_tenant(tenant).get().next_due_at
    clock.advance(seconds=(due - clock.now()).total_seconds())
    labels = label_set({"__name__": "up", "n": "1"})
    batch = SampleBatch([labels], np.array([0]), np.array([clock.now_ms()]), np.array([value]))
    hot_store(tenant.pk).append(batch, now_ms=clock.now_ms())
    evaluation.evaluate_claims(waking.claim_due_shards(now=clock.now()), clock)
    clock.advance(seconds=1)
    flush_due(clock)


def resolve(tenant: Tenant, clock: FakeClock):
    """Resolve the one alert there is by hand, and tell of it. Its id."""
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert handling.Handler(tenant.pk, Author("bob", clock.now())).resolve([alert.pk], "fixed") == 1
    clock.advance(seconds=1)
    flush_due(clock)
    return alert.pk


def history(tenant: Tenant, alert) -> list[tuple[str, str]]:
    rows = AlertTransition.objects.for_tenant(tenant).filter(alert_id=alert).order_by("at")
    return list(rows.values_list("previous", "state"))


def test_the_alert_of_a_rule_ends_once_and_begins_anew_with_its_condition(tenant, clock, rule):
    tick(tenant, clock, 0)
    alert = resolve(tenant, clock)
    for value in (0, 1, 1):
        tick(tenant, clock, value)
    assert history(tenant, alert) == ONCE
    tick(tenant, clock, 0)
    assert AlertInstance.objects.for_tenant(tenant).get().pk != alert
    assert told(tenant) == [["firing 1"], ["resolved 1"], ["firing 1"]]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param(
            lambda tenant, now: post(tenant, {"n": "1"}, ends_at=now, now=now),
            "its sender says that it is over",
            id="sent as resolved",
        ),
        pytest.param(
            lambda _, now: intake.expire(now=now), "its sender did not renew it in time", id="not renewed"
        ),
    ],
)
def test_the_alert_of_another_system_ends_once_and_its_story_says_why(tenant, clock, root, end, reason):
    post(tenant, {"n": "1"})
    flush_due(clock)
    alert = resolve(tenant, clock)
    clock.advance(minutes=5)
    end(tenant, clock.now())
    flush_due(clock)
    assert history(tenant, alert) == ONCE
    assert told(tenant) == [["firing 1"], ["resolved 1"]]
    found = tracing.trace(tenant.pk, alert)
    texts = [one["text"] for one in tracing.in_words(found, "en")[0]]
    assert f"Resolved by hand before, it is over now ({reason}): nobody" in texts[-1]
    assert "elle a pris fin" in tracing.in_words(found, "fr")[0][-1]["text"]


def test_a_rule_that_is_paused_ends_it_once(tenant, clock, rule):
    tick(tenant, clock, 0)
    alert = resolve(tenant, clock)
    authoring.change_state(rule, "paused", Author("bob", clock.now()))
    assert history(tenant, alert) == ONCE


def test_its_end_is_when_a_person_said_so(tenant, clock, root):
    """For whoever judges it later; the service level counts the condition."""
    post(tenant, {"n": "1"})
    closed_at = clock.now()
    alert = resolve(tenant, clock)
    clock.advance(minutes=5)
    intake.expire(now=clock.now())
    handling.Handler(tenant.pk, Author("bob", clock.now())).judge(alert, "useful")
    assert Feedback.objects.for_tenant(tenant).get().ends_at == closed_at + timedelta(milliseconds=1)

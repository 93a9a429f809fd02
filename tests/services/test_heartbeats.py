"""Heartbeats: one state machine and one history with every other alert."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, AlertTransition, Heartbeat
from rules.services import heartbeats, timers
from rules.services.authoring import Author
from rules.services.heartbeats import InvalidHeartbeat, NewHeartbeat, Outcome, UnknownHeartbeat
from tests.factories.notifying import flush_due, make_route, told
from tests.factories.rows import AUTHOR, NOON, make_tenant
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def backup(tenant: Tenant) -> NewHeartbeat:
    row = Heartbeat(tenant=tenant, name="backup", period_s=3600, grace_s=300, labels={"team": "db"})
    return heartbeats.create(row, AUTHOR)


def story(tenant: Tenant) -> list[tuple[str, str]]:
    rows = AlertTransition.objects.for_tenant(tenant).order_by("at", "pk")
    return [(row.state, row.trace["reason"]) for row in rows]


def status(made: NewHeartbeat) -> str:
    return heartbeats.status_of(Heartbeat.across_tenants.get(pk=made.heartbeat.pk))


def call(clock: FakeClock, made: NewHeartbeat, outcome: Outcome = Outcome.SUCCESS, **after: float) -> str:
    clock.advance(**after)
    heartbeats.ping(made.token, outcome, now=clock.now())
    return status(made)


def wake(clock: FakeClock, **after: float) -> int:
    clock.advance(**after)
    return heartbeats.begin_missing(now=clock.now())


def test_a_job_that_stays_away_begins_an_alert_and_its_next_call_ends_it(clock, tenant, backup):
    assert status(backup) == "new"
    assert wake(clock, days=9) == 0
    assert call(clock, backup) == "up"
    assert wake(clock, seconds=3899) == 0
    assert wake(clock, seconds=1) == 1
    assert (status(backup), wake(clock)) == ("down", 0)
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert alert.labels == {"alertname": "HeartbeatMissing", "heartbeat": "backup", "team": "db"}
    assert call(clock, backup, minutes=5) == "up"
    assert story(tenant) == [("firing", "heartbeat_missed"), ("resolved", "heartbeat_back")]


def test_it_is_told_as_every_other_alert(clock, tenant, backup):
    make_route(tenant, group_wait_s=0, group_interval_s=1)
    call(clock, backup)
    assert timers.run_due(clock)["missing"] == 0
    clock.advance(seconds=3900)
    assert timers.run_due(clock)["missing"] == 1
    flush_due(clock)
    call(clock, backup, seconds=1)
    clock.advance(seconds=1)
    flush_due(clock)
    assert told(tenant) == [["firing HeartbeatMissing"], ["resolved HeartbeatMissing"]]


def test_a_job_that_says_it_failed_is_down_at_once_until_it_succeeds(clock, tenant, backup):
    assert call(clock, backup, Outcome.FAIL) == "down"
    assert call(clock, backup, Outcome.FAIL, seconds=1) == "down"
    assert call(clock, backup, Outcome.START, seconds=1) == "down"
    assert wake(clock, days=1) == 0
    assert call(clock, backup, Outcome.SUCCESS) == "up"
    assert story(tenant) == [("firing", "heartbeat_failed"), ("resolved", "heartbeat_back")]


def test_a_job_that_started_must_end_within_the_grace(clock, tenant, backup):
    assert call(clock, backup, Outcome.START) == "started"
    assert call(clock, backup, Outcome.START, seconds=200) == "started"
    assert wake(clock, seconds=100) == 1
    assert call(clock, backup, seconds=1) == "up"
    assert call(clock, backup, Outcome.START, minutes=1) == "started"
    assert call(clock, backup, minutes=1) == "up"
    assert wake(clock, seconds=3899) == 0


def test_a_call_in_time_is_one_statement(clock, tenant, backup):
    call(clock, backup)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        heartbeats.ping(backup.token, Outcome.SUCCESS, now=clock.now())
    assert len([one for one in queries if "rules_" in one["sql"]]) == 1


def test_a_lost_worker_leaves_the_alert_to_whoever_wakes_next(clock, tenant, backup, monkeypatch):
    call(clock, backup)

    def fails(*args, **kwargs):
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(heartbeats, "take", fails)
        with pytest.raises(ConnectionError):
            wake(clock, seconds=3900)
    assert wake(clock) == 1
    assert story(tenant) == [("firing", "heartbeat_missed")]


def change(clock: FakeClock, made: NewHeartbeat, **values) -> Heartbeat:
    row = Heartbeat.across_tenants.get(pk=made.heartbeat.pk)
    for name, value in values.items():
        setattr(row, name, value)
    return heartbeats.change(row, Author("alice", clock.now()))


def test_another_period_moves_what_is_due(clock, tenant, backup):
    call(clock, backup)
    change(clock, backup, period_s=60)
    assert wake(clock, seconds=359) == 0
    assert wake(clock, seconds=1) == 1


def test_its_alert_goes_on_under_new_labels(clock, tenant, backup):
    call(clock, backup, Outcome.FAIL)
    clock.advance(seconds=1)
    change(clock, backup, labels={"team": "web"})
    assert AlertInstance.objects.for_tenant(tenant).get().labels["team"] == "web"
    assert sorted(story(tenant)) == [
        ("firing", "heartbeat_failed"),
        ("firing", "heartbeat_failed"),
        ("resolved", "heartbeat_changed"),
    ]
    call(clock, backup, seconds=1)
    assert AlertInstance.objects.for_tenant(tenant).count() == 0


def test_switched_off_it_says_nothing_and_switched_on_it_waits_a_whole_period(clock, tenant, backup):
    call(clock, backup, Outcome.FAIL)
    change(clock, backup, enabled=False)
    assert AlertInstance.objects.for_tenant(tenant).count() == 0
    assert call(clock, backup, Outcome.FAIL, days=1) == "off"
    change(clock, backup, enabled=True)
    assert status(backup) == "up"
    assert wake(clock, seconds=3900) == 1


def test_removed_it_takes_its_alert_along(clock, tenant, backup):
    call(clock, backup, Outcome.FAIL)
    heartbeats.delete(backup.heartbeat, Author("alice", clock.now()))
    assert AlertInstance.objects.for_tenant(tenant).count() == 0


def test_another_token_makes_the_old_one_void(clock, backup):
    renewed = heartbeats.rotate(backup.heartbeat, AUTHOR)
    assert call(clock, renewed) == "up"
    with pytest.raises(UnknownHeartbeat):
        call(clock, backup)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"labels": {"alertname": "Mine"}}, "labels", id="our own label"),
        pytest.param({"labels": {"a-b": "c"}}, "labels", id="no label name"),
        pytest.param({"annotations": {"a": 1}}, "annotations", id="no text"),
        pytest.param({"annotations": {"a\x00": "b"}}, "annotations", id="NUL"),
    ],
)
def test_what_no_alert_could_carry_is_refused(tenant, values, field):
    with pytest.raises(InvalidHeartbeat) as refused:
        heartbeats.create(Heartbeat(tenant=tenant, name="x", **values), AUTHOR)
    assert list(refused.value.errors) == [field]

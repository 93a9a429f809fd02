"""Noise and the platform's own watch: flapping, incidents, overflow, dead receivers, canaries, the switch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ssl import create_default_context
from time import monotonic

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import (
    AlertAction,
    AlertInstance,
    AlertTransition,
    Incident,
    IncidentAlert,
    OutboxMessage,
    Receiver,
    Rule,
    Shard,
)
from rules.notify.addresses import resolve
from rules.notify.posting import Poster
from rules.services import auditing, correlating, damping, handling, routes, waking, watching
from rules.services.authoring import Author
from rules.services.routing import settings_of
from tests.factories.notifying import flush_due, make_route, post, told
from tests.factories.rows import AUTHOR, NOON, make_group, make_message, make_receiver, make_rule, make_tenant
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import http_server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


def flap(clock: FakeClock, tenant: Tenant, times: int) -> None:
    """Begin and end an alert, each a change; it fires at the end."""
    for _ in range(times):
        post(tenant, {"n": "1"}, now=clock.now())
        clock.advance(seconds=10)
        post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
        clock.advance(seconds=10)
    post(tenant, {"n": "1"}, now=clock.now(), ends_at=clock.now() + timedelta(days=2))


def choose(tenant: Tenant, **values) -> None:
    settings = settings_of(tenant.pk)
    for name, value in values.items():
        setattr(settings, name, value)
    routes.save(settings, AUTHOR)


def platform_alerts(tenant: Tenant) -> list[str]:
    rows = AlertInstance.objects.for_tenant(tenant).filter(origin="platform")
    return sorted(row.labels["alertname"] for row in rows)


def test_an_alert_that_changes_often_is_damped_until_somebody_undoes_it(clock, tenant):
    choose(tenant, damp_flapping=True)
    make_route(tenant, group_by=["..."], group_wait_s=0, group_interval_s=1)
    flap(clock, tenant, 3)
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert (alert.flapping, alert.damped) == (True, True)
    flush_due(clock)
    assert told(tenant) == []
    by = handling.Handler(tenant.pk, Author("bob", clock.now()))
    assert by.undamp([alert.pk]) == 1
    flush_due(clock)
    assert told(tenant) == [["firing 1"]]
    kinds = AlertAction.objects.for_tenant(tenant).values_list("kind", "actor")
    assert list(kinds) == [("damped", "alertsite"), ("undamped", "bob")]


def test_what_somebody_undid_is_not_damped_again_within_the_window(clock, tenant):
    choose(tenant, damp_flapping=True)
    flap(clock, tenant, 3)
    alert = AlertInstance.objects.for_tenant(tenant).get()
    handling.Handler(tenant.pk, Author("bob", clock.now())).undamp([alert.pk])
    post(tenant, {"n": "1"}, ends_at=clock.now(), now=clock.now())
    flap(clock, tenant, 1)
    assert not AlertInstance.objects.for_tenant(tenant).get().damped


def test_an_alert_that_is_steady_again_is_told(clock, tenant):
    choose(tenant, damp_flapping=True, flapping_window_s=600)
    make_route(tenant, group_by=["..."], group_wait_s=0, group_interval_s=1)
    flap(clock, tenant, 3)
    flush_due(clock)
    assert damping.calm_down(now=clock.now()) == 0
    clock.advance(minutes=11)
    assert damping.calm_down(now=clock.now()) == 1
    flush_due(clock)
    assert told(tenant) == [["firing 1"]]


def test_without_damping_flapping_is_only_shown(clock, tenant):
    flap(clock, tenant, 3)
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert (alert.flapping, alert.damped) == (True, False)


def test_alerts_of_one_service_or_of_one_it_needs_are_one_incident(clock, tenant):
    choose(tenant, incident_labels=["service"], topology=[["service=api", "service=db"]])
    post(tenant, {"n": "1", "service": "db"})
    post(tenant, {"n": "2", "service": "db"}, now=NOON + timedelta(seconds=1))
    post(tenant, {"n": "3", "service": "api"}, now=NOON + timedelta(seconds=2))
    post(tenant, {"n": "4", "service": "mail"}, now=NOON + timedelta(seconds=3))
    assert correlating.correlate_new(now=clock.now()) == 4
    assert correlating.correlate_new(now=clock.now()) == 0
    rows = IncidentAlert.objects.for_tenant(tenant).order_by("labels__n")
    assert [(row.reason, row.evidence) for row in rows] == [
        ("nothing_open", ""),
        ("shared_labels", "service=db"),
        ("topology", "api -> db"),
        ("nothing_shared", ""),
    ]
    assert correlating.end_incidents(now=clock.now()) == 0
    post(tenant, {"n": "4", "service": "mail"}, ends_at=NOON, now=NOON + timedelta(minutes=1))
    assert correlating.end_incidents(now=clock.now()) == 1
    assert Incident.objects.for_tenant(tenant).filter(ended_at=None).count() == 1


def test_an_incident_is_over_once_people_say_so(clock, tenant):
    post(tenant, {"n": "1", "service": "db"})
    correlating.correlate_new(now=clock.now())
    ids = list(AlertInstance.objects.for_tenant(tenant).values_list("pk", flat=True))
    handling.Handler(tenant.pk, Author("bob", clock.now())).resolve(ids)
    assert correlating.end_incidents(now=clock.now()) == 1


def test_an_alert_is_compared_with_the_newest_of_an_incident_alone(clock, tenant, monkeypatch):
    monkeypatch.setattr(correlating, "MAX_MEMBERS", 1)
    choose(tenant, incident_labels=["service", "zone"])
    for second, labels in enumerate([{"service": "db"}, {"service": "db", "zone": "a"}, {"zone": "a"}]):
        post(tenant, labels, now=NOON + timedelta(seconds=second))
    correlating.correlate_new(now=clock.now())
    post(tenant, {"service": "db", "n": "late"}, now=NOON + timedelta(seconds=9))
    correlating.correlate_new(now=clock.now())
    assert Incident.objects.for_tenant(tenant).count() == 2


def test_looking_for_new_alerts_reads_an_index_of_those_alone(tenant):
    """As many as fire, and as many as ever did."""
    with CaptureQueriesContext(connection) as said:
        assert correlating.correlate_new(now=NOON) == 0
    (asked,) = said.captured_queries
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {asked['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "alert_to_correlate" in plan
    assert "incidentalert" not in plan


def test_a_rule_beyond_its_limit_pages_once(clock, tenant):
    rule = make_rule(make_group(tenant), name="Greedy")
    Rule.objects.for_tenant(tenant).update(truncated=True)
    assert watching.watch_limits(now=clock.now()) == 1
    assert watching.watch_limits(now=clock.now()) == 0
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert alert.labels["rule_id"] == str(rule.pk)
    Rule.objects.for_tenant(tenant).update(truncated=False)
    assert watching.watch_limits(now=clock.now()) == 1
    assert platform_alerts(tenant) == []


def test_a_receiver_that_takes_nothing_is_an_alert_that_does_not_report_itself(clock, tenant):
    receiver = make_receiver(tenant, name="pager")
    make_message(receiver, status="dead", cause="HTTP 410")
    assert watching.watch_receivers(now=clock.now()) == 1
    assert watching.watch_receivers(now=clock.now()) == 0
    assert platform_alerts(tenant) == ["NotificationDead"]
    flush_due(clock)
    OutboxMessage.objects.for_tenant(tenant).filter(status="due").update(status="dead", cause="HTTP 410")
    assert watching.watch_receivers(now=clock.now()) == 0
    clock.advance(minutes=1)
    make_message(receiver, status="delivered", delivered_at=clock.now())
    assert watching.watch_receivers(now=clock.now()) == 1
    assert platform_alerts(tenant) == []


def test_a_canary_is_owed_in_time_and_missed_when_it_does_not_arrive(clock, tenant, redis_url):
    make_receiver(tenant, name="pager", canary_every_s=600)
    assert watching.send_canaries(now=clock.now()) == 1
    assert watching.send_canaries(now=clock.now()) == 0
    assert watching.watch_canaries(now=clock.now()) == 0
    clock.advance(minutes=6)
    assert watching.watch_canaries(now=clock.now()) == 1
    assert platform_alerts(tenant) == ["CanaryMissing"]
    message = OutboxMessage.objects.for_tenant(tenant).get(reason="canary")
    message.status, message.delivered_at = "delivered", clock.now()
    message.save()
    assert watching.watch_canaries(now=clock.now()) == 0
    assert platform_alerts(tenant) == []
    clock.advance(minutes=4)
    assert watching.send_canaries(now=clock.now()) == 1
    clock.advance(days=2)
    assert watching.forget_canaries(now=clock.now()) > 0
    canaries = AlertTransition.objects.for_tenant(tenant).filter(labels__alertname="Canary")
    assert canaries.count() == 1
    assert Receiver.objects.for_tenant(tenant).get().next_canary_at is not None


def test_the_switch_is_pinged_only_while_every_promise_holds(clock, tenant, settings, monkeypatch):
    guarded = Poster(resolve, allow_private=True, ssl_context=create_default_context(), monotonic=monotonic)
    monkeypatch.setattr(auditing, "poster", lambda: guarded)
    with http_server() as server:
        settings.DEADMAN_URL = ""
        assert auditing.ping_outside(now=clock.now()) == 0
        settings.DEADMAN_URL = server.url()
        assert auditing.ping_outside(now=clock.now()) == 1
        assert len(server.arrived) == 1
        make_rule(make_group(tenant))
        Shard.objects.for_tenant(tenant).update(next_due_at=clock.now() - timedelta(minutes=5))
        (broken,) = auditing.broken_promises(now=clock.now())
        assert "1 shards are late" in broken
        assert auditing.ping_outside(now=clock.now()) == 0
        assert len(server.arrived) == 1


@pytest.mark.parametrize(
    ("what", "words"),
    [
        pytest.param("group", "groups of alerts are due", id="a late flush"),
        pytest.param("message", "messages wait", id="a late attempt"),
        pytest.param("wake", "nobody woke", id="nobody wakes"),
    ],
)
def test_a_promise_that_does_not_hold_is_named(clock, tenant, what, words):
    if what == "group":
        make_route(tenant, group_wait_s=0)
        post(tenant, {"n": "1"})
    elif what == "message":
        make_message(make_receiver(tenant))
    else:
        waking.note_wake(waking.SHARDS, now=clock.now())
    clock.advance(minutes=10)
    assert any(words in line for line in auditing.broken_promises(now=clock.now()))

"""Claiming, evaluating, catching up and committing shards, over real PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from django.db import DataError
from django.db.models import Min

from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope
from rules.evaluation.outcomes import describe
from rules.models import AlertInstance, AlertTransition, LedgerEntry, OutboxMessage, Rule, Shard, ToldAlert
from rules.series.protocols import SampleBatch
from rules.services import authoring, evaluation, waking
from rules.services.stores import hot_store
from tests.factories.notifying import flush_due
from tests.factories.rows import NOON, make_group, make_receiver, make_rule, make_tenant
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


def write(tenant: Tenant, clock: FakeClock, value: float, **labels: str) -> None:
    labels = {"__name__": "up", "job": "api"} | labels
    batch = SampleBatch(
        [label_set(labels)], np.array([0]), np.array([clock.now_ms()]), np.array([float(value)])
    )
    assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == 1


def run_due(clock: FakeClock) -> evaluation.PassSummary:
    claims = waking.claim_due_shards(now=clock.now())
    return evaluation.evaluate_claims(claims, clock)


def to_next_tick(clock: FakeClock, tenant: Tenant) -> None:
    due = Shard.objects.for_tenant(tenant).aggregate(first=Min("next_due_at"))["first"]
    clock.advance(seconds=(due - clock.now()).total_seconds())


def tick(clock: FakeClock, tenant: Tenant, value: float | None, **labels: str) -> evaluation.PassSummary:
    """Move to the next tick with a fresh sample and evaluate it."""
    to_next_tick(clock, tenant)
    if value is not None:
        write(tenant, clock, value, **labels)
    return run_due(clock)


def history(rule: Rule) -> list[tuple[str, str]]:
    rows = AlertTransition.objects.for_tenant(rule.tenant_id).filter(rule=rule).order_by("at")
    return list(rows.values_list("previous", "state"))


def outcomes(tenant: Tenant) -> list[list[str]]:
    rows = LedgerEntry.objects.for_tenant(tenant).order_by("due_at").values_list("outcomes", flat=True)
    return [list(describe(bytes(row))) for row in rows]


def test_alert_goes_pending_firing_resolved_and_each_notified_change_owes_a_message(tenant, clock):
    receiver = make_receiver(tenant)
    rule = make_rule(make_group(tenant), hold_for_s=15, annotations={"summary": "{{ $labels.job }} is down"})

    for value in (1, 0, 0, 0, 1):
        tick(clock, tenant, value)
        flush_due(clock)
    clock.advance(minutes=1)
    flush_due(clock)

    assert history(rule) == [("inactive", "pending"), ("pending", "firing"), ("firing", "resolved")]
    told = ToldAlert.objects.for_tenant(tenant).order_by("message__created_at")
    assert [one.transition.state for one in told] == ["firing", "resolved"]
    assert {one.message.receiver_id for one in told} == {receiver.pk}
    firing = told[0].transition
    assert firing.labels == {"alertname": "HostDown", "job": "api", "severity": "medium"}
    assert firing.annotations == {"summary": "api is down"}
    assert firing.trace["reason"] == "held_long_enough"
    assert not AlertInstance.objects.for_tenant(tenant).exists()


def test_alert_states_are_series_that_end_with_a_stale_marker(tenant, clock):
    make_rule(make_group(tenant))
    make_rule(make_group(tenant, "other"), name="Seen", expr='ALERTS{alertname="HostDown"} == 1')

    tick(clock, tenant, 0)
    tick(clock, tenant, 0)
    assert AlertInstance.objects.for_tenant(tenant).filter(rule__name="Seen", state="firing").count() == 1
    tick(clock, tenant, 1)
    tick(clock, tenant, 1)
    assert not AlertInstance.objects.for_tenant(tenant).exists()


def test_rules_of_a_group_read_what_earlier_ones_recorded_at_the_same_tick(tenant, clock):
    group = make_group(tenant)
    make_rule(group, kind="recording", name="job:up:min", expr="min by (job) (up)", position=0)
    rule = make_rule(group, name="Recorded", expr="job:up:min == 0", position=1)

    tick(clock, tenant, 0)

    assert history(rule) == [("inactive", "firing")]


def test_missed_ticks_are_caught_up_in_order_through_the_same_states(tenant, clock):
    rule = make_rule(make_group(tenant), hold_for_s=30)
    to_next_tick(clock, tenant)
    for value in (0, 0, 0, 1):
        write(tenant, clock, value)
        clock.advance(seconds=15)
    clock.advance(seconds=-15)

    run_due(clock)

    assert [state for _, state in history(rule)] == ["pending", "firing", "resolved"]
    assert outcomes(tenant) == [["ok caught_up"]] * 3 + [["ok"]]


def test_ticks_beyond_the_bound_are_recorded_as_skipped(tenant, clock):
    Quota.objects.filter(pk=tenant.pk).update(max_catch_up_ticks=1)
    make_rule(make_group(tenant))
    to_next_tick(clock, tenant)
    clock.advance(seconds=45)

    run_due(clock)

    rows = LedgerEntry.objects.for_tenant(tenant).order_by("due_at")
    assert [row.skipped_reason for row in rows] == [evaluation.BEHIND] * 2 + [""] * 2
    assert outcomes(tenant)[0] == ["skipped"]


def test_no_tick_is_evaluated_twice_and_none_is_left_out(tenant, clock):
    make_rule(make_group(tenant))
    for _ in range(5):
        tick(clock, tenant, 1)
        run_due(clock)

    due = LedgerEntry.objects.for_tenant(tenant).order_by("due_at").values_list("due_at", flat=True)
    steps = {later - earlier for earlier, later in pairwise(due)}
    assert len(due) == 5
    assert steps == {timedelta(seconds=15)}


def test_worker_that_lost_its_claim_writes_nothing(tenant, clock):
    make_rule(make_group(tenant))
    to_next_tick(clock, tenant)
    write(tenant, clock, 0)
    stale = waking.claim_due_shards(now=clock.now())
    clock.advance(seconds=waking.LEASE.total_seconds())
    fresh = waking.claim_due_shards(now=clock.now())

    assert evaluation.evaluate_claims(stale, clock).ticks == 0
    assert not LedgerEntry.objects.for_tenant(tenant).exists()
    assert evaluation.evaluate_claims(fresh, clock).ticks > 0


def test_worker_that_loses_its_claim_while_it_evaluates_writes_nothing(tenant, clock, monkeypatch):
    make_rule(make_group(tenant))
    to_next_tick(clock, tenant)
    write(tenant, clock, 0)
    claims = waking.claim_due_shards(now=clock.now())
    evaluate = evaluation.run_tick

    def overtaken(*arguments: Any) -> Any:
        Shard.across_tenants.update(fencing_token=99)
        return evaluate(*arguments)

    monkeypatch.setattr(evaluation, "run_tick", overtaken)
    evaluation.evaluate_claims(claims, clock)

    assert not LedgerEntry.objects.for_tenant(tenant).exists()
    assert not AlertTransition.objects.for_tenant(tenant).exists()


def test_rule_paused_while_its_tick_is_evaluated_is_not_brought_back(tenant, clock, monkeypatch):
    rule = make_rule(make_group(tenant), hold_for_s=15)
    tick(clock, tenant, 0)
    evaluate = evaluation.run_tick
    calls = []

    def overtaken(*arguments: Any) -> Any:
        result = evaluate(*arguments)
        if not calls:
            authoring.change_state(rule, "paused", authoring.Author("alice", clock.now()))
        calls.append(len(arguments[0]))
        return result

    monkeypatch.setattr(evaluation, "run_tick", overtaken)
    tick(clock, tenant, 0)

    assert calls == [1, 0]
    assert history(rule) == [("inactive", "pending"), ("pending", "inactive")]
    assert not AlertInstance.objects.for_tenant(tenant).exists()


def test_evaluation_on_demand_is_a_tick_of_its_own_with_the_rules_as_they_are(tenant, clock, monkeypatch):
    group = make_group(tenant)
    rule = make_rule(group)
    due = Shard.objects.for_tenant(tenant).get().next_due_at
    clock.advance(milliseconds=1)
    write(tenant, clock, 0)
    evaluate = evaluation.run_tick
    calls = []

    def overtaken(*arguments: Any) -> Any:
        result = evaluate(*arguments)
        calls.append(len(arguments[0]))
        if len(calls) == 1:
            make_rule(group, authoring.Author("bob", clock.now()), name="Second")
        return result

    monkeypatch.setattr(evaluation, "run_tick", overtaken)
    summary = evaluation.evaluate_tenant_now(tenant.pk, clock)

    assert (calls, summary.ticks) == ([1, 2], 1)
    assert history(rule) == [("inactive", "firing")]
    shard = Shard.objects.for_tenant(tenant).get()
    assert (shard.next_due_at, shard.leased_until) == (due, clock.now())


def test_claimed_shard_is_left_alone_until_the_lease_ends(tenant, clock):
    make_rule(make_group(tenant))
    clock.advance(seconds=15)

    assert len(waking.claim_due_shards(now=clock.now())) == 1
    assert waking.claim_due_shards(now=clock.now()) == []


def test_a_tenant_with_many_shards_does_not_push_others_out_of_a_claim(tenant, clock):
    for interval_s in range(15, 25):
        make_rule(make_group(tenant, f"every {interval_s}", interval_s=interval_s))
    small = make_tenant("small")
    make_rule(make_group(small, interval_s=30))
    clock.advance(minutes=1)

    claims = waking.claim_due_shards(now=clock.now(), limit=2)

    assert {claim.tenant_id for claim in claims} == {tenant.pk, small.pk}


def test_bad_rule_is_recorded_and_its_neighbours_are_untouched(tenant, clock):
    group = make_group(tenant)
    good = make_rule(group, name="Good")
    bad = make_rule(group, name="Bad", expr="up / on (job) up")
    tick(clock, tenant, 0, instance="a")
    write(tenant, clock, 0, instance="b")
    tick(clock, tenant, 0, instance="a")

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.health, good.health) == ("error", "ok")
    assert "many-to-many" in bad.last_error
    assert history(good)[0] == ("inactive", "firing")


@pytest.mark.parametrize(
    ("policy", "alerts"),
    [
        pytest.param("ok", set(), id="ok resolves"),
        pytest.param("keep_state", {("HostDown", "api")}, id="keep_state leaves it"),
        pytest.param("alerting", {("HostDown", "api")}, id="alerting sustains it"),
        pytest.param("no_data", {("DatasourceNoData", None)}, id="no_data raises its own alert"),
    ],
)
def test_policy_decides_when_the_data_is_gone(tenant, clock, policy, alerts):
    rule = make_rule(make_group(tenant), no_data_policy=policy)
    tick(clock, tenant, 0)
    clock.advance(minutes=6)
    run_due(clock)

    active = AlertInstance.objects.for_tenant(tenant).values_list("labels", flat=True)
    assert {(labels["alertname"], labels.get("job")) for labels in active} == alerts
    rule.refresh_from_db()
    assert rule.health == "no_data"


def test_policy_alerting_fires_without_ever_having_had_data(tenant, clock):
    rule = make_rule(make_group(tenant), no_data_policy="alerting")
    tick(clock, tenant, None)
    tick(clock, tenant, None)

    assert history(rule) == [("inactive", "firing")]


def test_hysteresis_keeps_firing_until_the_recovery_threshold(tenant, clock):
    condition = {
        "type": "threshold",
        "metric_path": "cpu_usage",
        "operator": ">",
        "threshold": 80,
        "recovery_threshold": 70,
    }
    rule = make_rule(make_group(tenant), expr="", condition=condition)
    states = []
    for value in (75, 85, 75, 71, 70, 75):
        tick(clock, tenant, value, __name__="cpu_usage")
        states.append(AlertInstance.objects.for_tenant(tenant).count())

    assert states == [0, 1, 1, 1, 0, 0]
    assert history(rule) == [("inactive", "firing"), ("firing", "resolved")]


def test_limit_keeps_the_first_and_marks_the_rule(tenant, clock):
    rule = make_rule(make_group(tenant), alert_limit=2)
    to_next_tick(clock, tenant)
    for instance in "abc":
        write(tenant, clock, 0, instance=instance)
    run_due(clock)

    rule.refresh_from_db()
    assert rule.truncated
    assert AlertInstance.objects.for_tenant(tenant).count() == 2


@pytest.mark.parametrize("state", ["paused", "archived", "draft"])
def test_rule_that_leaves_active_resolves_its_alerts_and_tells(tenant, clock, state):
    make_receiver(tenant)
    rule = make_rule(make_group(tenant))
    tick(clock, tenant, 0)

    clock.advance(seconds=1)
    flush_due(clock)
    authoring.change_state(rule, state, authoring.Author("alice", clock.now()))
    clock.advance(minutes=1)
    flush_due(clock)

    assert not AlertInstance.objects.for_tenant(tenant).exists()
    assert history(rule) == [("inactive", "firing"), ("firing", "resolved")]
    assert OutboxMessage.objects.for_tenant(tenant).count() == 2
    assert Shard.objects.for_tenant(tenant).get().rule_count == 0


def test_rule_that_leaves_active_ends_its_alerts_after_they_began(tenant, clock):
    rule = make_rule(make_group(tenant))
    tick(clock, tenant, 0)
    before_the_tick = clock.now() - timedelta(seconds=5)
    authoring.change_state(rule, "paused", authoring.Author("alice", before_the_tick))
    assert history(rule) == [("inactive", "firing"), ("firing", "resolved")]


def test_shard_that_slept_while_empty_owes_no_ticks(tenant, clock):
    group = make_group(tenant)
    clock.advance(hours=3)
    make_rule(group, authoring.Author("alice", clock.now()))
    clock.advance(seconds=15)

    assert run_due(clock).ticks == 1


@pytest.mark.parametrize(
    ("silence_s", "overdue"),
    [pytest.param(5, False, id="beat is alive"), pytest.param(6, True, id="beat is silent")],
)
def test_workers_take_over_when_beat_is_silent(tenant, clock, silence_s, overdue):
    waking.note_wake(waking.SHARDS, now=clock.now())
    clock.advance(seconds=silence_s)

    assert waking.wake_is_overdue(waking.SHARDS, now=clock.now()) is overdue
    assert waking.wake_is_overdue(waking.MESSAGES, now=clock.now())


def test_rule_that_reads_too_much_is_in_error_alone(tenant, clock):
    Quota.objects.filter(pk=tenant.pk).update(max_samples_per_query=4)
    group = make_group(tenant)
    greedy = make_rule(group, name="Greedy", expr="sum(crowd) >= 0")
    modest = make_rule(group, name="Modest", expr="up == 0")
    to_next_tick(clock, tenant)
    for person in "abcde":
        write(tenant, clock, 1, __name__="crowd", person=person)
    write(tenant, clock, 0)
    run_due(clock)

    greedy.refresh_from_db()
    modest.refresh_from_db()
    assert (greedy.health, modest.health) == ("error", "ok")
    assert "5, limit is 4" in greedy.last_error
    assert history(modest) == [("inactive", "firing")]


def test_alert_whose_template_fails_goes_out_and_says_so(tenant, clock):
    make_receiver(tenant)
    rule = make_rule(make_group(tenant), annotations={"summary": '{{ printf "%d" (index $labels.job 99) }}'})

    tick(clock, tenant, 0)

    flush_due(clock)
    told = ToldAlert.objects.for_tenant(tenant).get()
    assert told.transition.annotations["summary"].startswith("<error expanding template: ")
    rule.refresh_from_db()
    assert rule.health == "error"


def test_without_a_severity_alerts_have_no_such_label(tenant, clock):
    make_rule(make_group(tenant), severity="", labels={"team": "a"})

    tick(clock, tenant, 0)

    assert AlertInstance.objects.for_tenant(tenant).get().labels == {
        "alertname": "HostDown",
        "job": "api",
        "team": "a",
    }


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"expr": 'label_replace(up, "odd", "a\\x00b", "", "") == 0'}, id="in a result"),
        pytest.param({"labels": {"odd": '{{ "a\\x00b" }}'}}, id="in a label of the rule"),
        pytest.param({"annotations": {"odd": '{{ "a\\x00b" }}'}}, id="in an annotation"),
    ],
)
def test_a_nul_is_stored_as_the_replacement_character(tenant, clock, values):
    make_rule(make_group(tenant), **values)
    assert tick(clock, tenant, 0).transitions == 1
    alert = AlertInstance.objects.for_tenant(tenant).get()
    assert (alert.labels | alert.annotations)["odd"] == "a\ufffdb"


def test_a_shard_that_the_database_refuses_stops_no_other(tenant, clock, monkeypatch):
    other = make_tenant("other")
    for one in (tenant, other):
        make_rule(make_group(one))
        write(one, clock, 0)
    store = evaluation.transitions.store

    def refuse(shard, *rest, **more):
        if shard.tenant_id == tenant.pk:
            raise DataError("unsupported Unicode escape sequence")
        return store(shard, *rest, **more)

    monkeypatch.setattr(evaluation.transitions, "store", refuse)
    clock.advance(minutes=1)
    summary = run_due(clock)
    assert summary.failed_shards == 1
    assert LedgerEntry.objects.for_tenant(other).exists()

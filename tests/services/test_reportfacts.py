"""The numbers of reports are those of hand-made rows, and of back-tests over stored history."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from alertsite.core.clock import from_datetime
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota
from alertsite.tenancy.scope import platform_scope
from rules.models import (
    AlertAction,
    AlertInstance,
    Feedback,
    LedgerEntry,
    Rule,
    Shard,
    Silence,
    Suppression,
)
from rules.reports.facts import Counted, ReceiverFacts, Spread, TickFacts
from rules.reports.options import LevelsOptions
from rules.reports.periods import Period
from rules.series.protocols import SampleBatch
from rules.services import tryingchanges
from rules.services.levelsfacts import levels_of
from rules.services.operationsfacts import operations_of
from rules.services.qualityfacts import quality_of, rules_in
from rules.services.stores import hot_store
from rules.services.tryingchanges import try_changes
from tests.factories.rows import (
    NOON,
    make_group,
    make_message,
    make_receiver,
    make_rule,
    make_tenant,
    make_transition,
)

DAY = Period(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
UTC = ZoneInfo("UTC")
LATER = NOON + timedelta(days=1)


@pytest.fixture
def acme(db, redis_url):
    with platform_scope():
        yield make_tenant("acme")


def fire(tenant, *, at=NOON, lasted_s: float | None = None, alert_id=None, **values):
    """An alert that fired, and ended where it is said how long it lasted."""
    values = {"alert_id": alert_id or uuid4()} | values
    fired = make_transition(tenant, at=at, fired_at=at, **values)
    if lasted_s is not None:
        ended = at + timedelta(seconds=lasted_s)
        make_transition(tenant, state="resolved", previous="firing", at=ended, fired_at=at, **values)
    return fired


def act(tenant, fired, kind: str = "acknowledged", after_s: float = 60) -> None:
    at = fired.at + timedelta(seconds=after_s)
    AlertAction.objects.create(tenant=tenant, alert_id=fired.alert_id, kind=kind, actor="alice", at=at)


def judge(tenant, fired, verdict: str, actor: str = "alice") -> None:
    Feedback.objects.create(
        tenant=tenant,
        alert_id=fired.alert_id,
        rule_id=fired.rule_id,
        verdict=verdict,
        starts_at=fired.at,
        actor=actor,
        at=fired.at,
    )


def operations(tenant):
    return operations_of(tenant.pk, DAY, UTC, now=LATER)


def test_a_quiet_day_is_all_zeros(acme):
    found = operations(acme)
    assert (found.fired, found.resolved, found.undelivered, found.silences) == (0, 0, 0, 0)
    assert (found.to_acknowledge, found.receivers, found.longest) == (Spread(), [], [])
    assert found.ticks == TickFacts(0, 0, 0)
    assert [one.count for one in found.over_time] == [0] * 24


def test_what_fired_is_counted_by_name_and_hour(acme):
    other = make_tenant("other")
    fire(other, labels={"alertname": "Foreign"})
    fire(acme, at=DAY.start, labels={"alertname": "A", "severity": "high", "job": "batch"})
    fire(acme, labels={"alertname": "A", "severity": "high", "service": "api", "job": "batch"})
    fire(acme, labels={"alertname": "B"})
    fire(acme, at=DAY.end, labels={"alertname": "Tomorrow"})
    fire(acme, at=DAY.start - timedelta(milliseconds=1), labels={"alertname": "Yesterday"})
    found = operations(acme)
    assert found.fired == 3
    assert found.by_rule == [Counted("A", 2), Counted("B", 1)]
    assert found.by_severity == [Counted("high", 2), Counted("", 1)]
    assert found.by_service == [Counted("", 1), Counted("api", 1), Counted("batch", 1)]
    assert [one.count for one in found.over_time] == [1] + [0] * 11 + [2] + [0] * 11


def test_how_long_people_and_alerts_took(acme):
    for minutes in (10, 20, 30):
        act(acme, fire(acme, lasted_s=minutes * 60), after_s=minutes)
    fire(acme, at=DAY.start - timedelta(hours=1), lasted_s=7200)  # fired the day before, ended in this one
    found = operations(acme)
    assert (found.fired, found.resolved, found.acknowledged) == (3, 4, 3)
    assert found.to_acknowledge == Spread(3, 20.0, 28.0)
    assert found.to_repair.count == 4
    assert found.to_repair.p50_s == 1500.0


def test_the_longest_alerts_include_those_that_go_on(acme):
    fire(acme, at=NOON, lasted_s=60, labels={"alertname": "Short"})
    fire(acme, at=NOON, lasted_s=86_400, labels={"alertname": "EndsTomorrow"})
    AlertInstance.objects.create(
        tenant=acme,
        origin="foreign",
        series_fingerprint=1,
        labels={"alertname": "StillOn"},
        state="firing",
        active_since=DAY.start,
        fired_at=DAY.start,
    )
    told = [(one.name, one.seconds, one.over) for one in operations(acme).longest]
    assert told == [("StillOn", 86_400.0, False), ("EndsTomorrow", 43_200.0, False), ("Short", 60.0, True)]


def test_deliveries_are_counted_by_receiver_with_their_latency(acme):
    pager, mail = make_receiver(acme, name="pager"), make_receiver(acme, name="mail")
    for seconds in range(1, 101):
        done = NOON + timedelta(seconds=seconds)
        make_message(pager, fire(acme), status="delivered", delivered_at=done)
    make_message(mail, fire(acme), status="dead", cause="gone")
    make_message(mail, fire(acme))
    nobody = fire(acme)
    found = operations(acme)
    assert found.receivers == [
        ReceiverFacts("pager", 100, 100, 0, 0, 0, 50.5, pytest.approx(99.01)),
        ReceiverFacts("mail", 2, 0, 1, 0, 1, None, None),
    ]
    assert (found.dead, found.undelivered) == (1, 2)  # the dead letter's alert, and the one without any
    reason = {"receiver_name": "pager", "at": NOON, "reason": "silenced", "detail": "s"}
    Suppression.objects.create(tenant=acme, alert_id=nobody.alert_id, **reason)
    found = operations(acme)
    assert (found.undelivered, found.suppressed) == (1, [Counted("silenced", 1)])


def test_ticks_are_on_time_late_or_missed(acme):
    shard = Shard.objects.create(
        tenant=acme, interval_s=15, slot=0, phase_ms=0, next_due_at=NOON, leased_until=NOON
    )
    for position, values in enumerate(
        [{}, {}, {"caught_up": True}, {"skipped_reason": "beyond the bound", "caught_up": True}]
    ):
        at = NOON + timedelta(seconds=15 * position)
        LedgerEntry.objects.create(
            tenant=acme,
            shard=shard,
            due_at=at,
            started_at=at,
            finished_at=at,
            data_as_of=at,
            fencing_token=1,
            outcomes=b"",
            **values,
        )
    assert operations(acme).ticks == TickFacts(2, 1, 1)
    long_after = NOON + timedelta(days=40)
    assert operations_of(acme.pk, DAY, UTC, now=long_after).ticks is None


def test_canaries_tests_and_a_second_end_do_not_count(acme):
    receiver = make_receiver(acme)
    canary = make_transition(acme, state="resolved", fired_at=NOON, trace={"reason": "canary"})
    make_message(receiver, canary, reason="canary")
    make_message(receiver, fire(acme, lasted_s=60), reason="test")
    by_hand = fire(acme, lasted_s=120)
    make_transition(
        acme,
        alert_id=by_hand.alert_id,
        state="resolved",
        fired_at=NOON,
        at=NOON + timedelta(hours=1),
    )
    found = operations(acme)
    assert (found.fired, found.resolved, found.receivers) == (2, 2, [])
    assert found.to_repair == Spread(2, 90.0, 114.0)
    assert [one.seconds for one in found.longest] == [120.0, 60.0]


def make_silence(tenant, **values) -> Silence:
    row = {
        "matchers": ['host="a"'],
        "starts_at": DAY.start - timedelta(days=30),
        "ends_at": DAY.end + timedelta(days=30),
        "author": "alice",
        "comment": "why",
        "updated_at": NOON,
    } | values
    return Silence.objects.create(tenant=tenant, **row)


def test_silences_at_work_and_those_nobody_needs(acme):
    stale, used = make_silence(acme), make_silence(acme)
    make_silence(acme, starts_at=NOON)  # too young
    make_silence(acme, needs_approval=True)  # never approved
    make_silence(acme, ends_at=DAY.start)  # over
    reason = {"receiver_name": "pager", "at": NOON, "reason": "silenced", "detail": str(used.pk)}
    Suppression.objects.create(tenant=acme, alert_id=uuid4(), **reason)
    assert operations(acme).silences == 3
    quality = quality_of(acme.pk, DAY, now=LATER, seconds=lambda: 0.0)
    assert [one.since for one in quality.stale_silences] == [stale.starts_at.isoformat()]


def test_noise_precision_and_flapping_by_rule(acme):
    rule = make_rule(make_group(acme))
    for number in range(8):
        fired = fire(acme, rule=rule, fingerprint=number % 2, lasted_s=600 if number < 2 else 120)
        if number < 3:
            act(acme, fired, after_s=100)
        if number < 4:
            make_message(make_receiver(acme), fired)
            judge(acme, fired, "useful" if number < 3 else "noise")
    (found,) = rules_in(acme.pk, DAY)
    assert (found.rule, found.fired, found.told, found.acknowledged) == ("HostDown", 8, 4, 3)
    assert found.by_itself == 5  # the six short ones, but for the one that was acknowledged
    assert (found.useful, found.noise, found.precision) == (3, 1, 0.75)
    assert (found.changes_per_alert, found.to_acknowledge_s) == (4.0, 100.0)
    assert found.rule_id == str(rule.pk)


@pytest.fixture
def history(acme):
    """Two hours of a load, a sample each 15 seconds: each ten minutes 9 for one minute, once 99 for ten."""
    Quota.objects.filter(pk=acme.pk).update(lateness_s=31 * 86_400, hot_retention_s=31 * 86_400)
    start = from_datetime(NOON)
    times = start + np.arange(0, 7_200_000, 15_000)
    minutes = (times - start) / 60_000
    values = np.where(minutes % 10 < 1, 9.0, 1.0)
    values[(minutes >= 60) & (minutes < 70)] = 99.0
    labels = [label_set({"__name__": "load", "host": "a"})]
    batch = SampleBatch(labels, np.zeros(len(times), np.int64), times, values)
    assert hot_store(acme.pk).append(batch, now_ms=start + 7_200_000).accepted == len(times)
    return Period(NOON, NOON + timedelta(hours=2))


def make_loud_rule(acme, period: Period, *, real: int | None = 6, expr: str = "load > 5") -> Rule:
    """A rule with the eleven alerts that it had over the history; one of them was acknowledged."""
    group = make_group(acme, interval_s=60)
    rule = make_rule(group, name="Busy", expr=expr, labels={"severity": "high"})
    labels = {"alertname": "Busy", "host": "a", "severity": "high"}
    for number in [*range(7), *range(8, 12)]:  # the seventh went on into the eighth
        at = period.start + timedelta(minutes=10 * number)
        value = 99.0 if number == 6 else 9.0
        fired = fire(acme, rule=rule, at=at, lasted_s=660 if number == 6 else 60, labels=labels, value=value)
        if number == real:
            act(acme, fired)
    return rule


@pytest.mark.parametrize(
    ("expr", "kind", "value", "delay_s", "count"),
    [
        pytest.param("load > 5", "threshold", "> 9", 0.0, 4, id="a threshold costs no time"),
        pytest.param("load > 5 and load > 6", "longer_for", "1m", 60.0, 2, id="without a threshold it waits"),
    ],
)
def test_changes_are_back_tested_and_the_best_shown_with_figures(
    acme, history, expr, kind, value, delay_s, count
):
    rule = make_loud_rule(acme, history, expr=expr)
    tried = try_changes(acme.pk, history, [str(rule.pk)], seconds=lambda: 0.0)
    assert tried.faults == []
    (best,) = tried.changes
    assert (best.kind, best.value, best.delay_s) == (kind, value, delay_s)
    assert (best.before, best.lost, best.acted_on) == (22, 0, 1)
    assert best.after == 2  # the one real alert: fired and resolved
    assert tried.count == count


def test_a_rule_that_nobody_needs_may_go(acme, history):
    rule = make_loud_rule(acme, history, real=None)
    tried = try_changes(acme.pk, history, [str(rule.pk)], seconds=lambda: 0.0)
    (best,) = tried.changes
    assert tried.count == 5
    assert (best.kind, best.before, best.after) == ("remove", 22, 0)


def test_trials_end_with_their_time(acme, history):
    rule = make_loud_rule(acme, history)
    ticking = iter([0.0, 1.0, 1.0, tryingchanges.BUDGET_S])
    tried = try_changes(acme.pk, history, [str(rule.pk)], seconds=lambda: next(ticking))
    assert tried.count == 1
    assert tried.faults == ["there was no time to try more than 1 changes"]


def test_a_rule_that_cannot_be_replayed_says_why(acme, history):
    rule = make_loud_rule(acme, history)
    Quota.objects.filter(pk=acme.pk).update(max_samples_per_query=1)
    tried = try_changes(acme.pk, history, [str(rule.pk)], seconds=lambda: 0.0)
    assert (tried.count, tried.changes) == (0, [])
    assert tried.faults[0].startswith("Busy: ")


def test_rules_that_never_fire_or_never_match_and_what_they_cost(acme, history):
    make_loud_rule(acme, history)
    group = make_group(acme, "more")
    make_rule(group, name="Quiet", expr="load > 1000")
    make_rule(group, name="Misspelt", expr="laod > 1 or sum(rate(nothing[5m])) > 1")
    make_rule(group, name="Window", expr="avg_over_time(load[5m]) > 1000")
    make_rule(group, name="Draft", expr="load > 1000", state="draft")
    found = quality_of(acme.pk, history, now=LATER, seconds=lambda: 0.0)
    assert found.rule_count == 4
    assert (found.never_fired, found.never_fired_count) == (["Misspelt", "Quiet", "Window"], 3)
    assert found.never_matching == [Counted("Misspelt", 2)]
    assert next((one.rule, one.series, one.samples) for one in found.costs) == ("Window", 1, 20)
    assert [one.kind for one in found.changes] == ["threshold"]


def test_what_people_missed_is_counted(acme):
    for at in (NOON, DAY.end):
        Feedback.objects.create(tenant=acme, verdict="missed", starts_at=at, actor="bob", at=at)
    assert quality_of(acme.pk, DAY, now=LATER, seconds=lambda: 0.0).missed_by_people == 1


def level(tenant, end, **option):
    options = LevelsOptions.model_validate(
        {"levels": [{"name": "x", "objective": 0.99, "window": "1d"} | option]}
    )
    (found,) = levels_of(tenant.pk, options, "en", end_ms=from_datetime(end)).levels
    return found


def test_level_of_a_rule_is_the_time_it_fired(acme):
    rule = make_rule(make_group(acme))
    fire(acme, rule=rule, at=NOON, lasted_s=432)
    fire(acme, rule=rule, at=NOON, lasted_s=100, labels={"alertname": "HostDown", "instance": "b"})
    found = level(acme, DAY.end, rule=str(rule.pk))
    assert found.bad == pytest.approx(432 / 86_400)
    assert found.spent == pytest.approx(0.5)
    AlertInstance.objects.create(
        tenant=acme,
        rule=rule,
        series_fingerprint=1,
        labels={},
        state="firing",
        active_since=NOON,
        fired_at=DAY.end - timedelta(seconds=432),
    )
    assert level(acme, DAY.end, rule=str(rule.pk)).spent == pytest.approx(1.0)
    gone = str(rule.pk)
    rule.delete()
    assert level(acme, DAY.end, rule=gone).unmeasured == "the rule was deleted"


def test_level_of_an_expression_is_its_mean(acme, history):
    found = level(acme, history.end, expr="load > bool 1")
    assert found.bad == pytest.approx(0.83, abs=0.03)  # quiet nine minutes in ten, but for ten
    assert level(acme, history.end, expr="absent_metric").unmeasured
    Quota.objects.filter(pk=acme.pk).update(max_samples_per_query=1)
    assert "limit" in level(acme, history.end, expr="load > bool 1").unmeasured

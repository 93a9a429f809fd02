"""How likely alerts are: by rules on stored and on given values, by the tenant's past, with trust."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope
from ml.services.likelihood import predict_alert_likelihood
from rules.models import Rule
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.rows import NOON, make_group, make_rule, make_tenant, make_transition
from tests.fakes.clock import FakeClock

DAY_S = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str) -> Iterator[Tenant]:
    with platform_scope():
        made = make_tenant()
        Quota.objects.filter(pk=made.pk).update(lateness_s=16 * DAY_S)
        yield made


@pytest.fixture
def group(tenant: Tenant):
    return make_group(tenant, interval_s=60)


def write(tenant: Tenant, clock: FakeClock) -> None:
    """Two weeks of hours: a daily wave between 40 and 60."""
    times = clock.now_ms() - 3_600_000 * np.arange(14 * 24)[::-1]
    values = 50.0 + 10.0 * np.sin(2.0 * np.pi * times / 86_400_000)
    labels = label_set({"__name__": "load", "host": "a"})
    batch = SampleBatch([labels], np.zeros(len(times), np.int64), times, values)
    assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == len(times)


def ask(tenant, clock, metrics=None, horizon_s=DAY_S):
    return predict_alert_likelihood(tenant.pk, metrics or {}, horizon_s=horizon_s, clock=clock)


def test_rules_are_foretold_from_stored_history(tenant, clock, group):
    write(tenant, clock)
    make_rule(group, name="Often", expr="load > 55", hold_for_s=600)
    make_rule(group, name="Never", expr="90 < load")
    make_rule(group, name="Other", expr="absent(load)")

    found = ask(tenant, clock)

    often, never = found.predicted_alerts
    assert (often.rule, never.rule) == ("Often", "Never")
    assert found.alert_probability == often.probability > 0.95
    assert never.probability < 0.05
    # The wave is above 55 from two in the morning on.
    assert abs(often.at - (NOON + timedelta(hours=14, minutes=40))) <= timedelta(minutes=30)
    assert found.drivers[0].name.startswith(("rule Often", "rule Never"))
    assert "2 of 3 active rules" in " ".join(found.trust.reasons)


def test_given_values_take_the_place_of_stored_ones(tenant, clock, group):
    make_rule(group, name="High", expr="queue > 100")

    low = ask(tenant, clock, {"queue": 5.0})
    high = ask(tenant, clock, {"queue": [90.0, 150.0, 400.0]})

    assert low.predicted_alerts[0].probability < 0.01
    assert high.predicted_alerts[0].probability > 0.9
    assert low.trust.score < 0.5


def test_the_past_of_the_tenant_speaks_without_rules(tenant, clock):
    for days in range(0, 100, 3):
        make_transition(tenant, at=NOON - timedelta(days=days, hours=1))
    quiet = make_tenant("quiet")
    for days in (40, 90):
        make_transition(quiet, at=NOON - timedelta(days=days))

    busy, calm = ask(tenant, clock), ask(quiet, clock)

    assert 0.15 < busy.alert_probability < 0.8
    assert calm.alert_probability < busy.alert_probability
    assert ask(tenant, clock, horizon_s=7200).alert_probability < busy.alert_probability
    assert busy.alert_probability < ask(tenant, clock, horizon_s=7 * DAY_S).alert_probability
    assert busy.drivers[0].name.startswith("past alerts")


def test_nothing_known_is_a_guess_that_is_not_trusted(tenant, clock):
    found = ask(tenant, clock)

    assert 0 < found.alert_probability < 0.5
    assert found.trust.score == 0.0
    assert len(found.trust.reasons) == 4


def test_paused_rules_and_those_of_others_do_not_count(tenant, clock, group):
    make_rule(group, name="High", expr="queue > 100")
    Rule.objects.for_tenant(tenant).update(state="paused")
    make_rule(make_group(make_tenant("other")), name="High", expr="queue > 100")

    assert ask(tenant, clock, {"queue": 500.0}).predicted_alerts == []


@pytest.mark.parametrize(
    ("metrics", "horizon_s", "field"),
    [
        pytest.param({}, 60, "horizon_s", id="less than an hour"),
        pytest.param({}, 8 * DAY_S, "horizon_s", id="more than a week"),
        pytest.param({"a": float("nan")}, DAY_S, "metrics", id="no number"),
        pytest.param({"a": []}, DAY_S, "metrics", id="no values"),
    ],
)
def test_what_cannot_be_told_is_refused(tenant, clock, metrics, horizon_s, field):
    with pytest.raises(InvalidParameter, match=field):
        ask(tenant, clock, metrics, horizon_s)

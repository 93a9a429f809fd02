"""Groups of forecasts and of incidents over real PostgreSQL and Redis: learn, tell, be used by rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import ValidationError

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope
from ml.models import ModelGroup
from ml.services import claiming, groups, scoring, training
from ml.services.explaining import explain
from ml.services.groups import InvalidModelGroup
from ml.services.previewing import preview
from ml.services.reading import read_grid
from ml.services.versions import TooLittleHistory
from rules.models import AlertInstance, Shard
from rules.series.protocols import SampleBatch
from rules.services import evaluation, waking
from rules.services.authoring import Author
from rules.services.stores import hot_store
from tests.factories.rows import NOON, make_group, make_rule, make_tenant, make_transition
from tests.fakes.clock import FakeClock

DAYS = 6
QUARTER_MS = 15 * 60_000
FORECASTS = {
    "name": "days",
    "kind": "forecast",
    "selector": "load",
    "detector": "daily_median",
    "step_s": 300,
}
INCIDENTS = {"name": "chances", "kind": "incident", "step_s": 300}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None, redis_url: str) -> Iterator[Tenant]:
    with platform_scope():
        made = make_tenant()
        Quota.objects.filter(pk=made.pk).update(lateness_s=(DAYS + 1) * 86_400)
        yield made


def write(tenant: Tenant, clock: FakeClock, *, rise: float = 0.0, days: int = DAYS) -> None:
    """A daily wave of a sample each quarter of an hour, the last one now."""
    count = days * 96
    times = clock.now_ms() // QUARTER_MS * QUARTER_MS - QUARTER_MS * np.arange(count)[::-1]
    noise = np.random.default_rng(3).normal(0.0, 0.2, count)
    values = 50.0 + 10.0 * np.sin(2.0 * np.pi * times / 86_400_000) + noise + rise * np.arange(count) / 96
    labels = label_set({"__name__": "load", "host": "a"})
    batch = SampleBatch([labels], np.zeros(count, np.int64), times, values)
    assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == count


def make(tenant: Tenant, clock: FakeClock, **values: Any) -> ModelGroup:
    return groups.save_group(ModelGroup(tenant=tenant, **values), Author("alice", clock.now()))


def tell(clock: FakeClock) -> scoring.ScoringSummary:
    clock.advance(minutes=5)
    return scoring.score_claims(claiming.claim_due(now=clock.now()), clock)


def latest(tenant: Tenant, clock: FakeClock, name: str) -> dict[tuple[str, str], float]:
    """The newest value by horizon and level, or service."""
    now_ms = clock.now_ms() // 300_000 * 300_000
    grid = read_grid(tenant.pk, name, range(now_ms, now_ms + 1, 300_000), now_ms=clock.now_ms())
    named = [dict(labels) for labels in grid.labels]
    return {
        (one.get("horizon", ""), one.get("level", one.get("service", ""))): row[-1]
        for one, row in zip(named, grid.values, strict=True)
    }


def test_a_forecast_is_learned_told_with_intervals_and_used_by_a_rule(tenant, clock):
    write(tenant, clock)
    group = make(tenant, clock, **FORECASTS)
    version = training.train_group(tenant.pk, group.pk, clock)
    make_rule(make_group(tenant, interval_s=60), name="Soon", expr='forecast{horizon="1h"} > 40')

    summary = tell(clock)

    group.refresh_from_db()
    assert (summary.samples, group.state, group.state_reason) == (10, "active", "")
    assert (version.status, version.detector, version.series[0][0]) == (
        "champion",
        "daily_median",
        ("__name__", "load"),
    )
    assert version.quality["mase"] < 1.2
    told = latest(tenant, clock, "forecast")
    assert set(told) == {("1h", ""), ("24h", "")}
    # The hour that ends at the tick a day later has its middle half an hour before.
    after = 50.0 + 10.0 * np.sin(2.0 * np.pi * (clock.now_ms() - 1_800_000) / 86_400_000)
    assert told["24h", ""] == pytest.approx(after, abs=1.0)
    lower, upper = latest(tenant, clock, "forecast_lower"), latest(tenant, clock, "forecast_upper")
    assert (
        lower["24h", "95"] <= lower["24h", "80"] < told["24h", ""] < upper["24h", "80"] <= upper["24h", "95"]
    )
    Shard.objects.for_tenant(tenant).update(next_due_at=clock.now())
    evaluation.evaluate_claims(waking.claim_due_shards(now=clock.now()), clock)
    labels = AlertInstance.objects.for_tenant(tenant).get(rule__name="Soon").labels
    assert {"host": "a", "metric": "load", "model_group": "days", "horizon": "1h"}.items() <= labels.items()


def test_until_a_model_is_learned_a_blend_tells(tenant, clock):
    write(tenant, clock)
    group = make(tenant, clock, **FORECASTS)

    assert tell(clock).samples == 10

    group.refresh_from_db()
    assert (group.state, group.state_reason) == ("fallback", "no model was learned yet")


def test_a_day_is_too_little(tenant, clock):
    write(tenant, clock, days=1)
    group = make(tenant, clock, **FORECASTS)
    assert training.train_group(tenant.pk, group.pk, clock) is None

    assert tell(clock).samples == 0

    group.refresh_from_db()
    assert group.state == "warming"
    assert "48 hours" in group.state_reason
    assert "48 hours" in group.training_error


def test_with_a_threshold_the_time_until_it_is_told(tenant, clock):
    write(tenant, clock, rise=10.0)
    make(tenant, clock, **FORECASTS, threshold=150.0)

    tell(clock)

    seconds = latest(tenant, clock, "time_to_threshold_seconds")["", ""]
    assert 2 * 86_400 < seconds < 7 * 86_400


def test_missed_ticks_are_caught_up(tenant, clock):
    write(tenant, clock)
    make(tenant, clock, **FORECASTS)
    clock.advance(minutes=10)

    assert tell(clock).ticks == 3


def fire(tenant: Tenant, service: str, *days_ago: int) -> None:
    for days in days_ago:
        make_transition(tenant, at=NOON - timedelta(days=days, hours=6), labels={"service": service})


def test_incidents_are_told_by_service_with_their_skill(tenant, clock):
    fire(tenant, "shop", *range(0, 119, 7))
    fire(tenant, "mail", 119, 60)
    other = make_tenant("other")
    fire(other, "shop", *range(119))
    make(tenant, clock, **INCIDENTS, service_label="service")

    summary = tell(clock)

    assert summary.failed == 0
    told = latest(tenant, clock, "incident_probability")
    assert set(told) == {(horizon, service) for horizon in ("24h", "7d") for service in ("shop", "mail")}
    assert 0 < told["24h", "mail"] < told["24h", "shop"] < told["7d", "shop"] < 1
    skill = latest(tenant, clock, "incident_probability_skill")
    assert skill["24h", "shop"] > 0


def test_incidents_of_the_tenant_as_a_whole(tenant, clock):
    fire(tenant, "shop", *range(0, 60, 10))
    group = make(tenant, clock, **INCIDENTS)
    assert training.train_group(tenant.pk, group.pk, clock) is None

    tell(clock)

    group.refresh_from_db()
    assert (group.state, group.training_error) == ("active", "")
    assert set(latest(tenant, clock, "incident_probability")) == {("24h", ""), ("7d", "")}


def test_without_alerts_there_is_nothing_to_tell(tenant, clock):
    group = make(tenant, clock, **INCIDENTS)

    assert tell(clock).samples == 0

    group.refresh_from_db()
    assert (group.state, group.state_reason) == ("warming", "no alert has fired in the last 180 days")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param(FORECASTS | {"detector": "ewma"}, "detector", id="a detector is no forecaster"),
        pytest.param(FORECASTS | {"horizons_s": [90]}, "horizons_s", id="not whole hours"),
        pytest.param(FORECASTS | {"horizons_s": [8 * 86_400]}, "horizons_s", id="too far"),
        pytest.param(FORECASTS | {"horizons_s": []}, "horizons_s", id="no horizon"),
        pytest.param(FORECASTS | {"horizons_s": "1h"}, "horizons_s", id="no list"),
        pytest.param(FORECASTS | {"selector": "load offset 1h"}, "selector", id="an offset"),
        pytest.param(FORECASTS | {"selector": ""}, "selector", id="no selector"),
        pytest.param(INCIDENTS | {"selector": "load"}, "selector", id="incidents have none"),
        pytest.param(INCIDENTS | {"service_label": "a-b"}, "service_label", id="no label"),
        pytest.param(INCIDENTS | {"kind": "other"}, "kind", id="unknown kind"),
    ],
)
def test_what_cannot_be_told_is_refused_at_its_field(tenant, clock, values, field):
    with pytest.raises((InvalidModelGroup, ValidationError), match=field):
        make(tenant, clock, **values)


def test_forecasts_have_no_scores_to_explain(tenant, clock):
    with pytest.raises(InvalidParameter, match="group of the kind anomaly"):
        explain(make(tenant, clock, **FORECASTS), clock.now_ms(), now_ms=clock.now_ms())


def test_a_preview_tells_what_came_against_what_was_foretold(tenant, clock):
    write(tenant, clock)
    group = ModelGroup(tenant=tenant, **FORECASTS)
    end_ms = clock.now_ms()
    found = preview(group, end_ms - 24 * 3_600_000, end_ms, now_ms=end_ms)
    [plot] = found.plots
    came, told = plot.lines
    assert (found.series, dict(told.labels)["__name__"], len(plot.times_ms)) == (1, "forecast", 72)
    assert told.values[:48] == [None] * 48
    assert told.values[48:] == pytest.approx(came.values[48:], abs=1.0)
    wide, narrow = plot.bands
    assert wide.lower[-1] <= narrow.lower[-1] < told.values[-1] < narrow.upper[-1] <= wide.upper[-1]
    assert found.quality["mase"] < 1.2


@pytest.mark.parametrize(
    ("values", "hours", "fault"),
    [
        pytest.param({}, 0, InvalidParameter, id="no span"),
        pytest.param({}, 200, InvalidParameter, id="more than a week"),
        pytest.param({}, 120, TooLittleHistory, id="too little before the span"),
        pytest.param({"selector": "nothing"}, 24, TooLittleHistory, id="no series"),
        pytest.param({"kind": "incident", "selector": ""}, 24, InvalidParameter, id="incidents"),
    ],
)
def test_what_cannot_be_previewed_is_refused(tenant, clock, values, hours, fault):
    write(tenant, clock)
    group = ModelGroup(tenant=tenant, **FORECASTS | values)
    end_ms = clock.now_ms()
    with pytest.raises(fault):
        preview(group, end_ms - hours * 3_600_000, end_ms, now_ms=end_ms)

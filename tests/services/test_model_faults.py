"""Bad input and bad luck of model groups: one series' fault stays its own, and the old model stays."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded

from alertsite.core.labels import label_set
from ml.detectors.artefacts import pack
from ml.detectors.ewma import Ewma
from ml.models import ModelVersion
from ml.services.reading import read_grid
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store
from tests.factories.modelling import HISTORY, latest, learn, make_models, minute, ordinary, state_of, write

MINUTE_MS = 60_000


def gap(times, values):
    return np.delete(times, slice(100, 160)), np.delete(values, slice(100, 160))


def duplicates(times, values):
    return np.concatenate([times, times[50:100]]), np.concatenate([values, values[50:100] + 3.0])


def resets(times, values):
    return times, np.cumsum(values) % 400.0


def steps(times, values):
    values[120:] += 50.0
    return times, values


def zeros(times, values):
    return times, np.zeros_like(values)


def not_numbers(times, values):
    values[::3] = np.nan
    values[40:80] = np.inf
    return times, values


def one_sample(times, values):
    return times[-1:], values[-1:]


def explosion(times, values):
    values[200] *= 1e9
    return times, values


def clock_shifts(times, values):
    times = times + 7_000
    times[100:150] -= 3 * MINUTE_MS  # set back: these come after later ones, and some twice
    times[-1] = times[-2] + 1
    return times, values


FAULTS = (gap, duplicates, resets, steps, zeros, not_numbers, one_sample, explosion, clock_shifts)


def write_spoilt(tenant, clock, fault) -> None:
    times = clock.now_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS * np.arange(HISTORY)[::-1]
    at_ms, values = fault(times.copy(), np.array(ordinary(HISTORY, seed=5)))
    labels = label_set({"__name__": "load", "host": "spoilt"})
    batch = SampleBatch([labels], np.zeros(len(values), np.int64), at_ms, values)
    hot_store(tenant.pk).append(batch, now_ms=clock.now_ms())


@pytest.mark.parametrize("detector", ["auto", "robust_zscore", "half_space_trees"])
@pytest.mark.parametrize("fault", [pytest.param(one, id=one.__name__) for one in FAULTS])
def test_a_spoilt_series_is_scored_with_numbers_and_spoils_no_other(tenant, clock, fault, detector):
    write(tenant, clock, ordinary(HISTORY), "a")
    write_spoilt(tenant, clock, fault)
    group = make_models(tenant, clock, detector=detector)
    learn(group, clock)

    minute(tenant, clock, 10.0)
    assert latest(tenant, clock)["a"] < 1
    minute(tenant, clock, 60.0)
    assert latest(tenant, clock)["a"] > 1
    assert state_of(group)[0] == "active"
    now_ms = clock.now_ms() // MINUTE_MS * MINUTE_MS
    ticks = range(now_ms - MINUTE_MS, now_ms + 1, MINUTE_MS)
    told = read_grid(tenant.pk, 'anomaly_score{host="spoilt"}', ticks, now_ms=clock.now_ms()).values
    assert np.all((told >= 0.0) | np.isnan(told))
    assert not np.isinf(told).any()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MemoryError(), id="out of memory"),
        pytest.param(SoftTimeLimitExceeded(), id="out of time"),
        pytest.param(ValueError("no such shape"), id="does not fit"),
    ],
)
def test_a_training_that_fails_is_recorded_and_the_old_model_goes_on(
    tenant, clock, group, monkeypatch, error
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Ewma, "learn", fail)
    assert learn(group, clock) is None
    group.refresh_from_db()
    assert group.training_error == (str(error) or type(error).__name__)
    assert group.next_train_at > clock.now()
    minute(tenant, clock, 60.0)
    assert state_of(group) == ("active", "")
    assert latest(tenant, clock)["a"] > 1


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(b"\x80\x04\x95\x00.", id="pickle"),
        pytest.param(b"", id="empty"),
        pytest.param(pack("nobody", {"level": np.zeros(1)}), id="of an unknown detector"),
    ],
)
def test_a_foreign_artefact_is_refused_though_its_checksum_fits(tenant, clock, group, foreign):
    versions = ModelVersion.objects.for_tenant(tenant)
    versions.update(artefact=foreign, checksum=sha256(foreign).hexdigest())
    minute(tenant, clock, 60.0)
    state, reason = state_of(group)
    assert state == "fallback"
    assert reason
    assert latest(tenant, clock)["a"] > 1

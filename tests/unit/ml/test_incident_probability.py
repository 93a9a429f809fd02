"""Probabilities of incidents: rates, calendars, causality, calibration, packs without labels."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from ml.forecasting.incident_probability import (
    HORIZONS_H,
    HOUR_MS,
    NAMES,
    Incidents,
    base_rate,
    features,
    hours_of,
    learn,
    lesson,
    log_odds,
    onsets,
    outcomes,
    own_moments,
    past_skill,
    teach_prior,
)
from ml.learning.evaluation import Run
from ml.learning.incidents import (
    calibration_error,
    evaluate_incidents,
    folds_of,
    matching_bound,
    shipped_prior,
    validate_incidents,
)
from ml.learning.packs import PackSeries

DAY_MS = 24 * HOUR_MS
SPAN_DAYS = 140
NO_PRIOR = {horizon: np.zeros(len(NAMES)) for horizon in HORIZONS_H}


def known(starts_ms, *, days=SPAN_DAYS, signals_ms=None):
    starts = np.sort(np.array(starts_ms, np.int64))
    signals = starts if signals_ms is None else np.array(signals_ms, np.int64)
    return Incidents(0, days * DAY_MS, starts, signals, 0)


def weekly(days=SPAN_DAYS):
    """An incident each Monday at noon: the epoch was a Thursday."""
    return [day * DAY_MS + DAY_MS // 2 for day in range(4, days, 7)]


def test_onsets_join_what_lies_close():
    minutes = np.array([0, 10, 45, 46, 200]) * 60_000

    found = onsets(minutes, np.array([True, True, True, True, True]))

    assert (found // 60_000).tolist() == [0, 45, 200]
    assert onsets(minutes, np.zeros(5, bool)).tolist() == []


def test_rows_of_an_hour_that_follow_each_other_are_one_run():
    hours = np.array([0, 1, 2, 4]) * HOUR_MS

    assert (onsets(hours, np.ones(4, bool), step_ms=HOUR_MS) // HOUR_MS).tolist() == [0, 4]


@pytest.mark.parametrize(
    ("at_h", "expected"),
    [
        pytest.param(10, 1.0, id="within"),
        pytest.param(6, 1.0, id="at the end of the horizon"),
        pytest.param(5, 0.0, id="an hour too early"),
        pytest.param(30, 0.0, id="it has started"),
    ],
)
def test_outcomes_are_starts_after_a_moment(at_h, expected):
    assert outcomes(np.array([30 * HOUR_MS]), np.array([at_h * HOUR_MS]), 24)[0] == expected


def test_the_base_rate_is_the_share_of_moments_that_an_incident_followed():
    assert base_rate(known(weekly()), 24) == pytest.approx(1 / 7, abs=0.02)
    assert base_rate(known(weekly()), 168) > 0.95
    assert base_rate(known([], days=0), 24) == 0.25
    assert base_rate(known([]), 24) < 0.01


def test_the_base_rate_follows_a_series_that_got_better():
    months = [known([day * DAY_MS for day in range(start, start + 40)]) for start in (0, 100)]

    early, late = (base_rate(month, 24) for month in months)

    assert late > 1.5 * early


def test_a_weekly_incident_is_seen_coming():
    model = learn(known(weekly()), 24, NO_PRIOR[24])
    monday = 4 + 7 * 25
    at = np.array([monday * DAY_MS, (monday + 3) * DAY_MS])

    eve, midweek = model.probability(known(weekly(200)), at)

    assert eve > 0.5 > 0.1 > midweek
    assert past_skill(known(weekly()), 24, NO_PRIOR[24]) > 0.3


def test_a_burst_of_incidents_raises_the_probability():
    random = np.random.default_rng(1)
    quiet = np.arange(0, 140, 20)
    starts = np.concatenate([[day * DAY_MS + k * 7 * HOUR_MS for k in range(5)] for day in quiet])
    incidents = known(starts + random.integers(0, HOUR_MS, len(starts)))
    model = learn(incidents, 24, NO_PRIOR[24])

    at = np.array([120 * DAY_MS + 15 * HOUR_MS, 115 * DAY_MS])
    during, between = model.probability(incidents, at)

    assert during > 1.3 * between
    pushes = sum(push for _, push in model.drivers(incidents, int(at[0])))
    assert log_odds(model.base_rate) + pushes == pytest.approx(log_odds(float(during)))


def test_what_comes_later_changes_no_probability():
    at = hours_of(100 * DAY_MS, 110 * DAY_MS)
    incidents = known(weekly(100), days=100)
    model = learn(incidents, 24, NO_PRIOR[24])
    later = replace(incidents, signals_ms=np.append(incidents.signals_ms, 120 * DAY_MS))

    np.testing.assert_array_equal(model.probability(incidents, at), model.probability(later, at))


@pytest.mark.parametrize("horizon", HORIZONS_H)
@pytest.mark.parametrize(
    "incidents",
    [
        pytest.param(known([], days=0), id="nothing known"),
        pytest.param(known([]), id="never an incident"),
        pytest.param(known([5 * DAY_MS], days=10), id="one, in ten days"),
        pytest.param(known(np.arange(0, SPAN_DAYS * DAY_MS, HOUR_MS)), id="one every hour"),
    ],
)
def test_any_past_has_a_probability(incidents, horizon):
    model = learn(incidents, horizon, shipped_prior()[horizon])
    at = hours_of(incidents.known_until_ms, incidents.known_until_ms + 30 * DAY_MS)

    told = model.probability(incidents, at)

    assert np.all((told > 0) & (told < 1))


def test_a_prior_serves_a_series_without_a_past_of_its_own():
    taught = [known([start + shift * HOUR_MS for start in weekly()]) for shift in range(4)]
    prior = teach_prior([lesson(one, 24, own_moments(one, 24)) for one in taught], 24)
    young = known(weekly(15), days=15)
    eve = np.array([18 * DAY_MS])

    assert learn(young, 24, prior).probability(young, eve) > learn(young, 24, NO_PRIOR[24]).probability(
        young, eve
    )


def test_the_shipped_prior_has_a_coefficient_for_each_feature():
    prior = shipped_prior()
    assert {horizon: len(prior[horizon]) for horizon in prior} == dict.fromkeys(HORIZONS_H, len(NAMES))
    assert features(known(weekly()), np.array([0]), 0.5).shape == (1, len(NAMES))


def test_calibration_error():
    assert calibration_error(np.full(10, 0.5), np.arange(10) % 2.0) == pytest.approx(0.0)
    assert calibration_error(np.full(10, 0.9), np.arange(10) % 2.0) == pytest.approx(0.4)


def write_pack(directory, *, labelled=True, tail_labels=True, series=3):
    """Series of five minutes over 60 days with a spike each third day at six, the second half scored."""
    rows = np.arange(60 * 288)
    items = []
    directory.mkdir()
    for number in range(series):
        random = np.random.default_rng(number)
        spike = ((rows - 20 * number) % (3 * 288) >= 72) & ((rows - 20 * number) % (3 * 288) < 75)
        values = random.normal(10.0, 0.3, len(rows)) + 8.0 * spike
        seen = spike & (tail_labels | (rows < len(rows) // 2))
        columns = "timestamp,value,label" if labelled else "timestamp,value"
        lines = [columns]
        for row in rows.tolist():
            end = f",{int(seen[row])}" if labelled else ""
            lines.append(f"{1_500_000_000 + 300 * row},{values[row]:.4f}{end}")
        (directory / f"{number}.csv").write_text("\n".join(lines), encoding="utf-8")
        start = 1_500_000_000 + 300 * (len(rows) // 2)
        items.append(
            {
                "id": str(number),
                "group": "g",
                "file": f"{number}.csv",
                "eval_start": start,
                "step_seconds": 300,
            }
        )
    (directory / "manifest.json").write_text(json.dumps({"series": items}), encoding="utf-8")
    return directory


def told(out, series="0"):
    with (out / f"{series}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(*only):
    return Run(0, lambda: 0.0, frozenset(only))


def test_a_pack_is_told_hour_by_hour_and_labels_of_the_scored_part_are_not_seen(tmp_path):
    outs = []
    for tail in (True, False):
        pack, out = write_pack(tmp_path / f"pack{tail}", tail_labels=tail, series=1), tmp_path / f"out{tail}"
        assert list(evaluate_incidents(pack, out, run("0"))) == [("0", 30 * 24)]
        outs.append(told(out))

    assert outs[0] == outs[1]
    assert list(outs[0][0]) == ["timestamp", "p_24h", "p_168h"]
    assert all(0 <= float(row["p_24h"]) <= float(row["p_168h"]) + 0.2 <= 1.2 for row in outs[0])


def test_without_labels_the_detector_says_what_was_an_incident(tmp_path):
    pack, out = write_pack(tmp_path / "pack", labelled=False, series=1), tmp_path / "out"

    list(evaluate_incidents(pack, out, run()))

    rows = told(out)
    assert 0.05 < np.mean([float(row["p_24h"]) for row in rows]) < 0.9
    assert np.mean([float(row["p_168h"]) for row in rows]) > 0.5


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(4, 4, id="as many as were labelled"),
        pytest.param(50, 9, id="all, where more were labelled"),
        pytest.param(1, 1, id="the highest alone"),
    ],
)
def test_the_bound_finds_as_many_as_were_labelled(wanted, found):
    """Where everything is above a bound there is one run: as few as above the right one."""
    scores = np.full(1000, 0.9)
    scores[100::100] = [4.5, 4.0, 2.5, 2.0, 1.9, 1.8, 1.7, 1.6, 1.5]
    begun = partial(onsets, np.arange(1000) * HOUR_MS // 12)

    assert len(begun(scores > matching_bound(begun, scores, wanted))) == found


def test_series_that_fail_together_share_a_fold():
    times = np.arange(10_000) * 60_000

    def series(name, starts):
        labels = np.zeros(len(times), bool)
        labels[starts] = True
        empty = PackSeries(name, "g", [], times, np.zeros((1, 0)), 0, 60.0, False)
        return empty, labels

    dealt = folds_of([series("a", [100, 900]), series("b", [500]), series("c", [110, 910])], 2)

    assert dealt == {"a": 0, "b": 1, "c": 0}


@pytest.mark.slow
def test_validation_measures_and_writes_a_prior(tmp_path):
    pack, out = write_pack(tmp_path / "pack"), tmp_path / "out"
    out.mkdir()

    day, week = validate_incidents(pack, out, run(), 2)

    assert (day.horizon_h, week.horizon_h) == HORIZONS_H
    assert day.skill > 0
    content = json.loads((out / "incident_prior.json").read_text(encoding="utf-8"))
    assert content["features"] == list(NAMES)

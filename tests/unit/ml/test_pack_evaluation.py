"""Evaluation of detectors over packs: causality, files, costs."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from ml.detectors.registry import DETECTORS
from ml.learning.evaluation import Run, combined, evaluate_pack, fitting, onsets, spans
from ml.learning.packs import InvalidPack, read_labels, read_pack

ROWS, TRAINED = 400, 200


def write_pack(directory, *, stamps=None, tail=0.0, item=None):
    """A pack of one series with a spike at row 300; `tail` is added to the last 50 rows."""
    random = np.random.default_rng(2)
    values = random.normal(10.0, 1.0, ROWS)
    values[300] += 60.0
    values[-50:] += tail
    times = stamps or [1_500_000_000 + 60 * row for row in range(ROWS)]
    directory.mkdir()
    lines = [
        "timestamp,value,label",
        *(f"{t},{v},{int(r == 300)}" for r, (t, v) in enumerate(zip(times, values, strict=True))),
    ]
    (directory / "one.csv").write_text("\n".join(lines), encoding="utf-8")
    entry = {"id": "a/one", "group": "g", "file": "one.csv", "eval_start": times[TRAINED], "step_seconds": 60}
    (directory / "manifest.json").write_text(json.dumps({"series": [entry | (item or {})]}), encoding="utf-8")
    return directory


def run():
    return Run(seed=0, cpu_clock=lambda: 0.0)


def results(directory):
    with (directory / "a__one.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["auto", "ewma", "host_pca", "robust_zscore", "sub_pca"])
def test_the_spike_stands_out(tmp_path, name):
    (cost,) = evaluate_pack(DETECTORS[name], write_pack(tmp_path / "pack"), tmp_path / "out", run())

    rows = results(tmp_path / "out")
    assert len(rows) == ROWS - TRAINED
    assert rows[0]["timestamp"] == str(1_500_000_000 + 60 * TRAINED)
    assert "1" in [row["alert"] for row in rows[100:104]]
    assert cost.rows == ROWS
    assert cost.alerts < 60


@pytest.mark.parametrize("name", ["auto", "ewma", "sub_mahalanobis"])
def test_later_rows_change_no_score(tmp_path, name):
    scores = []
    for tail in (0.0, 500.0):
        pack = write_pack(tmp_path / f"pack{tail}", tail=tail)
        list(evaluate_pack(DETECTORS[name], pack, tmp_path / f"out{tail}", run()))
        scores.append([row["score"] for row in results(tmp_path / f"out{tail}")][:150])

    assert scores[0] == scores[1]


def test_times_may_be_dates(tmp_path):
    stamps = [f"2020-01-{1 + row // 24:02d} {row % 24:02d}:00:00" for row in range(ROWS)]

    (series,) = read_pack(write_pack(tmp_path / "pack", stamps=stamps, item={"step_seconds": 3600}))

    assert series.trained_rows == TRAINED
    assert np.all(np.diff(series.timestamps_ms) == 3_600_000)


def test_labels_are_read_for_training(tmp_path):
    pack = write_pack(tmp_path / "pack")
    (series,) = read_pack(pack)

    assert np.flatnonzero(read_labels(pack, series)).tolist() == [300]
    assert series.values.shape == (1, ROWS)


def test_a_broken_pack_is_refused(tmp_path):
    with pytest.raises(InvalidPack, match="manifest"):
        list(read_pack(tmp_path))
    pack = write_pack(tmp_path / "pack", item={"file": "absent.csv"})
    with pytest.raises(InvalidPack, match="a/one"):
        list(read_pack(pack))


def test_refits_come_as_the_history_grows():
    assert list(spans(100, 400, adapts=False)) == [(100, 150), (150, 225), (225, 338), (338, 400)]
    assert list(spans(100, 400, adapts=True)) == [(100, 400)]


def test_an_alarm_is_raised_once():
    score = np.zeros(100)
    score[[10, 11, 12, 13, 60]] = [4.0, 3.5, 4.5, 6.0, 1.0]

    assert np.flatnonzero(onsets(score)).tolist() == [10, 13, 60]


def test_an_alarm_asks_for_less_as_it_rests():
    score = np.zeros(100)
    score[[10, 12, 18]] = [4.0, 4.0, 4.0]

    assert np.flatnonzero(onsets(score)).tolist() == [10, 18]


def test_where_onsets_count_auto_tells_onsets(tmp_path):
    pack = write_pack(tmp_path / "pack", item={"nab": True})
    series = next(read_pack(pack))

    assert fitting(DETECTORS["auto"], series).name == "nearest_windows"
    assert fitting(DETECTORS["ewma"], series).name == "ewma"
    assert fitting(DETECTORS["auto"], replace(series, onsets_count=False)).name == "auto"


def test_a_host_is_as_strange_as_its_strangest_metrics():
    scores = np.array([[1.0], [5.0], [3.0], [4.0], [np.nan]])

    assert combined(scores).tolist() == [4.0]

"""Forecasters over a pack of series, as they would have run live.

In: a pack, a forecaster, a seed. Out: for every day of the scored part what was told of the next 24 hours,
and how far off it was. Series are hourly means. Every forecast is causal: a model learns from what all
series of the pack had shown by then, and again whenever a series' history has grown by half. Refused:
nothing that `packs` read; series too short for a day's forecast are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from alertsite.core.samples import Floats
from ml.forecasting.combination import ORIGINS, with_intervals
from ml.forecasting.protocol import LEVELS, Forecast, Forecaster, ForecastModel, History
from ml.learning.evaluation import REFIT_GROWTH, Run, probation
from ml.learning.packs import PackSeries, read_pack, result_path, write_columns

HOUR_MS: Final = 3_600_000
DAY: Final = 24
COLUMNS: Final = (
    "origin",
    "timestamp",
    "expected",
    "lower_80",
    "upper_80",
    "lower_95",
    "upper_95",
    "value",
)
LEAST_SCALE: Final = 1e-12
HELD_BACK_SHARE: Final = 1 / 3
"""The first model learns without the last third of the training part, or the last 20 days: its errors
there make the first intervals."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """One metric as hourly means; `scored` is the first hour of the scored part."""

    id: str
    history: History
    scored: int

    @property
    def end_hour(self) -> int:
        """The hour after the last one, since the epoch."""
        return self.history.first + self.history.points


@dataclass(frozen=True, slots=True)
class ForecastQuality:
    """How good the forecasts of one series were.

    Attributes
    ----------
    mase
        The mean over forecasts of the mean absolute error, in mean absolute errors of the seasonal naive
        forecast over the history before each.
    mase_training
        The same in those of the training part alone.
    coverage
        The share of values within the interval of each of `LEVELS`.
    """

    series: str
    forecasts: int
    mase: float
    mase_training: float
    coverage: tuple[float, ...]
    cpu_s: float


def evaluate_forecasts(forecaster: Forecaster, pack: Path, out: Path, run: Run) -> Iterator[ForecastQuality]:
    """Write `origin,timestamp,expected,lower_80,upper_80,lower_95,upper_95,value` of each series into
    `out`.
    """
    every = [one for series in read_pack(pack) for one in hourly(series)]
    learned = Learned(forecaster, every, run.seed, {})
    for one in every:
        if (run.only and one.id not in run.only) or one.history.points < one.scored + DAY:
            continue
        began = run.cpu_clock()
        origins, expected = _told(one, learned)
        yield _judged(one, origins, expected, out, run.cpu_clock() - began)


def hourly(series: PackSeries) -> Iterator[Hourly]:
    """Each metric of a series as hourly means, if it is hourly or finer and has two days."""
    hours = series.timestamps_ms // HOUR_MS
    first, points = int(hours[0]), int(hours[-1] - hours[0] + 1)
    if series.step_s * 1000 > HOUR_MS or points < 3 * DAY:
        return
    trained = series.trained_rows or probation(len(hours))
    scored = max(int(hours[trained]) - first, 2 * DAY)
    for number, values in enumerate(series.values):
        known = np.isfinite(values)
        count = np.bincount(hours[known] - first, minlength=points)
        total = np.bincount(hours[known] - first, weights=values[known], minlength=points)
        means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        name = series.id if len(series.values) == 1 else f"{series.id}/{number}"
        yield Hourly(name, History(means[None], DAY, first), scored)


@dataclass(frozen=True, slots=True)
class Learned:
    """Models by the hour when they were learned, from all that was known then."""

    forecaster: Forecaster
    every: Sequence[Hourly]
    seed: int
    models: dict[int, ForecastModel]

    def at(self, hour: int) -> ForecastModel:
        """The model of an hour since the epoch."""
        if hour not in self.models:
            known = [_until(each.history, hour) for each in self.every if each.history.first < hour]
            self.models[hour] = self.forecaster.learn(known, DAY, seed=self.seed)
        return self.models[hour]


def _told(one: Hourly, learned: Learned) -> tuple[list[int], Floats]:
    """Origins, a day apart, with those before the scored part, and forecasts (n_origins, DAY)."""
    back = min(ORIGINS, int(HELD_BACK_SHARE * one.scored) // DAY)
    start, last = one.scored - back * DAY, one.history.points - DAY
    origins = list(range(start, last + 1, DAY))
    told, known = np.empty((len(origins), DAY)), start
    for number, origin in enumerate(origins):
        if origin >= REFIT_GROWTH * known:
            known = origin
        model = learned.at(one.history.first + known)
        told[number] = model.predict(one.history.until(origin), DAY)[0]
    return origins, told


def _until(history: History, hour: int) -> History:
    """A history as it was at an hour since the epoch."""
    return history.until(min(max(hour - history.first, 0), history.points))


def _judged(
    one: Hourly, origins: Sequence[int], expected: Floats, out: Path, cpu_s: float
) -> ForecastQuality:
    filled = one.history.filled()[0]
    values = np.stack([filled[origin : origin + DAY] for origin in origins])
    missed = np.abs(values - expected)
    naive = np.cumsum(np.abs(filled[DAY:] - filled[:-DAY]))
    rows: list[tuple[str, ...]] = []
    errors, scales, held = [], [], []
    for number, origin in enumerate(origins):
        if origin < one.scored:
            continue
        told = with_intervals(expected[number : number + 1], missed[max(number - ORIGINS, 0) : number, None])
        errors.append(missed[number].mean())
        scales.append(max(naive[origin - DAY - 1] / (origin - DAY), LEAST_SCALE))
        within = (told.lower[:, 0] <= values[number]) & (values[number] <= told.upper[:, 0])
        held.append(within.mean(axis=1))
        rows.extend(_rows(one.history.first + origin, told, values[number]))
    write_columns(result_path(out, one.id), COLUMNS, list(zip(*rows, strict=True)))
    return ForecastQuality(
        series=one.id,
        forecasts=len(errors),
        mase=float(np.mean(np.array(errors) / np.array(scales))),
        mase_training=float(np.mean(errors)) / scales[0],
        coverage=tuple(np.mean(held, axis=0).tolist()),
        cpu_s=cpu_s,
    )


def _rows(hour: int, told: Forecast, values: Floats) -> Iterator[tuple[str, ...]]:
    """Lines of one forecast of one series."""
    ends = [each[level][0] for level in range(len(LEVELS)) for each in (told.lower, told.upper)]
    for ahead, numbers in enumerate(zip(told.expected[0], *ends, values, strict=True)):
        yield (str(hour * 3600), str((hour + ahead) * 3600), *(f"{number:.6g}" for number in numbers))


def summary(qualities: Sequence[Mapping[str, Any]]) -> str:
    """The measures over all series, as one line."""
    if not qualities:
        return "nothing to measure"
    mases = [one["mase"] for one in qualities]
    training = [one["mase_training"] for one in qualities]
    weights = [one["forecasts"] for one in qualities]
    held = np.average([one["coverage"] for one in qualities], axis=0, weights=weights)
    return (
        f"MASE {np.median(mases):.3f} in the median and {np.mean(mases):.3f} in the mean "
        f"(scaled by the training part {np.median(training):.3f} and {np.mean(training):.3f}), "
        + ", ".join(
            f"{level:.0%} interval holds {share:.1%}" for level, share in zip(LEVELS, held, strict=True)
        )
    )

"""Forecasts of a group's series, written at each tick with the value that is meant for later.

In: a group of forecasts and its due ticks. Out: `forecast{horizon=…}`, `forecast_lower` and `forecast_upper`
with their `level`, and with a threshold `time_to_threshold_seconds`. Series are read as means of the hour
that ends at the tick. Refused: nothing beyond what reading history refuses; until a model is learned, or
when it cannot be trusted, a seasonal blend tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, LabelSet, MatchOp, label_set
from alertsite.core.samples import Floats
from ml.forecasting.combination import forecast
from ml.forecasting.protocol import LEVELS, Forecast, History
from ml.forecasting.registry import CalibratedModel, load_forecast_model
from ml.forecasting.seasonal import SeasonalBlend
from ml.forecasting.time_to_threshold import time_to_threshold
from ml.models import ModelGroup, ModelVersion
from ml.services.champions import MODELS_KEPT, artefact_of, series_of, trusted_version
from ml.services.outputs import Output, Told, at_once, horizon_label, output_labels
from ml.services.reading import Grid, read_grid
from rules.language.parser import parse
from rules.language.syntax import Selector

HOUR_MS: Final = 3_600_000
DAY: Final = 24
HISTORY_HOURS: Final = 36 * DAY
"""What telling looks back on; learning looks back further."""
LEAST_HOURS: Final = 2 * DAY
TREND_HOURS: Final = 7 * DAY
"""What the time to a threshold is told from."""


def foretell(group: ModelGroup, ticks: range, *, now_ms: int) -> Told:
    """The forecasts of every series of the group at these ticks."""
    version, reason = _version(group, now_ms)
    outputs = [one for tick in ticks for one in _at(group, version, tick, now_ms)]
    if not outputs:
        hours = f"no series has {LEAST_HOURS} hours of history"
        return Told([], ModelGroup.State.WARMING, "; ".join(part for part in (hours, reason) if part))
    state = ModelGroup.State.FALLBACK if version is None else ModelGroup.State.ACTIVE
    return Told(outputs, state, reason)


def hourly_grid(group: ModelGroup, end_ms: int, hours: int, *, now_ms: int) -> Grid:
    """Means of the hours that end at `end_ms` and before, of the series that are known for long enough."""
    ticks = range(end_ms - (hours - 1) * HOUR_MS, end_ms + 1, HOUR_MS)
    found = read_grid(group.tenant_id, f"avg_over_time({group.selector}[1h])", ticks, now_ms=now_ms)
    name = metric_of(group.selector)
    named = Grid([label_set(dict(one) | name) for one in found.labels], found.batch)
    known = np.isfinite(found.values).sum(axis=1) >= LEAST_HOURS // 2
    span = np.isfinite(found.values).argmax(axis=1) <= hours - LEAST_HOURS
    ready = [one for one, ripe in zip(named.labels, known & span, strict=True) if ripe]
    return named.only(ready)


def metric_of(selector: str) -> dict[str, str]:
    """The name that a selector gives its series; functions drop it."""
    expr = parse(selector)
    matchers = expr.matchers if isinstance(expr, Selector) else ()
    equal = (one for one in matchers if one.op is MatchOp.EQUAL)
    return {one.name: one.value for one in equal if one.name == METRIC_NAME}


def history_of(grid: Grid) -> History:
    """A grid of hours as a history."""
    return History(grid.values, DAY, int(grid.batch.timestamps_ms[0] // HOUR_MS))


def horizons_of(group: ModelGroup) -> list[int]:
    """In hours."""
    return [seconds * 1000 // HOUR_MS for seconds in group.horizons_s]


def _version(group: ModelGroup, now_ms: int) -> tuple[ModelVersion | None, str]:
    try:
        version = trusted_version(group, now=to_datetime(now_ms))
        _model(version.tenant_id, version.pk, version.checksum)
    except PlatformError as error:
        return None, str(error)
    return version, ""


@lru_cache(maxsize=MODELS_KEPT)
def _model(tenant_id: UUID, version_id: UUID, checksum: str) -> CalibratedModel:
    return load_forecast_model(artefact_of(tenant_id, version_id, checksum))


def _at(group: ModelGroup, version: ModelVersion | None, tick: int, now_ms: int) -> Iterator[Output]:
    grid = hourly_grid(group, tick, HISTORY_HOURS, now_ms=now_ms)
    if not grid.labels:
        return
    grid = grid.since_first_sample()
    horizons = horizons_of(group)
    told = _told(version, grid, max(horizons))
    for number, labels in enumerate(grid.labels):
        for hours in horizons:
            yield from _outputs(group, labels, told, (number, hours), tick)
        if group.threshold is not None:
            recent = grid.values[number, -TREND_HOURS:]
            crossing = time_to_threshold(recent, group.threshold, step_s=HOUR_MS / 1000)
            name = output_labels(labels, group, "time_to_threshold_seconds")
            yield at_once(name, tick, crossing.expected_s)


def _told(version: ModelVersion | None, grid: Grid, horizon: int) -> Forecast:
    history = history_of(grid)
    if version is None:
        return forecast(SeasonalBlend(), history, horizon)
    saved = _model(version.tenant_id, version.pk, version.checksum)
    expected = saved.model.predict(history, horizon)
    half = np.full((len(LEVELS), *expected.shape), np.nan)
    place = {labels: number for number, labels in enumerate(series_of(version))}
    for number, labels in enumerate(grid.labels):
        if labels in place:
            half[:, number] = _reach(saved.half[:, place[labels]], horizon)
    return Forecast(expected, expected - half, expected + half)


def _reach(half: Floats, horizon: int) -> Floats:
    """Half widths for a horizon; beyond what was learned the last one stays."""
    return half[:, np.minimum(np.arange(horizon), half.shape[1] - 1)]


def _outputs(
    group: ModelGroup, labels: LabelSet, told: Forecast, place: tuple[int, int], tick: int
) -> Iterator[Output]:
    number, hours = place
    horizon = horizon_label(hours)
    yield at_once(
        output_labels(labels, group, "forecast", horizon=horizon), tick, told.expected[number, hours - 1]
    )
    for level, lower, upper in zip(LEVELS, told.lower, told.upper, strict=True):
        for name, end in (("forecast_lower", lower), ("forecast_upper", upper)):
            named = output_labels(labels, group, name, horizon=horizon, level=f"{level:.0%}".rstrip("%"))
            yield at_once(named, tick, end[number, hours - 1])

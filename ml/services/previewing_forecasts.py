"""What a group of forecasts would have foretold at a past moment, and what came. Nothing is written.

In: a group, saved or not, and a span. Out: a plot a series: hours before the span, the forecast told at its
start with its intervals, and what came. Refused: spans that are empty or longer than a week, and too little
history before them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import label_set, without_name
from alertsite.core.samples import Floats, Ints
from ml.forecasting.combination import with_intervals
from ml.forecasting.protocol import LEVELS, Forecast, History
from ml.models import ModelGroup
from ml.services.forecast_training import HISTORY_HOURS, learn_held_back, quality_of
from ml.services.foretelling import HOUR_MS, LEAST_HOURS, history_of, hourly_grid
from ml.services.groups import MAX_HORIZON_S
from ml.services.previewing_anomalies import Preview, drawn
from ml.services.reading import Grid
from ml.services.versions import TooLittleHistory
from rules.evaluation.plots import Band, Line, Plot

MAX_SHOWN: Final = 5
"""Series that are drawn, those first that came otherwise than foretold."""
MAX_HOURS: Final = MAX_HORIZON_S // 3600


def preview_forecasts(group: ModelGroup, start_ms: int, end_ms: int, *, now_ms: int) -> Preview:
    """Learn as training would have at the start of the span, and foretell it to its end.

    Raises
    ------
    InvalidParameter
    TooLittleHistory
    """
    start_ms = start_ms // HOUR_MS * HOUR_MS
    hours = (end_ms - start_ms) // HOUR_MS
    if not 0 < hours <= MAX_HOURS:
        raise InvalidParameter("hours", hours, f"1 to {MAX_HOURS} from start to end")
    grid = hourly_grid(group, start_ms + hours * HOUR_MS, HISTORY_HOURS + hours, now_ms=now_ms)
    before = grid.since_first_sample()
    if not grid.labels or before.batch.points - hours < LEAST_HOURS:
        raise TooLittleHistory(f"no series has {LEAST_HOURS} hours of history before the span")
    history = history_of(before)
    known = history.until(history.points - hours)
    model, missed = learn_held_back(group.detector, known, hours)
    told = with_intervals(model.predict(known, hours), missed)
    plots = [_plot(before, told, number) for number in _worst_first(history, told)]
    return Preview([], len(grid.labels), plots[:MAX_SHOWN], quality_of(known, missed))


def _worst_first(history: History, told: Forecast) -> list[int]:
    """Series by how far they came from what was foretold, in what they usually move by."""
    came = history.filled()[:, -told.expected.shape[1] :]
    usual = np.abs(np.diff(history.filled(), axis=1)).mean(axis=1) + 1e-12
    order: Ints = np.argsort(-np.abs(came - told.expected).mean(axis=1) / usual, kind="stable")
    return [int(number) for number in order]


def _plot(grid: Grid, told: Forecast, number: int) -> Plot:
    """As many hours before the span as a forecast needs to be judged by, and the span."""
    hours = told.expected.shape[1]
    shown = min(grid.batch.points, hours + LEAST_HOURS)
    own = label_set({"__name__": "forecast", **dict(without_name(grid.labels[number]))})
    lines = [
        Line(grid.labels[number], drawn(grid.values[number, -shown:])),
        Line(own, drawn(_late(told.expected[number], shown))),
    ]
    bands = [
        Band(f"{level:.0%} of what comes", drawn(_late(low, shown)), drawn(_late(high, shown)))
        for level, low, high in zip(LEVELS, told.lower[:, number], told.upper[:, number], strict=True)
    ]
    return Plot(grid.batch.timestamps_ms[-shown:], lines, bands=bands[::-1], legend=True)


def _late(values: Floats, points: int) -> Floats:
    """The values as the last of so many points."""
    return np.concatenate([np.full(points - len(values), np.nan), values])

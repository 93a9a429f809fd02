"""Learning a new version of a group of forecasts.

In: a group. Out: a version, learned without the last days: what it missed there makes its intervals and its
quality. Refused: too little history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from alertsite.core.clock import Clock
from alertsite.core.samples import Floats
from ml.detectors.protocol import Progress
from ml.forecasting.combination import ORIGINS, past_errors, with_intervals
from ml.forecasting.protocol import LEVELS, ForecastModel, History
from ml.forecasting.registry import DEEP, forecaster, save_forecast_model
from ml.models import ModelGroup, ModelVersion
from ml.services.checkpoints import checkpoints_of
from ml.services.foretelling import DAY, LEAST_HOURS, history_of, horizons_of, hourly_grid
from ml.services.versions import Learned, TooLittleHistory, store

HISTORY_HOURS: Final = 84 * DAY
HELD_BACK_SHARE: Final = 1 / 3
SEED: Final = 1
WORSE: Final = 1.25
"""A model that misses by more than yesterday's values do, and by so much more than the champion, waits."""


def learn_forecasts(group: ModelGroup, clock: Clock) -> ModelVersion:
    """Learn from the means of hours.

    Raises
    ------
    TooLittleHistory
    """
    step_ms = group.step_s * 1000
    progress = checkpoints_of(group, clock.now_ms() // step_ms * step_ms, clock.now_ms)
    found = hourly_grid(group, progress.until_ms, HISTORY_HOURS, now_ms=clock.now_ms())
    if not found.labels:
        raise TooLittleHistory(f"no series has {LEAST_HOURS} hours of history")
    grid = found.since_first_sample()
    history, horizon = history_of(grid), max(horizons_of(group))
    model, missed = learn_held_back(group.detector, history, horizon, progress)
    half = with_intervals(np.zeros((len(grid.labels), horizon)), missed).upper
    times = grid.batch.timestamps_ms
    learned = Learned(
        name=model.forecaster,
        artefact=save_forecast_model(model, half),
        series=grid.labels,
        from_ms=int(times[0]),
        until_ms=int(times[-1]),
        quality=quality_of(history, missed),
    )
    version = store(group, learned, lambda champion: _acceptable(learned.quality, champion))
    progress.done()
    return version


def learn_held_back(
    name: str, history: History, horizon: int, progress: Progress | None = None
) -> tuple[ForecastModel, Floats]:
    """A forecaster that learned without the last days, and what it missed of them, as `past_errors`."""
    held_back = min(ORIGINS, int(HELD_BACK_SHARE * history.points) // DAY)
    known = history.until(history.points - held_back * DAY)
    terms = {"progress": progress} if name in DEEP else {}
    model = forecaster(name).learn([known], horizon, seed=SEED, **terms)
    return model, past_errors(model, history, horizon, held_back)


def quality_of(history: History, missed: Floats) -> dict[str, Any]:
    """Errors of held-back forecasts in those of yesterday's values; what the newer intervals held."""
    filled = history.filled()
    naive = np.abs(filled[:, DAY:] - filled[:, :-DAY]).mean(axis=1)
    moving = naive > 0
    quality: dict[str, Any] = {"series": len(filled), "forecasts": len(missed), "hours": history.points}
    if len(missed) and moving.any():
        quality["mase"] = float(np.mean(missed.mean(axis=(0, 2))[moving] / naive[moving]))
    newer, older = missed[: len(missed) // 2], missed[len(missed) // 2 :]
    if len(newer):
        ends = with_intervals(np.zeros(missed.shape[1:]), older).upper
        held = {
            f"held_{level:.0%}": float(np.mean(newer <= end)) for level, end in zip(LEVELS, ends, strict=True)
        }
        quality |= held
    return quality


def _acceptable(quality: Mapping[str, Any], champion: Mapping[str, Any] | None) -> bool:
    if champion is None or "mase" not in quality or "mase" not in champion:
        return True
    return bool(quality["mase"] <= max(1.0, WORSE * champion["mase"]))

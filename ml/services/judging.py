"""Scores of a group's series at given ticks: by the champion, and by the robust detector where it cannot.

In: a group, ticks, the moment. Out: scores with bands, and what the group's state is for that reason.
Refused: nothing beyond what reading history refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.core.labels import LabelSet
from alertsite.core.samples import Bools, Floats
from ml.detectors.protocol import Batch, Scores
from ml.detectors.robust_zscore import RobustZScore
from ml.learning.terms import Terms, on_terms
from ml.models import ModelGroup
from ml.services.champions import Champion, champion_of
from ml.services.reading import Grid, read_group

MODEL_FAULTS: Final = (PlatformError, ValueError, ArithmeticError, LookupError, MemoryError)
"""What a model that does not fit its series raises; the robust detector takes over."""
FALLBACK: Final = RobustZScore()
MAX_HISTORY_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Followed:
    """A champion and the rows that it saw, which end with the ticks: what explains its scores."""

    champion: Champion
    batch: Batch


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of series at ticks, shapes (n_series, n_ticks), and the state that they put the group in.

    The first series are those of `by`, where a champion scored; the robust detector scored the others.
    """

    labels: list[LabelSet]
    times_ms: range
    values: Floats
    scores: Scores
    state: ModelGroup.State
    reason: str = ""
    by: Followed | None = None


def only_anomalies(group: ModelGroup) -> None:
    """Refuse groups of forecasts and incidents, whose values have no scores.

    Raises
    ------
    InvalidParameter
    """
    if group.kind != ModelGroup.Kind.ANOMALY:
        raise InvalidParameter("kind", group.kind, "a group of the kind anomaly")


def terms_of(group: ModelGroup) -> Terms:
    """What the group asks of scores, and what feedback made of that."""
    return Terms(group.sensitivity / group.threshold_scale, group.direction, group.min_deviation)  # type: ignore[arg-type]


def warm_rows(group: ModelGroup) -> int:
    """Rows that a series must have before it is scored."""
    return max(group.warm_up_s // group.step_s, 1)


def enough(values: Floats, group: ModelGroup) -> Bools:
    """Which series have enough samples to be learned from: half of the warm-up, as scrapes may be sparse."""
    present: Bools = np.isfinite(values).sum(axis=1) >= max(warm_rows(group) // 2, 1)
    return present


def judge(group: ModelGroup, ticks: range, *, now_ms: int) -> Judged:
    """Score every series of the group at these ticks."""
    champion, reason = _champion(group, now_ms)
    grid = read_group(group, _rows_needed(group, champion, ticks), now_ms=now_ms)
    if champion is not None:
        try:
            return _by_champion(group, champion, grid, ticks)
        except MODEL_FAULTS as error:
            reason = f"version {champion.version.number} failed: {error}"
    return _by_fallback(group, grid, ticks, reason)


def _champion(group: ModelGroup, now_ms: int) -> tuple[Champion | None, str]:
    try:
        return champion_of(group, now=to_datetime(now_ms)), ""
    except PlatformError as error:
        return None, str(error)


def _rows_needed(group: ModelGroup, champion: Champion | None, ticks: range) -> range:
    """The ticks, the warm-up before them, and what the champion must have followed."""
    start_ms = ticks[0] - warm_rows(group) * ticks.step
    if champion is not None:
        start_ms = min(start_ms, followed_from(champion, ticks))
    return range(start_ms, ticks[-1] + 1, ticks.step)


def followed_from(champion: Champion, ticks: range) -> int:
    """The first row that scores at these ticks depend on: a stream goes on where learning ended."""
    context = champion.model.context
    if context >= 0:
        return ticks[0] - context * ticks.step
    return min(from_datetime(champion.version.trained_until) + ticks.step, ticks[0])


def _by_champion(group: ModelGroup, champion: Champion, grid: Grid, ticks: range) -> Judged:
    first = (followed_from(champion, ticks) - int(grid.batch.timestamps_ms[0])) // ticks.step
    known = grid.only(champion.labels, champion.columns)
    followed = Followed(champion, known.batch.rows(first, known.batch.points))
    by_model = cut_to_ticks(group, known, champion.model.score(followed.batch), ticks)
    values = known.values[:, -len(ticks) :]
    judged = Judged(known.labels, ticks, values, by_model, ModelGroup.State.ACTIVE, by=followed)
    newer = sorted(set(grid.labels) - set(champion.labels))
    if not newer:
        return judged
    reason = f"{len(newer)} series are newer than version {champion.version.number}"
    others = _by_fallback(group, grid.only(newer), ticks, reason)
    return _joined(judged, others)


def _by_fallback(group: ModelGroup, grid: Grid, ticks: range, reason: str) -> Judged:
    before = grid.batch.points - len(ticks)
    history = grid.values[:, max(before - MAX_HISTORY_ROWS, 0) : before]
    ready = [labels for labels, ripe in zip(grid.labels, enough(history, group), strict=True) if ripe]
    taken = grid.only(ready)
    values = taken.values[:, before:]
    if not ready:
        empty = np.empty((0, len(ticks)))
        nothing = Scores(empty, empty, empty, empty)
        warming = f"none of {len(grid.labels)} series has {group.warm_up_s} s of history; {reason}"
        return Judged([], ticks, values, nothing, ModelGroup.State.WARMING, warming)
    scores = cut_to_ticks(group, taken, _robust(taken, before), ticks)
    return Judged(ready, ticks, values, scores, ModelGroup.State.FALLBACK, reason)


def _robust(grid: Grid, before: int) -> Scores:
    """Scores of the rows from `before` on; of hosts those of their strangest metric."""
    batch = grid.batch
    single = replace(batch, values=batch.values.reshape(-1, 1, batch.points))
    scores = FALLBACK.learn(single.rows(0, before), seed=0).score(single.rows(before, batch.points))
    if not grid.columns:
        return scores
    of_metrics = scores.score.reshape(*batch.values.shape[:2], -1)
    missing = np.isnan(of_metrics).all(axis=1)
    return Scores(np.where(missing, np.nan, np.nan_to_num(of_metrics).max(axis=1)))


def cut_to_ticks(group: ModelGroup, grid: Grid, scores: Scores, ticks: range) -> Scores:
    """The scores at the ticks, which are the last rows, on the group's terms. Bands are NaN without any."""
    last = slice(-len(ticks), None)
    missing = np.full((len(grid.labels), len(ticks)), np.nan)
    bands = (scores.expected, scores.lower, scores.upper)
    if any(one is None for one in bands):
        judged = on_terms(Scores(scores.score[:, last]), grid.values[:, last], terms_of(group))
        return Scores(judged.score, missing, missing, missing)
    cut = Scores(scores.score[:, last], *(one[:, last] for one in bands if one is not None))
    return on_terms(cut, grid.values[:, last], terms_of(group))


def _joined(first: Judged, second: Judged) -> Judged:
    """Both; the state is the first's, the reason the second's."""
    pairs = ((getattr(first.scores, name), getattr(second.scores, name)) for name in Scores.__slots__)
    return Judged(
        [*first.labels, *second.labels],
        first.times_ms,
        np.concatenate([first.values, second.values]),
        Scores(*(np.concatenate(pair) for pair in pairs)),
        first.state,
        second.reason,
        first.by,
    )

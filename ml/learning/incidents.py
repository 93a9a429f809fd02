"""Incident probabilities over a pack of series, as they would have been told live, and the prior they start
from.

In: a pack, a seed. Out: for every hour of the scored part the probability that an incident starts
within 24 hours and within 7 days. Incidents are the labelled runs before the scored part; after it, or
where nothing is labelled, they are what the detector finds. Refused: nothing that `packs` read; a prior is
taught by labelled packs only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints
from ml.detectors.metric_ensemble import MetricEnsemble
from ml.forecasting.incident_probability import (
    GAP_MS,
    HORIZONS_H,
    HOUR_MS,
    NAMES,
    Incidents,
    Lesson,
    Prior,
    brier_skill,
    hours_of,
    learn,
    lesson,
    onsets,
    outcomes,
    own_moments,
    teach_prior,
)
from ml.learning.evaluation import PROBATION_SHARE, Run, evaluate, probation
from ml.learning.packs import InvalidPack, PackSeries, read_labels, read_pack, result_path, write_columns

NAME: Final = "incident_probability"
JUDGE: Final = MetricEnsemble(seasoned_ms=math.inf, trees_weight=0.0)
"""Finds incidents by the last hours of a series, without labels: what a season says outlasts them."""
PRIOR_FILE: Final = "incident_prior.json"
LEAST_BOUND, MOST_BOUND, BOUNDS = 0.05, 50.0, 241
"""Where the score that counts as a sign of an incident is looked for."""
MIN_LEARNED: Final = 8
RELATED: Final = 0.5
"""Series with more of their incidents in common tell of one system."""


@dataclass(frozen=True, slots=True)
class Story:
    """One series: what is known of its incidents, and every start that is labelled, for teaching only."""

    id: str
    incidents: Incidents
    end_ms: int
    labelled_ms: Ints

    @property
    def scored(self) -> Ints:
        """Hours of the scored part."""
        return hours_of(self.incidents.known_until_ms, self.end_ms + 1)


@dataclass(frozen=True, slots=True)
class IncidentQuality:
    """Brier skill of a horizon, against each series' own base rate, and the calibration error."""

    horizon_h: int
    moments: int
    skill: float
    calibration_error: float


def evaluate_incidents(pack: Path, out: Path, run: Run) -> Iterator[tuple[str, int]]:
    """Write `timestamp,p_24h,p_168h` of each series of a pack into `out`; yields series and rows."""
    prior = shipped_prior()
    for series in read_pack(pack, run.only):
        story = story_of(series, _labels(pack, series), run)
        yield story.id, _write(story, prior, out)


def validate_incidents(pack: Path, out: Path, run: Run, folds: int) -> list[IncidentQuality]:
    """Tell each labelled series by a prior that saw no series of its fold.

    Writes the results as `evaluate_incidents` does, and beside them the prior that all series teach. Series
    whose incidents coincide share a fold.
    """
    every = [(series, read_labels(pack, series)) for series in read_pack(pack)]
    fold_of = folds_of(every, folds)
    stories = [story_of(series, labels, run) for series, labels in every]
    told: dict[int, list[tuple[Floats, Floats, float]]] = {horizon: [] for horizon in HORIZONS_H}
    for story in stories:
        prior = prior_of([each for each in stories if fold_of[each.id] != fold_of[story.id]])
        _write(story, prior, out)
        for horizon in HORIZONS_H:
            told[horizon].append(_told(story, prior, horizon))
    (out / PRIOR_FILE).write_text(_as_text(prior_of(stories)), encoding="utf-8")
    return [_quality(horizon, parts) for horizon, parts in told.items()]


def folds_of(every: Sequence[tuple[PackSeries, Bools]], folds: int) -> dict[str, int]:
    """A fold for each series; one with half of its incidents in common with an earlier one joins its fold."""
    starts = {series.id: onsets(series.timestamps_ms, labels) for series, labels in every}
    fold_of: dict[str, int] = {}
    groups = 0
    for name, own in starts.items():
        kin = [each for each in fold_of if _in_common(own, starts[each]) > RELATED]
        fold_of[name] = fold_of[kin[0]] if kin else groups % folds
        groups += not kin
    return fold_of


def _in_common(one: Ints, other: Ints) -> float:
    """The share of starts that have one of the other series within `GAP_MS`."""
    if not len(one) or not len(other):
        return 0.0
    return float(np.mean(np.abs(one[:, None] - other).min(axis=1) <= GAP_MS))


def story_of(series: PackSeries, labels: Bools | None, run: Run) -> Story:
    """What is known of a series at the start of its scored part, and what the detector finds of all of it."""
    times = series.timestamps_ms
    cut = series.trained_rows or probation(len(times))
    learned = max(min(int(PROBATION_SHARE * len(times)), cut), min(MIN_LEARNED, len(times) - 1))
    early = replace(series, trained_rows=learned, onsets_count=False)
    scores = np.zeros(len(times))
    scores[learned:] = evaluate(JUDGE, early, seed=run.seed, cpu_clock=run.cpu_clock).score
    step_ms = round(1000 * series.step_s)
    labelled = onsets(times, labels, step_ms=step_ms) if labels is not None else times[:0]
    known_until = int(times[min(cut, len(times) - 1)])
    known = labelled[labelled < known_until]
    wanted = int(np.count_nonzero(known >= times[learned]))
    begun = partial(onsets, times[learned:cut], step_ms=step_ms)
    bound = matching_bound(begun, scores[learned:cut], wanted) if wanted else 1.0
    signals = onsets(times, scores > bound, step_ms=step_ms)
    starts = known if len(known) else signals[signals < known_until]
    began = int(times[0]) if len(known) else int(times[learned])
    incidents = Incidents(began, known_until, starts, signals, int(times[learned]))
    return Story(series.id, incidents, int(times[-1]), labelled)


def matching_bound(begun: Callable[[Bools], Ints], scores: Floats, wanted: int) -> float:
    """The score above which as many incidents have `begun` as are wanted, or the most below that.

    Looked for from above: lower down incidents become more, and at last few again, since all of them merge.
    """
    best, most = MOST_BOUND, 0
    for bound in np.geomspace(MOST_BOUND, LEAST_BOUND, BOUNDS).tolist():
        count = len(begun(scores > bound))
        if count > wanted:
            break
        if count > most:
            best, most = bound, count
    return best


def prior_of(stories: Sequence[Story]) -> Prior:
    """What labelled series teach, by horizon."""
    return {horizon: teach_prior(list(_lessons(stories, horizon)), horizon) for horizon in HORIZONS_H}


def _lessons(stories: Sequence[Story], horizon: int) -> Iterator[Lesson]:
    """Of the known part and of the scored part, in which only signals are known."""
    for story in stories:
        yield lesson(story.incidents, horizon, own_moments(story.incidents, horizon))
        yield lesson(story.incidents, horizon, _ended(story, horizon), story.labelled_ms)


def _ended(story: Story, horizon: int) -> Ints:
    """Hours of the scored part whose horizon lies within the series."""
    moments = story.scored
    return moments[moments + horizon * HOUR_MS <= story.end_ms]


def _as_text(prior: Prior) -> str:
    told = {str(horizon): [round(value, 6) for value in prior[horizon].tolist()] for horizon in HORIZONS_H}
    return json.dumps({"features": NAMES, "coefficients": told}, indent=1) + "\n"


@cache
def shipped_prior() -> Prior:
    """The prior that is shipped."""
    content: dict[str, Any] = json.loads(files("ml.forecasting").joinpath(PRIOR_FILE).read_text("utf-8"))
    return {horizon: np.array(content["coefficients"][str(horizon)]) for horizon in HORIZONS_H}


def _labels(pack: Path, series: PackSeries) -> Bools | None:
    """Labels of the part that is learned from; None where the input has none."""
    try:
        labels = read_labels(pack, series)
    except InvalidPack:
        return None
    labels[series.trained_rows :] = False
    return labels


def _write(story: Story, prior: Prior, out: Path) -> int:
    moments = story.scored
    columns = [[str(moment // 1000) for moment in moments.tolist()]]
    for horizon in HORIZONS_H:
        model = learn(story.incidents, horizon, prior[horizon])
        columns.append([f"{value:.6g}" for value in model.probability(story.incidents, moments)])
    header = ("timestamp", *(f"p_{horizon}h" for horizon in HORIZONS_H))
    write_columns(result_path(out, story.id), header, columns)
    return len(moments)


def _told(story: Story, prior: Prior, horizon: int) -> tuple[Floats, Floats, float]:
    """Probabilities of the scored part, what came, and the share of moments in the known part."""
    moments = _ended(story, horizon)
    known = story.incidents
    before = hours_of(known.began_ms, known.known_until_ms - horizon * HOUR_MS + 1)
    share = float(outcomes(known.starts_ms, before, horizon).mean()) if len(before) else 0.5
    told = learn(known, horizon, prior[horizon]).probability(known, moments)
    return told, outcomes(story.labelled_ms, moments, horizon), share


def _quality(horizon: int, parts: Sequence[tuple[Floats, Floats, float]]) -> IncidentQuality:
    told = np.concatenate([part[0] for part in parts])
    came = np.concatenate([part[1] for part in parts])
    usual = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    return IncidentQuality(horizon, len(told), brier_skill(told, came, usual), calibration_error(told, came))


def calibration_error(told: Floats, came: Floats, bins: int = 10) -> float:
    """The mean distance, over moments, between what was told and what came, in bins of what was told."""
    place = np.clip((told * bins).astype(int), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    apart = np.bincount(place, weights=told - came, minlength=bins)
    return float(np.abs(apart).sum() / max(count.sum(), 1))

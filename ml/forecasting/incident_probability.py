"""How probable it is that an incident starts within the next hours: from when incidents started before.

In: starts of past incidents, and of what a detector took for one since. Out: calibrated probabilities a
horizon, what pushes them, and their skill. Refused: nothing; without any history a probability is that of a
rare event.

The model is a logistic one around the series' own base rate. Its coefficients begin at a prior that other
series taught, and move as far as the series' own past says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints

HOUR_MS: Final = 3_600_000
HORIZONS_H: Final = (24, 168)
WEEK_H: Final = 168
GAP_MS: Final = 30 * 60_000
"""What begins within this time of the last sign of an incident belongs to it."""
DECAYS_H: Final = (6, 24, 72, 168, 720)
SHRINK: Final = 2.0
"""Incidents that a rate is shrunk by: two more than came, and than were to come."""
PROFILE_H: Final = 6.0
PRIOR_PENALTY: Final = 100.0
"""Of a coefficient that many series teach."""
OWN_PENALTY: Final[Mapping[int, float]] = {24: 4.0, 168: 1.0}
"""Of moving a coefficient from the prior for one series; by horizon, in hours."""
USUAL_SHARE: Final[Mapping[int, float]] = {24: 0.25, 168: 0.7}
"""Of moments that an incident follows, where nothing is known; by horizon, in hours."""
BASE_DECAY_H: Final = 60 * 24.0
"""The age at which a moment weighs 1/e in the base rate: systems get better, and worse."""
ROUNDS: Final = 30
FARTHEST: Final = 30.0
NAMES: Final = (
    "constant",
    "base rate",
    *(f"incidents of the last {hours} h" for hours in DECAYS_H),
    "time since the last incident",
    "day of the week (sine)",
    "day of the week (cosine)",
    "hour of the day (sine)",
    "hour of the day (cosine)",
    "usual incidents of the next day of the week",
)
"""Of the features, in their order."""

Prior = Mapping[int, Floats]
"""Coefficients by horizon in hours, shape (len(NAMES),)."""


@dataclass(frozen=True, slots=True)
class Incidents:
    """What is known of the incidents of one series, service or tenant.

    Attributes
    ----------
    began_ms, known_until_ms
        The span in which every incident is known.
    starts_ms
        Sorted starts of incidents in that span.
    signals_ms
        Sorted starts of what a detector took for incidents, in that span and after; where incidents are
        always known, the same as `starts_ms`.
    signals_began_ms
        Since when there are signals.
    """

    began_ms: int
    known_until_ms: int
    starts_ms: Ints
    signals_ms: Ints
    signals_began_ms: int

    @property
    def hours(self) -> float:
        """The length of the span that is known."""
        return max(self.known_until_ms - self.began_ms, 0) / HOUR_MS

    @property
    def hourly_rate(self) -> float:
        """Incidents an hour, as if the span were a week longer and had half of one more."""
        return (len(self.starts_ms) + 0.5) / (self.hours + WEEK_H)

    def until(self, at_ms: int) -> Incidents:
        """What was known at a moment in the span."""
        starts = self.starts_ms[self.starts_ms < at_ms]
        return Incidents(self.began_ms, at_ms, starts, self.signals_ms, self.signals_began_ms)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Features of moments, shape (n, len(NAMES)), what came of them, 0 or 1, and the log odds of the base."""

    rows: Floats
    came: Floats
    base: float


@dataclass(frozen=True, slots=True)
class IncidentModel:
    """Probabilities of one horizon. `base_rate` is as told by `base_rate()`."""

    horizon_h: int
    coefficients: Floats
    base_rate: float

    def probability(self, incidents: Incidents, at_ms: Ints) -> Floats:
        """The probability that an incident starts within the horizon of each moment, shape (n,)."""
        rows = features(incidents, at_ms, self.base_rate)
        return np.asarray(_chance(log_odds(self.base_rate) + rows @ self.coefficients))

    def drivers(self, incidents: Incidents, at_ms: int) -> list[tuple[str, float]]:
        """What moves the log odds away from those of the base rate, and by how much; the strongest first."""
        pushes = features(incidents, np.array([at_ms]), self.base_rate)[0] * self.coefficients
        named = list(zip(NAMES, pushes.tolist(), strict=True))
        return sorted(named, key=lambda pair: -abs(pair[1]))


def onsets(times_ms: Ints, present: Bools, *, step_ms: int = 0) -> Ints:
    """Where runs of signs begin; one within `GAP_MS`, or a step, of the last belongs to its run."""
    signs = times_ms[present]
    fresh = np.concatenate([[True], np.diff(signs) > max(GAP_MS, step_ms)])[: len(signs)]
    return np.asarray(signs[fresh])


def outcomes(starts_ms: Ints, at_ms: Ints, horizon_h: int) -> Floats:
    """1 where an incident starts after a moment and within the horizon, else 0."""
    ends = np.searchsorted(starts_ms, at_ms + horizon_h * HOUR_MS, side="right")
    return np.asarray(ends > np.searchsorted(starts_ms, at_ms, side="right"), np.float64)


def base_rate(incidents: Incidents, horizon_h: int) -> float:
    """The share of known moments that an incident followed within the horizon, the newest moments heaviest,
    shrunk to `USUAL_SHARE` as if one more horizon had passed.
    """
    moments = hours_of(incidents.began_ms, incidents.known_until_ms - horizon_h * HOUR_MS)
    usual = USUAL_SHARE[horizon_h]
    if not len(moments):
        return usual
    weights = np.exp((moments - moments[-1]) / HOUR_MS / BASE_DECAY_H)
    share = float(np.average(outcomes(incidents.starts_ms, moments, horizon_h), weights=weights))
    spans = max(float(weights.sum()) / horizon_h, 1.0)
    return (share * spans + usual) / (spans + 1.0)


def features(incidents: Incidents, at_ms: Ints, rate: float) -> Floats:
    """Features of moments, shape (n, len(NAMES)), from what had begun by each."""
    hourly = incidents.hourly_rate
    age_h = (at_ms[:, None] - incidents.signals_ms[None, :]) / HOUR_MS
    begun = age_h >= 0
    age_h = np.where(begun, age_h, np.inf)
    since_h = np.maximum(at_ms - incidents.signals_began_ms, 0) / HOUR_MS
    columns = [np.ones(len(at_ms)), np.full(len(at_ms), log_odds(rate))]
    for decay in DECAYS_H:
        came = np.exp(-age_h / decay).sum(axis=1)
        usual = hourly * decay * -np.expm1(-since_h / decay)
        columns.append(np.log((came + SHRINK) / (usual + SHRINK)))
    quiet_h = age_h.min(axis=1, initial=2.0 / hourly)
    columns.append(np.exp(-quiet_h * hourly))
    hour = at_ms / HOUR_MS
    for angle in (2.0 * np.pi * ((hour / 24.0 + 4.0) % 7.0) / 7.0, 2.0 * np.pi * (hour % 24.0) / 24.0):
        columns.extend((np.sin(angle), np.cos(angle)))
    columns.append(_usual_of_next_day(incidents.starts_ms, at_ms))
    return np.stack(columns, axis=1)


def _usual_of_next_day(starts_ms: Ints, at_ms: Ints) -> Floats:
    """The log of how many more incidents than usual the coming day of the week had, smoothed."""
    hours = np.arange(WEEK_H)
    apart = (starts_ms / HOUR_MS - hours[:, None]) % WEEK_H
    apart = np.minimum(apart, WEEK_H - apart)
    profile = 1.0 + np.exp(-0.5 * (apart / PROFILE_H) ** 2).sum(axis=1)
    profile /= profile.mean()
    ahead = (at_ms // HOUR_MS % WEEK_H)[:, None] + np.arange(1, 25)
    return np.asarray(np.log(profile[ahead % WEEK_H].mean(axis=1)))


def lesson(incidents: Incidents, horizon_h: int, moments: Ints, starts_ms: Ints | None = None) -> Lesson:
    """What moments teach, given all starts (those known, unless more are given)."""
    rate = base_rate(incidents, horizon_h)
    starts = incidents.starts_ms if starts_ms is None else starts_ms
    rows = features(incidents, moments, rate)
    return Lesson(rows, outcomes(starts, moments, horizon_h), log_odds(rate))


def own_moments(incidents: Incidents, horizon_h: int) -> Ints:
    """Known moments with a week of signals before and the horizon after them."""
    first = max(incidents.began_ms, incidents.signals_began_ms + WEEK_H * HOUR_MS)
    return hours_of(first, incidents.known_until_ms - horizon_h * HOUR_MS)


def teach_prior(lessons: Sequence[Lesson], horizon_h: int) -> Floats:
    """Coefficients that serve many series, kept near 0."""
    return fit(lessons, horizon_h, np.zeros(len(NAMES)), PRIOR_PENALTY)


def learn(incidents: Incidents, horizon_h: int, prior: Floats) -> IncidentModel:
    """The model of one series: the prior, moved as far as the series' own known past says."""
    moments = own_moments(incidents, horizon_h)
    coefficients = prior
    if len(moments):
        own = [lesson(incidents, horizon_h, moments)]
        coefficients = fit(own, horizon_h, prior, OWN_PENALTY[horizon_h])
    return IncidentModel(horizon_h, coefficients, base_rate(incidents, horizon_h))


def fit(lessons: Sequence[Lesson], horizon_h: int, toward: Floats, penalty: float) -> Floats:
    """Ridge logistic regression around the base rates, by Newton's method.

    Moments of one horizon share their future, so all of them together count as one.
    """
    rows = np.concatenate([each.rows for each in lessons])
    came = np.concatenate([each.came for each in lessons])
    base = np.concatenate([np.full(len(each.rows), each.base) for each in lessons])
    found = toward.copy()
    for _ in range(ROUNDS):
        told = _chance(base + rows @ found)
        slope = rows.T @ (told - came) / horizon_h + penalty * (found - toward)
        weights = np.maximum(told * (1.0 - told), 1e-6) / horizon_h
        curve = (rows * weights[:, None]).T @ rows + penalty * np.eye(len(found))
        found = found - np.linalg.solve(curve, slope)
    return found


def past_skill(incidents: Incidents, horizon_h: int, prior: Floats, *, share: float = 0.6) -> float:
    """Brier skill against the base rate on the last part of the known span, learned from the first `share`.

    NaN where that part is shorter than the horizon, or nothing distinguishes skill there.
    """
    cut = int(incidents.began_ms + share * (incidents.known_until_ms - incidents.began_ms))
    moments = hours_of(cut, incidents.known_until_ms - horizon_h * HOUR_MS)
    if not len(moments):
        return float("nan")
    model = learn(incidents.until(cut), horizon_h, prior)
    came = outcomes(incidents.starts_ms, moments, horizon_h)
    told = model.probability(incidents.until(cut), moments)
    return brier_skill(told, came, model.base_rate)


def brier_skill(told: Floats, came: Floats, rate: float | Floats) -> float:
    """1 less the Brier score in Brier scores of the base rate; NaN where the base rate is never wrong."""
    usual = float(np.mean((rate - came) ** 2))
    return 1.0 - float(np.mean((told - came) ** 2)) / usual if usual > 0 else float("nan")


def hours_of(start_ms: int, end_ms: int) -> Ints:
    """Moments an hour apart, from the start to before the end."""
    return np.arange(start_ms, max(end_ms, start_ms), HOUR_MS, dtype=np.int64)


def log_odds(share: float) -> float:
    """Of a share between 0 and 1."""
    return float(np.log(share / (1.0 - share)))


def _chance(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -FARTHEST, FARTHEST))))
